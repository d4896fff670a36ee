"""Prediction intervals by split conformal on log residuals, and how often they cover the truth.

On residuals in dollars a 90 % interval covers almost every cheap shoe and too few dear ones; in logarithms both alike.
Source: Angelopoulos and Bates, "A Gentle Introduction to Conformal Prediction", arXiv 2107.07511.
"""

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.9
LEAST_PRICE = 1.0
"""US dollars: what a prediction counts as at least, since a logarithm needs a positive price."""

Prices = NDArray[np.float64]


def conformal_factor(actual: Prices, predicted: Prices, coverage: float = COVERAGE) -> float:
    """The factor by which prices are off at most in that share of cases.

    Args:
        actual: float64 [N], US dollars, of rows that were not trained on.
        predicted: float64 [N], US dollars.
        coverage: Share of cases.
    """
    off = np.abs(_log_residuals(actual, predicted))
    level = min(1.0, np.ceil((len(off) + 1) * coverage) / len(off))
    return float(np.exp(np.quantile(off, level, method="higher")))


def covered(actual: Prices, predicted: Prices, factor: float) -> NDArray[np.bool_]:
    """Whether each price lies between its prediction divided and multiplied by the factor; bool [N]."""
    inside: NDArray[np.bool_] = np.abs(_log_residuals(actual, predicted)) <= np.log(factor) + 1e-12
    return inside


def _log_residuals(actual: Prices, predicted: Prices) -> Prices:
    residuals: Prices = np.log(actual) - np.log(np.maximum(predicted, LEAST_PRICE))
    return residuals
