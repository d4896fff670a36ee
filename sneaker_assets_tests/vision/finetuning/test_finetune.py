"""Fine-tuning on small pictures whose price is their brightness, with a small network of random weights."""

import dataclasses
import json
import logging
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from upath import UPath

from sneaker_assets.lake import Lake, write_table
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone, pool
from sneaker_assets.vision.backbones.blocks import named_blocks, split_at, trained_names, with_weights
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.features.extractor import open_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.finetuning.activation_cache import Inputs, prepare_inputs
from sneaker_assets.vision.finetuning.decoded_cache import Frames, keep_frames
from sneaker_assets.vision.finetuning.finetune import Finetuned, Finetuning, begin_network, run_name
from sneaker_assets.vision.finetuning.model import FinetuneJob, finetune_price_model
from sneaker_assets.vision.finetuning.state import PriceNetwork
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.heads.training_rows import Rows, split_rows
from sneaker_assets.vision.imaging.augmentation import augment, draw
from sneaker_assets.vision.imaging.decoding import Frame
from sneaker_assets.vision.pricing.price_model import price_images
from sneaker_assets.vision.pricing.similarity_index import build_similarity_index, similarity_vectors
from sneaker_assets.vision.settings import FinetuneSettings, HeadSettings
from sneaker_assets_tests.builders import listings, store_pictures

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SETTINGS = FinetuneSettings(
    unfreeze_from="features.17", height=32, width=48, copies=2, hidden=16, epochs=3, batch_size=16, micro_batch=16,
    learning_rate=1e-4, head_learning_rate=3e-4, rotation=3.0, ema_decay=0.5,
)  # fmt: skip
SIDES = np.array(["train"] * 40 + ["validation"] * 14)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("mobilenet_v2", "none")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Frames, list[str], Rows]:
    """A local folder, decoded pictures, which one each row shows, and the rows."""
    folder = tmp_path_factory.mktemp("finetune")
    lake = Lake.at(folder)
    brightness = store_pictures(lake, len(SIDES))
    frames = keep_frames(folder, {sha256: lake.image(sha256) for sha256 in brightness}, Frame(32, 48))
    return folder, frames, list(brightness), split_rows(np.array([1000 * b for b in brightness.values()]), SIDES)


class Trying:
    """A training that can be begun again and again from the same network."""

    def __init__(self, backbone: Backbone, shown: tuple[Path, Frames, list[str], Rows], folder: Path) -> None:
        self.backbone, self.folder = backbone, UPath(folder)
        self.scratch, self.frames, self.hashes, self.rows = shown

    def inputs(self, settings: FinetuneSettings = SETTINGS) -> Inputs:
        split = split_at(self.backbone, settings.unfreeze_from)
        return prepare_inputs(self.frames, self.hashes, self.backbone, split, settings, folder=self.scratch, device=CPU)

    def begin(self, settings: FinetuneSettings = SETTINGS) -> Finetuning:
        inputs, upper = self.inputs(settings), split_at(self.backbone, settings.unfreeze_from).upper
        torch.manual_seed(0)
        head = build_head(HeadSettings(hidden=settings.hidden, dropout=settings.dropout), 2560)
        with torch.inference_mode():
            features = pool(upper.eval()(inputs.plain(np.arange(len(SIDES))).float()))
        head.fit_scales(features[: len(self.rows.train)].clone(), self.rows.prices[self.rows.train])
        return Finetuning(inputs, self.rows, begin_network(upper, head, CPU), settings, device=CPU)

    def run(self, settings: FinetuneSettings = SETTINGS) -> Finetuned:
        training = self.begin(settings)
        return training.run(self.folder, run_name(training.inputs, self.rows, settings, {}))


@pytest.fixture
def trying(backbone: Backbone, shown: tuple[Path, Frames, list[str], Rows], tmp_path: Path) -> Trying:
    return Trying(backbone, shown, tmp_path)


def same(one: nn.Module, other: nn.Module) -> bool:
    others = other.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in one.state_dict().items())


