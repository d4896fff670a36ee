from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from sneaker_assets.lake import Lake, write_table
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.features.extractor import open_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.finetuning.model import FinetuneJob, finetune_price_model
from sneaker_assets.vision.pricing.export import export
from sneaker_assets.vision.pricing.price_model import load_backbone_of, price_images
from sneaker_assets.vision.pricing.similarity_index import build_similarity_index, similarity_vectors
from sneaker_assets.vision.settings import WeightsChoice
from sneaker_assets_tests.builders import listings, store_pictures
from sneaker_assets_tests.vision.finetuning.conftest import CPU, finetune_settings


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "weights", "block", "mixed"),
    [
        ("mobilenet_v2", "none", "features.17", True),
        ("mobilenet_v2", "none", "features.17", False),
        # Its batch norms contain an activation, its convolutions pad their input, and its weights are packaged.
        ("efficientnet_lite0", "imagenet", "blocks.6.0", True),
    ],
)
def test_finetuned_model_is_stored_once_and_prices_stored_and_new_images_alike(
    name: str, weights: WeightsChoice, block: str, tmp_path: Path, *, mixed: bool
) -> None:
    lake, settings = Lake.at(tmp_path), finetune_settings(mixed=mixed, unfreeze_from=block)
    backbone = load_backbone(name, weights)
    brightness = store_pictures(lake, 60)
    images = {sha256: lake.image(sha256) for sha256 in brightness}
    table = listings([1000 * value for value in brightness.values()])
    splits = assign_splits(table.assign(sha256=list(brightness), twin_group=list(brightness)))
    write_table(UPath(tmp_path / "splits.parquet"), splits)
    frozen = open_store(lake.folder("features"), backbone)
    job = FinetuneJob(
        name, weights, None, "cpu", str(tmp_path / "splits.parquet"), str(tmp_path), str(tmp_path), settings
    )
    model, trained_now = finetune_price_model(lake.folder("models", name), frozen, splits, images, job)
    assert trained_now
    assert not finetune_price_model(lake.folder("models", name), frozen, splits, images, job)[1]
    assert model.history()["epoch"].tolist() == [1, 2, 3]
    store = FeatureStore.open(lake.folder("features", name, model.config["features"]["store"]))
    held_out = splits[splits["split"] == "validation"]
    predicted = model.price(store.gather_views(held_out["sha256"].tolist(), model.views))
    rmse = float(np.sqrt(np.mean((predicted - held_out["price"]) ** 2)))
    assert rmse == pytest.approx(model.metrics()["validation_rmse"], rel=1e-3)
    if mixed:
        assert rmse <= min(model.metrics()["network_rmse"], model.metrics()["kernel_rmse"]) * 1.001
        assert f"{model.metrics()['network_share']:.0%}" in (model.folder / "card.md").read_text()
    predicted_from_images = price_images(model, list(images.values())[:3], None, CPU)
    assert predicted_from_images == pytest.approx(
        model.price(store.gather_views(list(images)[:3], model.views)), rel=0.02
    )
    differences = export(
        UPath(tmp_path / "exported"), model, [load_backbone_of(model, None)], list(images.values())[:2]
    )
    assert max(differences.differences.values()) < 1e-3
    index = build_similarity_index(
        UPath(tmp_path / "indexes"), model, store, splits.assign(title="t", url="u", label_kind="last")
    )
    nearest = index.nearest(similarity_vectors(model, store.gather_views(list(images)[:1], model.views)))
    assert nearest[0]["sha256"].iloc[0] == next(iter(images))


def test_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    job = FinetuneJob(
        "vgg16", "auto", "/weights", "cpu", "splits.parquet", "scratch", "checkpoints", finetune_settings(seed=7), 5.0
    )
    job.write(tmp_path / "job.json")
    assert FinetuneJob.read(tmp_path / "job.json") == job
