import numpy as np
import pandas as pd
import pytest

from sneaker_assets.lake import Lake
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.tables import LeakReport, OutlierAblation
from sneaker_assets.vision.evaluation.metrics import NoTestRowsError, bootstrap_intervals, regression_metrics
from sneaker_assets.vision.evaluation.studies import leak_report, outlier_ablation
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.heads.conformal import conformal_interval
from sneaker_assets.vision.settings import HeadSettings
from sneaker_assets_tests.builders import listings


def test_metrics_are_those_of_the_textbook() -> None:
    metrics = regression_metrics(np.array([100.0, 200.0]), np.array([110.0, 180.0]))
    expected = {"n": 2, "mse": 250.0, "rmse": 250**0.5, "mae": 15.0, "mape": 10.0, "median_ape": 10.0, "r2": 0.9}
    assert metrics == pytest.approx(expected)
    assert np.isnan(regression_metrics(np.ones(3), np.ones(3))["r2"])


def test_bootstrap_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(60):
        bounds = bootstrap_intervals(np.full(200, 500.0), 500 + rng.normal(0, 100, 200), seed)
        inside += bounds["rmse_low"] <= 100 <= bounds["rmse_high"]
    assert 0.85 <= inside / 60 <= 1


def test_conformal_intervals_cover_nine_tenths_of_new_prices_and_miss_on_both_sides_alike() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(100, 900, 4000)
    actual = predicted * np.exp(rng.normal(0, 0.4, 4000) - rng.exponential(0.4, 4000))
    interval = conformal_interval(actual[:2000], predicted[:2000])
    assert interval.covers(actual[2000:], predicted[2000:]).mean() == pytest.approx(0.9, abs=0.025)
    low, high = interval.around(predicted[2000:])
    assert (actual[2000:] < low).mean() == pytest.approx(0.05, abs=0.015)
    assert (actual[2000:] > high).mean() == pytest.approx(0.05, abs=0.015)


def test_few_rows_give_an_interval_as_wide_as_they_are_and_never_beside_the_prediction() -> None:
    interval = conformal_interval(np.array([80.0, 150.0]), np.array([100.0, 100.0]))
    assert (interval.low, interval.high) == pytest.approx((0.8, 1.5))
    below = conformal_interval(np.array([50.0, 80.0]), np.array([100.0, 100.0]))
    assert (below.low, below.high) == pytest.approx((0.5, 1.0))
    assert below.covers(np.array([100.0, 0.4]), np.array([100.0, -5.0])).tolist() == [True, False]


@pytest.fixture
def known(lake: Lake) -> tuple[FeatureStore, pd.DataFrame]:
    """Twins of unlike prices whose features say nothing of the price but which twin group it is."""
    rng = np.random.default_rng(0)
    pictures = [f"{number:064d}" for number in range(100)]
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    store.append(pictures, rng.normal(size=(100, 8)).astype(np.float32))
    prices = np.repeat(rng.uniform(100, 900, 100), 3)
    table = listings(list(prices))
    return store, table.assign(sha256=np.repeat(pictures, 3), twin_group=np.repeat(pictures, 3))


def test_the_leak_report_tells_memory_from_learning(known: tuple[FeatureStore, pd.DataFrame]) -> None:
    store, table = known
    report = LeakReport.validate(leak_report("resnet18", store, assign_splits(table)))
    ours, theirs = (report[report["split"] == split] for split in ("by twin group", "by listing"))
    assert (ours["with_twin"] == 0).all()
    everywhere = theirs[theirs["scored_on"] == "all"].set_index("predictor")
    assert everywhere["with_twin"].gt(0).all()
    assert everywhere["mse"].idxmin() == "twin's price, else ridge"
    assert len(set(ours["mse"])) == 1


def test_without_a_test_row_nothing_is_scored(known: tuple[FeatureStore, pd.DataFrame]) -> None:
    store, table = known
    splits = assign_splits(table)
    with pytest.raises(NoTestRowsError, match=r"none of the 300 listings is for testing.*: crawl more pages"):
        leak_report("resnet18", store, splits.assign(split=splits["split"].replace("test", "train")))


def test_the_ablation_scores_both_models_on_both_populations(known: tuple[FeatureStore, pd.DataFrame]) -> None:
    store, table = known
    dear = table.assign(price=table["price"].where(table.index % 30 > 2, 9000.0))
    clean = dear[dear["price"] < 1000].reset_index(drop=True)
    ablation = outlier_ablation("resnet18", store, dear, clean, HeadSettings(epochs=5, hidden=8))
    assert {name: len(trained.history) for name, trained in ablation.trained.items()} == {"all": 5, "clean": 5}
    scores = OutlierAblation.validate(ablation.scores)
    assert len(scores) == 4
    by_population = scores.groupby("scored_on")["mse"].min()
    assert by_population["all"] > 5 * by_population["clean"]