@pytest.mark.parametrize("name", ["vgg16", "resnet18", "densenet121", "mobilenet_v2"])
def test_a_backbone_taken_apart_at_any_block_is_the_same_network(name: str) -> None:
    backbone = load_backbone(name, "none")
    blocks = named_blocks(backbone)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        whole = backbone.network(images)
        for block in [*list(blocks)[:: max(1, len(blocks) // 3)], ""]:
            split = split_at(backbone, block)
            assert torch.allclose(split.upper(split.lower(images)), whole, rtol=1e-3, atol=1e-3), block


def test_an_unknown_block_is_an_error_that_lists_those_there_are(backbone: Backbone) -> None:
    assert len(split_at(backbone, "features.17").upper) == 2
    assert len(split_at(backbone, "features").upper) == 19
    with pytest.raises(TrainingError, match=r"mobilenet_v2 has no block 'layer9' .*choose one of features.0, .*18"):
        split_at(backbone, "layer9")


def test_trained_blocks_go_back_to_where_they_were_taken_from(backbone: Backbone) -> None:
    split = split_at(backbone, "features.17")
    names = trained_names(backbone, "features.17")
    with torch.no_grad():
        for parameter in split.upper.parameters():
            parameter.add_(0.01)
    trained = {names[name]: tensor for name, tensor in split.upper.state_dict().items()}
    other = with_weights(backbone, trained, "fine-tuned")
    assert other.fingerprint != backbone.fingerprint
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = split.upper.eval()(split.lower(images))
        assert torch.allclose(other.network(images), expected, rtol=1e-3, atol=1e-3)
        assert not torch.allclose(backbone.network(images), expected, rtol=1e-3, atol=1e-3)


def test_what_is_done_to_a_picture_depends_on_epoch_and_place_alone() -> None:
    images = torch.randint(0, 256, (4, 3, 16, 24), dtype=torch.uint8)
    drawn = draw(SETTINGS, 3, 4)
    together = augment(images, drawn, SETTINGS)
    assert together.dtype == torch.uint8
    assert torch.equal(together[2:], augment(images[2:], drawn[2:], SETTINGS))
    assert not torch.equal(together, augment(images, draw(SETTINGS, 4, 4), SETTINGS))
    plain = dataclasses.replace(SETTINGS, flip=False, rotation=0.0, colour=0.0)
    assert torch.equal(augment(images, drawn, plain), images)


def test_it_learns_and_keeps_the_average_of_its_best_epoch(trying: Trying) -> None:
    learning = dataclasses.replace(
        SETTINGS, epochs=10, learning_rate=3e-4, head_learning_rate=3e-3, rotation=0.0, colour=0.0, dropout=0.0
    )
    done = trying.run(learning)
    assert done.history["epoch"].tolist() == list(range(1, 11))
    assert done.best == done.history["validation_mse"].argmin()
    prices = trying.rows.prices[trying.rows.validation]
    assert done.history["validation_mse"].min() < 0.5 * float(prices.var())
    training = trying.begin()
    expected = training.expect(done.network, trying.rows.validation.numpy())
    mse = (done.network.head.dollars(expected) - prices).square().mean()
    assert float(mse) == pytest.approx(done.history["validation_mse"].min(), rel=1e-5)


@pytest.mark.parametrize("freeze", [True, False])
def test_frozen_batch_norms_keep_their_statistics(trying: Trying, *, freeze: bool) -> None:
    settings = dataclasses.replace(SETTINGS, freeze_batch_norm=freeze, epochs=1)
    before = trying.begin(settings).state.network.upper.state_dict()
    done = trying.run(settings)
    statistics = [name for name in before if name.endswith("running_mean")]
    assert statistics
    after = done.network.upper.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in statistics) == freeze


@pytest.mark.parametrize("copies", [0, 2])
def test_a_killed_training_goes_on_to_the_same_bits(trying: Trying, copies: int) -> None:
    settings = dataclasses.replace(SETTINGS, copies=copies)
    whole = trying.run(settings)
    newest = trying.folder / "epoch-0003"
    (newest / "state.json").unlink()
    resumed = trying.run(settings)
    assert same(resumed.network, whole.network)
    assert resumed.history.drop(columns="seconds").equals(whole.history.drop(columns="seconds"))


def test_a_damaged_or_foreign_checkpoint_is_named_and_the_one_before_it_used(
    trying: Trying, caplog: pytest.LogCaptureFixture
) -> None:
    whole = trying.run()
    newest, before = trying.folder / "epoch-0003", trying.folder / "epoch-0002"
    cut = newest / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-10])
    with caplog.at_level(logging.INFO):
        assert same(trying.run().network, whole.network)
    assert "epoch-0003 is damaged" in caplog.text or "is not what was written" in caplog.text
    assert "going on after epoch 2" in caplog.text
    caplog.clear()
    state = json.loads((newest / "state.json").read_text())
    (newest / "state.json").write_text(json.dumps({**state, "run": "another"}))
    with caplog.at_level(logging.INFO):
        assert same(trying.run().network, whole.network)
    assert "epoch-0003 is of another network, other rows or other settings" in caplog.text
    assert before.exists()


