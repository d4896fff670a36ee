import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.pricing.ensemble import ensemble_weights

Arrays = tuple[NDArray[np.float64], NDArray[np.float64]]


@st.composite
def predicted(draw: st.DrawFn) -> Arrays:
    """Predictions of a few members, some of them equal, and the prices."""
    members, n = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    prices = rng.uniform(20, 3000, n)
    errors = rng.normal(0, draw(st.sampled_from([1e-3, 1.0, 300.0])), (members, n)) + rng.normal(0, 100, (members, 1))
    chosen = draw(st.lists(st.integers(0, members - 1), min_size=members, max_size=members))
    return prices + errors[chosen], prices


@settings(max_examples=100, deadline=None)
@given(predicted())
def test_weights_are_a_convex_combination_with_the_lowest_error(arrays: Arrays) -> None:
    predictions, prices = arrays
    weights = ensemble_weights(predictions, prices)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    residuals = predictions - prices
    gradient = residuals @ (weights @ residuals)
    # On the simplex a convex function is minimal where no member's derivative is below the weighted mean of all.
    assert (gradient >= weights @ gradient - 1e-9 * np.square(residuals).sum()).all()
    assert np.square(weights @ residuals).mean() <= np.square(residuals).mean(1).min() * (1 + 1e-9) + 1e-9


@settings(max_examples=30, deadline=None)
@given(predicted(), st.floats(1e-3, 1e3))
def test_currency_does_not_matter(arrays: Arrays, rate: float) -> None:
    predictions, prices = arrays
    residuals = predictions - prices
    mses = [
        np.square(ensemble_weights(factor * predictions, factor * prices) @ residuals).mean() for factor in (1.0, rate)
    ]
    assert mses[1] == pytest.approx(mses[0], rel=1e-6, abs=1e-9)


def test_perfect_predictions_and_a_single_member_have_weights() -> None:
    prices = np.array([100.0, 200.0])
    assert ensemble_weights(np.stack([prices, prices]), prices).sum() == 1
    assert ensemble_weights(np.stack([prices, 2 * prices]), prices) == pytest.approx([1, 0])
    assert ensemble_weights(prices[None] + 50, prices) == pytest.approx([1])


@pytest.mark.parametrize(
    "predictions", [np.zeros((2, 0)), np.array([[np.nan, 1.0]]), np.array([[np.inf, 1.0]]), np.zeros((0, 2))]
)
def test_weights_without_finite_predictions_are_refused(predictions: NDArray[np.float64]) -> None:
    with pytest.raises(TrainingError, match="needs finite predictions of at least one row"):
        ensemble_weights(predictions, np.full(predictions.shape[1], 100.0))
