"""Split-conformal prediction intervals on the log scale.

Residuals in US dollars grow with the price, and predictions shrink towards the mean: a symmetric interval in dollars
over-covers cheap shoes and under-covers expensive ones. The quantiles are therefore taken of log residuals, one for
each tail.

Sources: Angelopoulos and Bates, "A Gentle Introduction to Conformal Prediction and Distribution-Free Uncertainty
Quantification", 2021, arXiv 2107.07511; Linusson, Johansson and Löfström, "Signed-Error Conformal Regression", PAKDD
2014, for the separate tails.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.9
MIN_PRICE = 1.0
"""US dollars: lower bound applied to predictions, because the logarithm needs a positive price."""

Prices = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Multiplicative prediction interval: from ``low`` times to ``high`` times the predicted price.

    Attributes:
        low: Factor of the lower bound, at most 1.
        high: Factor of the upper bound, at least 1.
    """

    low: float
    high: float

    def bounds(self, predicted: Prices) -> tuple[Prices, Prices]:
        """Lower and upper bound of each price.

        Args:
            predicted: float64 [N], US dollars; values below ``MIN_PRICE`` count as ``MIN_PRICE``.

        Returns:
            Two float64 [N] arrays, US dollars.
        """
        clipped = np.maximum(predicted, MIN_PRICE)
        return clipped * self.low, clipped * self.high

    def covers(self, actual: Prices, predicted: Prices) -> NDArray[np.bool_]:
        """Whether each actual price lies within the interval of its prediction, bounds included.

        Args:
            actual: float64 [N], US dollars.
            predicted: float64 [N], US dollars.

        Returns:
            bool [N].
        """
        low, high = self.bounds(predicted)
        # The tolerance absorbs rounding where a price equals a bound.
        inside: NDArray[np.bool_] = (actual >= low * (1 - 1e-9)) & (actual <= high * (1 + 1e-9))
        return inside


def conformal_interval(actual: Prices, predicted: Prices, coverage: float = COVERAGE) -> Interval:
    """Interval containing ``coverage`` of new prices, with equal tail mass below and above.

    The quantiles are corrected for the sample size. With too few rows for the requested coverage the interval spans all
    residuals. It always contains the prediction itself.

    Args:
        actual: float64 [N], US dollars, positive, N at least 1. The rows must not have been used to fit the model that
            predicted them.
        predicted: float64 [N], US dollars; values below ``MIN_PRICE`` count as ``MIN_PRICE``.
        coverage: Share of prices in (0, 1) that the interval contains.

    Returns:
        The interval, as factors of the predicted price.
    """
    residuals = np.sort(np.log(actual) - np.log(np.maximum(predicted, MIN_PRICE)))
    n_trimmed = max(0, math.floor((len(residuals) + 1) * (1 - coverage) / 2) - 1)
    return Interval(min(1.0, math.exp(residuals[n_trimmed])), max(1.0, math.exp(residuals[-1 - n_trimmed])))
