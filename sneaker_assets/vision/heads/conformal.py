"""Prediction intervals by conformal prediction on log residuals, and how often they cover the truth.

On residuals in dollars a 90 % interval covers almost every cheap shoe and too few dear ones, and one as far up as down
too few cheap ones: what a picture does not show draws every prediction towards the middle. So each tail is measured by
itself, in logarithms. Sources: Angelopoulos and Bates, "A Gentle Introduction to Conformal Prediction", arXiv
2107.07511; Linusson, Johansson and Löfström, "Signed-Error Conformal Regression", 2014, for the two tails.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.9
LEAST_PRICE = 1.0
"""US dollars: what a prediction counts as at least, since a logarithm needs a positive price."""

Prices = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A price lies between the prediction times ``low`` (at most 1) and the prediction times ``high`` (at least 1)."""

    low: float
    high: float

    def around(self, predicted: Prices) -> tuple[Prices, Prices]:
        """Its ends, float64 [N] each, US dollars."""
        counted = np.maximum(predicted, LEAST_PRICE)
        return counted * self.low, counted * self.high

    def covers(self, actual: Prices, predicted: Prices) -> NDArray[np.bool_]:
        """Whether each price lies in it; bool [N]."""
        low, high = self.around(predicted)
        inside: NDArray[np.bool_] = (actual >= low * (1 - 1e-9)) & (actual <= high * (1 + 1e-9))
        return inside


def conformal_interval(actual: Prices, predicted: Prices, coverage: float = COVERAGE) -> Interval:
    """The interval that prices leave in that share of cases, below as often as above.

    Args:
        actual: float64 [N], US dollars, of rows that had no part in their predictions.
        predicted: float64 [N], US dollars.
        coverage: Share of cases.
    """
    residuals = np.sort(np.log(actual) - np.log(np.maximum(predicted, LEAST_PRICE)))
    left_out = max(0, math.floor((len(residuals) + 1) * (1 - coverage) / 2) - 1)
    return Interval(min(1.0, math.exp(residuals[left_out])), max(1.0, math.exp(residuals[-1 - left_out])))
