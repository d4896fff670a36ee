import numpy as np
import pandas as pd
import pytest

from sneaker_assets.vision.evaluation.metrics import (
    NoTestRowsError,
    bootstrap_intervals,
    check_test_rows,
    regression_metrics,
)


def test_regression_metrics_match_their_definitions() -> None:
    metrics = regression_metrics(np.array([100.0, 200.0]), np.array([110.0, 180.0]))
    expected = {"n": 2, "mse": 250.0, "rmse": 250**0.5, "mae": 15.0, "mape": 10.0, "median_ape": 10.0, "r2": 0.9}
    assert metrics == pytest.approx(expected)


def test_r2_is_nan_for_constant_prices() -> None:
    assert np.isnan(regression_metrics(np.ones(3), np.ones(3))["r2"])


def test_bootstrap_intervals_cover_the_true_rmse_at_their_nominal_rate() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(60):
        bounds = bootstrap_intervals(np.full(200, 500.0), 500 + rng.normal(0, 100, 200), seed)
        covered += bounds["rmse_low"] <= 100 <= bounds["rmse_high"]
    assert 0.85 <= covered / 60 <= 1


def test_bootstrap_intervals_have_two_bounds_for_each_metric_around_its_value() -> None:
    rng = np.random.default_rng(0)
    actual = rng.uniform(100, 900, 50)
    predicted = actual + rng.normal(0, 50, 50)
    metrics, bounds = regression_metrics(actual, predicted), bootstrap_intervals(actual, predicted)
    assert set(bounds) == {f"{name}_{side}" for name in metrics if name != "n" for side in ("low", "high")}
    for name in set(metrics) - {"n"}:
        assert bounds[f"{name}_low"] <= metrics[name] <= bounds[f"{name}_high"]
    assert np.isnan(bootstrap_intervals(np.ones(3), np.ones(3))["r2_low"])


def test_check_test_rows_rejects_splits_without_test_rows() -> None:
    check_test_rows(pd.DataFrame({"split": ["train", "test"]}))
    with pytest.raises(NoTestRowsError, match=r"none of the 2 listings is in the test split.*: crawl more pages"):
        check_test_rows(pd.DataFrame({"split": ["train", "validation"]}))
