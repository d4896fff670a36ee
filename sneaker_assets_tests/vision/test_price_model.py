import numpy as np
import pandas as pd
import pytest
import torch

from sneaker_assets.lake import Lake
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.tables import EvaluationMetrics, Leaderboard
from sneaker_assets.vision.backbones import Backbone, WeightsError, load_backbone
from sneaker_assets.vision.evaluation import evaluate, predict_listings, regression_metrics, rmse_by_split
from sneaker_assets.vision.features import FeatureStore, open_store, update_store
from sneaker_assets.vision.heads import TrainingError, train_head
from sneaker_assets.vision.leaderboard import rank_models
from sneaker_assets.vision.price_model import price_images, train_price_model
from sneaker_assets.vision.settings import HeadConfig
from sneaker_assets_tests.builders import listings, store_pictures

CPU = torch.device("cpu")
CONFIG = HeadConfig(epochs=30, hidden=16, dropout=0.0)
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


def test_a_model_learns_a_price_that_can_be_seen_and_is_kept(
    lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame]
) -> None:
    store, splits = trained_on
    model, trained_now = train_price_model(lake.folder("models", "mobilenet_v2"), store, splits, CONFIG)
    assert trained_now
    assert {path.name for path in model.folder.iterdir()} == {
        "model.safetensors", "config.json", "history.parquet", "metrics.json", "card.md",
    }  # fmt: skip
    table = EvaluationMetrics.validate(evaluate(model, predict_listings(model, store, splits), "models/x"))
    rmse = rmse_by_split(table)["test"]
    assert rmse["model"] < 0.5 * rmse["mean"]


def test_the_same_inputs_are_not_trained_twice_and_others_are(
    lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame]
) -> None:
    store, splits = trained_on
    folder = lake.folder("models", "twice")
    first, _ = train_price_model(folder, store, splits, CONFIG)
    again, trained_now = train_price_model(folder, store, splits.sample(frac=1, random_state=0), CONFIG)
    assert (again.folder, trained_now) == (first.folder, False)
    dearer, trained_now = train_price_model(folder, store, splits.assign(price=splits["price"] * 2), CONFIG)
    assert dearer.folder != first.folder
    assert trained_now


def test_an_image_is_priced_as_it_was_when_its_features_were_kept(
    lake: Lake, trained_on: tuple[FeatureStore, pd.DataFrame]
) -> None:
    store, splits = trained_on
    model, _ = train_price_model(lake.folder("models", "mobilenet_v2"), store, splits, CONFIG)
    hashes = splits["sha256"].head(3).tolist()
    kept = model.price(store.gather(hashes))
    assert price_images(model, [lake.image(sha256) for sha256 in hashes], None, CPU) == pytest.approx(kept, rel=0.02)
    model.config["backbone_fingerprint"] = "another"
    with pytest.raises(WeightsError, match="with other values: set SNEAKER_WEIGHTS"):
        price_images(model, [lake.image(hashes[0])], None, CPU)


def test_the_best_epoch_is_the_one_that_is_kept() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 40)).astype(np.float32)
    splits = np.array(["train"] * 40 + ["validation"] * 20)
    trained = train_head(features, rng.uniform(100, 900, 60), splits, HeadConfig(epochs=40, dropout=0.0))
    history = trained.history.set_index("epoch")["validation_mse"]
    assert trained.best_epoch == history.idxmin()
    assert trained.best_epoch < 40


def test_too_few_rows_are_an_error_that_says_so() -> None:
    with pytest.raises(TrainingError, match="1 training and 0 validation listings are too few"):
        train_head(np.zeros((1, 2), np.float32), np.ones(1), np.array(["train"]), CONFIG)


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    features = np.full((10, 2), np.nan, np.float32)
    with pytest.raises(TrainingError, match="no longer a number in epoch 1"):
        train_head(features, np.ones(10), np.array(["train", "validation"] * 5), CONFIG)


def test_metrics_are_those_of_the_textbook() -> None:
    metrics = regression_metrics(np.array([100.0, 200.0]), np.array([110.0, 180.0]))
    assert metrics == pytest.approx({"n": 2, "mse": 250.0, "rmse": 250**0.5, "mae": 15.0, "mape": 10.0, "r2": 0.9})


def test_the_champion_has_the_lowest_validation_error() -> None:
    def rows(backbone: str, validation: float, test: float) -> list[dict[str, object]]:
        common = {
            "backbone": backbone,
            "weights": "random",
            "model": f"models/{backbone}",
            "n": 9,
            "mse": 1.0,
            "mae": 1.0,
        }
        return [
            common | {"predictor": predictor, "split": split, "rmse": rmse, "mape": 1.0, "r2": 0.1}
            for predictor, split, rmse in (
                ("model", "validation", validation),
                ("model", "test", test),
                ("mean", "validation", 300.0),
                ("mean", "test", 310.0),
            )
        ]

    board = Leaderboard.validate(
        rank_models(pd.DataFrame(rows("vgg16", 250.0, 200.0) + rows("resnet18", 240.0, 260.0)))
    )
    assert board[["rank", "backbone", "champion"]].values.tolist() == [[1, "resnet18", True], [2, "vgg16", False]]
    assert board["mean_test_rmse"].tolist() == [310.0, 310.0]
