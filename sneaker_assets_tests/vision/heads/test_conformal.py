import numpy as np
import pytest

from sneaker_assets.vision.heads.conformal import BINS, MIN_PRICE, MIN_ROWS, Interval, conformal_interval


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
    assert (*interval.low, *interval.high) == pytest.approx((0.8, 1.5))


def test_interval_contains_the_prediction_when_all_residuals_have_one_sign() -> None:
    below = conformal_interval(np.array([50.0, 80.0]), np.array([100.0, 100.0]))
    assert (*below.low, *below.high) == pytest.approx((0.5, 1.0))
    above = conformal_interval(np.array([120.0, 150.0]), np.array([100.0, 100.0]))
    assert (*above.low, *above.high) == pytest.approx((1.0, 1.5))


def test_predictions_below_the_minimum_price_count_as_the_minimum() -> None:
    low, high = Interval((0.5,), (2.0,)).bounds(np.array([-5.0, 0.0, 10.0]))
    assert low.tolist() == [0.5 * MIN_PRICE, 0.5 * MIN_PRICE, 5.0]
    assert high.tolist() == [2 * MIN_PRICE, 2 * MIN_PRICE, 20.0]


def test_covers_includes_both_bounds_despite_rounding() -> None:
    interval = Interval((0.1,), (1.1,))
    predicted = np.full(4, 3.0)
    assert interval.covers(np.array([0.1 * 3, 1.1 * 3, 0.299, 3.301]), predicted).tolist() == [True, True, False, False]


def test_each_fifth_of_the_predicted_price_is_covered_where_the_spread_depends_on_it() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(100, 900, 8000)
    actual = predicted * np.exp(rng.normal(0, 0.1 + predicted / 1000))
    interval = conformal_interval(actual[:4000], predicted[:4000])
    single = conformal_interval(actual[:4000], predicted[:4000], max_bins=1)
    assert (len(interval.low), len(single.low)) == (BINS, 1)
    fifth = np.digitize(predicted[4000:], np.quantile(predicted[4000:], [0.2, 0.4, 0.6, 0.8]))

    def coverages(measured: Interval) -> np.ndarray:
        inside = measured.covers(actual[4000:], predicted[4000:])
        return np.array([inside[fifth == number].mean() for number in range(5)])

    assert coverages(interval) == pytest.approx(np.full(5, 0.9), abs=0.04)
    assert coverages(single).max() - coverages(single).min() > 0.1


@pytest.mark.parametrize("n", [1, 2, MIN_ROWS - 1, 2 * MIN_ROWS, 3 * MIN_ROWS + 1])
def test_no_bin_has_fewer_rows_than_the_minimum_unless_it_is_the_only_one(n: int) -> None:
    rng = np.random.default_rng(n)
    for predicted in (rng.uniform(100, 900, n), np.full(n, 200.0), rng.choice([100.0, 500.0, 501.0], n)):
        interval = conformal_interval(predicted * np.exp(rng.normal(0, 0.3, n)), predicted)
        numbers = np.searchsorted(np.array(interval.edges), predicted, side="right")
        assert len(interval.low) == len(interval.high) == len(interval.edges) + 1
        if interval.edges:
            assert np.bincount(numbers, minlength=len(interval.low)).min() >= MIN_ROWS


def test_interval_is_stored_as_json_values() -> None:
    interval = Interval((0.5, 0.6), (1.5, 1.4), (200.0,))
    assert Interval.from_dict(interval.as_dict()) == interval
    low, high = interval.bounds(np.array([199.0, 200.0]))
    assert (low.tolist(), high.tolist()) == ([99.5, 120.0], [298.5, 280.0])
