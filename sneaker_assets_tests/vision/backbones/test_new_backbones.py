"""Networks of timm and torchvision that are not registered, each added by one line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from upath import UPath

from sneaker_assets.lake import Lake, write_table
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.vision.backbones.architectures import BACKBONES, Architecture
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.backbones.blocks import default_unfreeze_from, named_blocks, split_at, trained_names
from sneaker_assets.vision.backbones.feature_layers import WHOLE, UnsupportedBackboneError, find_feature_layers
from sneaker_assets.vision.backbones.networks import count_parameters, find_input_spec, layer_names
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.features.extractor import FeatureExtractor, open_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.finetuning.model import FinetuneJob, finetune_price_model
from sneaker_assets.vision.pricing.price_model import price_images
from sneaker_assets.vision.settings import FinetuneSettings, Keep
from sneaker_assets_tests.builders import listings, store_pictures

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
NETWORKS = [
    Architecture("tf_mobilenetv3_small_minimal_100", "timm"),
    Architecture("regnety_002", "timm"),
    Architecture("ghostnet_050", "timm"),
    Architecture("fastvit_t8", "timm"),
    Architecture("shufflenet_v2_x0_5"),
]
"""SAME padding, stages that are no sequences, ghost modules, a network in one piece, and one of torchvision."""

BY_NAME = [pytest.param(network, id=network.name) for network in NETWORKS]


@pytest.fixture
def new(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Architecture:
    """The network, registered: the only step that adds it."""
    architecture: Architecture = request.param
    monkeypatch.setitem(BACKBONES, architecture.name, architecture)
    return architecture


@pytest.mark.parametrize("new", BY_NAME, indirect=True)
def test_features_are_those_of_the_published_network(new: Architecture) -> None:
    backbone = load_backbone(new.name, "none")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 96, 128, 3), dtype=np.uint8)
    for keep in ("pooled", "scales", "grid", "map"):
        kept: Keep = keep
        features = FeatureExtractor(backbone, CPU, kept, ("plain", "mirrored"))(pixels)
        assert features.shape[:2] == (2, 2)
        assert torch.isfinite(features).all()
        assert features[0].std() > 0
    images = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, folded = backbone.network(images), backbone.ready(CPU, torch.float32)(images)
    assert torch.allclose(folded, expected, atol=1e-3 * float(expected.abs().max()))
    assert backbone.fingerprint == load_backbone(new.name, "none").fingerprint
    assert count_parameters(new.name) == sum(tensor.numel() for tensor in backbone.network.parameters())


@pytest.mark.parametrize("new", BY_NAME, indirect=True)
def test_the_default_split_composes_to_the_network_and_is_trainable(new: Architecture) -> None:
    backbone = load_backbone(new.name, "none")
    start = default_unfreeze_from(backbone)
    split = split_at(backbone, start)
    images = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        lower, expected = split.lower(images), backbone.network(images)
    output = split.upper.eval()(lower)
    assert torch.allclose(output, expected, atol=1e-3 * float(expected.abs().max()))
    output.square().mean().backward()
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in split.upper.parameters())
    assert set(trained_names(backbone, start).values()) <= set(backbone.network.state_dict())
    with pytest.raises(
        TrainingError, match=f"{new.name} has no block 'nowhere' .*choose one of {next(iter(named_blocks(backbone)))}"
    ):
        split_at(backbone, "nowhere")


@pytest.mark.parametrize("new", BY_NAME[:3], indirect=True)
def test_a_new_backbone_is_fine_tuned_to_a_price_model(new: Architecture, tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    brightness = store_pictures(lake, 40)
    images = {sha256: lake.image(sha256) for sha256 in brightness}
    table = listings([1000 * value for value in brightness.values()])
    splits = assign_splits(table.assign(sha256=list(brightness), twin_group=list(brightness)))
    write_table(UPath(tmp_path / "splits.parquet"), splits)
    frozen = open_store(lake.folder("features"), load_backbone(new.name, "none"))
    settings = FinetuneSettings(height=64, width=96, copies=1, hidden=16, epochs=1, batch_size=16)
    job = FinetuneJob(
        new.name, "none", None, "cpu", str(tmp_path / "splits.parquet"), str(tmp_path), str(tmp_path), settings
    )
    model, _ = finetune_price_model(lake.folder("models"), frozen, splits, images, job)
    assert model.weights == WeightsSource(
        "random", fine_tuned_from=default_unfreeze_from(load_backbone(new.name, "none"))
    )
    store = FeatureStore.open(lake.folder("features", new.name, model.config["features"]["store"]))
    kept = model.price(store.gather_views(list(images)[:2], model.views))
    assert price_images(model, list(images.values())[:2], None, CPU) == pytest.approx(kept, rel=0.02)


def test_input_and_normalisation_are_those_that_timm_states() -> None:
    spec = find_input_spec(NETWORKS[0])
    assert (spec.height, spec.width, spec.mean, spec.deviation) == (224, 224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_a_network_in_one_piece_has_one_block() -> None:
    assert layer_names(NETWORKS[3]) == (WHOLE,)


class Branched(nn.Module):
    """Two parallel branches before the classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.classifier = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3), nn.Linear(8, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier((self.left(images) + self.right(images)).mean((2, 3)))
        return logits


class Hidden(nn.Module):
    """An operation in place between two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.classifier = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.second(self.first(images).relu_()).mean((2, 3)))
        return logits


@pytest.mark.parametrize("network", [Branched, Hidden])
def test_a_torchvision_network_that_is_no_sequence_is_refused(network: type[nn.Module]) -> None:
    with pytest.raises(UnsupportedBackboneError, match=r"odd cannot serve as a backbone: .*use timm's version"):
        find_feature_layers(network(), Architecture("odd"))


def test_finding_layers_leaves_the_network_as_it_was() -> None:
    network = Hidden()
    images = torch.rand(1, 3, 8, 8)
    expected = network(images)
    with pytest.raises(UnsupportedBackboneError):
        find_feature_layers(network, Architecture("odd"))
    assert network.training
    assert torch.equal(network(images), expected)


def test_a_network_for_one_image_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "vit", Architecture("vit", "timm", "test_vit"))
    with pytest.raises(
        UnsupportedBackboneError, match="vit cannot serve as a backbone, choose a convolutional network"
    ):
        _ = load_backbone("vit", "none").stages
