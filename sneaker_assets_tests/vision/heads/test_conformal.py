import numpy as np
import pytest

from sneaker_assets.vision.heads.conformal import MIN_PRICE, Interval, conformal_interval


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_conformal_interval_covers_nominal_share_with_equal_tails(coverage: float) -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(100, 900, 4000)
    skewed_residuals = rng.normal(0, 0.4, 4000) - rng.exponential(0.4, 4000)
    actual = predicted * np.exp(skewed_residuals)
    interval = conformal_interval(actual[:2000], predicted[:2000], coverage)
    assert interval.covers(actual[2000:], predicted[2000:]).mean() == pytest.approx(coverage, abs=0.025)
    low, high = interval.bounds(predicted[2000:])
    assert (actual[2000:] < low).mean() == pytest.approx((1 - coverage) / 2, abs=0.02)
    assert (actual[2000:] > high).mean() == pytest.approx((1 - coverage) / 2, abs=0.02)


def test_interval_spans_all_residuals_when_rows_are_few() -> None:
    interval = conformal_interval(np.array([80.0, 150.0]), np.array([100.0, 100.0]))
    assert (interval.low, interval.high) == pytest.approx((0.8, 1.5))


def test_interval_contains_the_prediction_when_all_residuals_have_one_sign() -> None:
    below = conformal_interval(np.array([50.0, 80.0]), np.array([100.0, 100.0]))
    assert (below.low, below.high) == pytest.approx((0.5, 1.0))
    above = conformal_interval(np.array([120.0, 150.0]), np.array([100.0, 100.0]))
    assert (above.low, above.high) == pytest.approx((1.0, 1.5))


def test_predictions_below_the_minimum_price_count_as_the_minimum() -> None:
    low, high = Interval(0.5, 2.0).bounds(np.array([-5.0, 0.0, 10.0]))
    assert low.tolist() == [0.5 * MIN_PRICE, 0.5 * MIN_PRICE, 5.0]
    assert high.tolist() == [2 * MIN_PRICE, 2 * MIN_PRICE, 20.0]


def test_covers_includes_both_bounds_despite_rounding() -> None:
    interval = Interval(0.1, 1.1)
    predicted = np.full(4, 3.0)
    assert interval.covers(np.array([0.1 * 3, 1.1 * 3, 0.299, 3.301]), predicted).tolist() == [True, True, False, False]