def test_a_loss_that_is_no_number_stops_and_the_last_good_checkpoint_stays(trying: Trying) -> None:
    trying.run(dataclasses.replace(SETTINGS, epochs=1))
    training = trying.begin(dataclasses.replace(SETTINGS, learning_rate=1e30, clip=1e30, warm_up=0.0))
    with pytest.raises(TrainingError, match="no longer a number in epoch 1: lower the learning rates; the last good"):
        training.run(trying.folder, "another")
    assert (trying.folder / "epoch-0001" / "model.safetensors").exists()


class Narrow(nn.Module):
    """A block that has memory for so many rows."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, inputs: Tensor) -> Tensor:
        if torch.is_grad_enabled() and len(inputs) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return inputs


def squeeze(training: Finetuning, most: int) -> None:
    for network in (training.state.network, cast("PriceNetwork", training.state.averaged.module)):
        cast("nn.Sequential", network.upper).insert(0, Narrow(most))


def test_out_of_memory_halves_what_goes_through_at_once_and_says_so(
    trying: Trying, caplog: pytest.LogCaptureFixture
) -> None:
    roomy = trying.run()
    trying.folder = trying.folder / "narrow"
    training = trying.begin()
    squeeze(training, 5)
    done = training.run(trying.folder, "narrow")
    assert done.micro_batch == 4
    assert "out of memory: going on with 8 rows at once" in caplog.text
    assert done.history["validation_mse"].to_numpy() == pytest.approx(roomy.history["validation_mse"], rel=0.02)
    training = trying.begin()
    squeeze(training, 0)
    with pytest.raises(TrainingError, match="1 rows at once do not fit into the device's memory"):
        training.run(trying.folder / "none", "none")


@pytest.mark.parametrize("mixed", [True, False])
def test_what_comes_of_it_is_a_price_model_like_any_other(backbone: Backbone, tmp_path: Path, *, mixed: bool) -> None:
    lake, settings = Lake.at(tmp_path), dataclasses.replace(SETTINGS, mixed=mixed)
    brightness = store_pictures(lake, 60)
    images = {sha256: lake.image(sha256) for sha256 in brightness}
    table = listings([1000 * value for value in brightness.values()])
    splits = assign_splits(table.assign(sha256=list(brightness), twin_group=list(brightness)))
    write_table(UPath(tmp_path / "splits.parquet"), splits)
    frozen = open_store(lake.folder("features"), backbone)
    job = FinetuneJob(
        "mobilenet_v2", "none", None, "cpu", str(tmp_path / "splits.parquet"), str(tmp_path), str(tmp_path), settings
    )
    model, trained_now = finetune_price_model(lake.folder("models"), frozen, splits, images, job)
    assert trained_now
    assert not finetune_price_model(lake.folder("models"), frozen, splits, images, job)[1]
    assert model.history()["epoch"].tolist() == [1, 2, 3]
    store = FeatureStore.open(lake.folder("features", "mobilenet_v2", model.config["features"]["store"]))
    held_out = splits[splits["split"] == "validation"]
    priced = model.price(store.gather_views(held_out["sha256"].tolist(), model.views))
    rmse = float(np.sqrt(np.mean((priced - held_out["price"]) ** 2)))
    assert rmse == pytest.approx(model.metrics()["validation_rmse"], rel=1e-3)
    if mixed:
        assert rmse <= min(model.metrics()["network_rmse"], model.metrics()["kernel_rmse"]) * 1.001
        assert "of the network's price" in (model.folder / "card.md").read_text()
    fresh = price_images(model, list(images.values())[:3], None, CPU)
    assert fresh == pytest.approx(model.price(store.gather_views(list(images)[:3], model.views)), rel=0.02)
    shoes = splits.assign(title="t", url="u", label_kind="last")
    index = build_similarity_index(lake.folder("similarity_index"), model, store, shoes)
    nearest = index.nearest(similarity_vectors(model, store.gather_views(list(images)[:1], model.views)))
    assert nearest[0]["sha256"].iloc[0] == next(iter(images))
