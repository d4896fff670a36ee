"""Mondrian conformal prediction intervals on the log scale, by bin of the predicted price.

Residuals in US dollars grow with the price, and predictions shrink towards the mean: one interval for all prices
over-covers some predictions and under-covers others. The calibration rows are therefore divided into bins of their
predicted prices, and each bin has quantiles of its own log residuals, one for each tail. In each bin the interval then
contains at least the nominal share of new prices, on average over calibration sets, if these are exchangeable with the
calibration rows.

Sources: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, section 4.5, and Boström and
Johansson, "Mondrian Conformal Regressors", COPA 2020, for the bins; Angelopoulos and Bates, "A Gentle Introduction to
Conformal Prediction and Distribution-Free Uncertainty Quantification", 2021, arXiv 2107.07511; Linusson, Johansson and
Löfström, "Signed-Error Conformal Regression", PAKDD 2014, for the separate tails.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sneaker_assets.vision.errors import TrainingError

COVERAGE = 0.9
MIN_PRICE = 1.0
"""US dollars: lower bound applied to predictions, because the logarithm needs a positive price."""

BINS = 5
"""Maximum number of bins of the predicted price."""

MIN_ROWS = 100
"""Minimum number of calibration rows of a bin: each tail of a 90 % interval then contains about five of them."""

Prices = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Prediction interval from a multiple to another multiple of the predicted price, by bin of the predicted price.

    Attributes:
        low: Factor of the lower bound in each bin, at most 1.
        high: Factor of the upper bound in each bin, at least 1.
        edges: Lowest predicted price of each bin but the first, US dollars, ascending.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    edges: tuple[float, ...] = ()

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Interval":
        """The interval that :meth:`as_dict` described."""
        return cls(tuple(stored["low"]), tuple(stored["high"]), tuple(stored["edges"]))

    def as_dict(self) -> dict[str, list[float]]:
        """JSON values of the attributes."""
        return {"edges": list(self.edges), "low": list(self.low), "high": list(self.high)}

    def bounds(self, predicted: Prices) -> tuple[Prices, Prices]:
        """Lower and upper bound of each price.

        Args:
            predicted: float64 [N], US dollars; values below ``MIN_PRICE`` count as ``MIN_PRICE``.

        Returns:
            Two float64 [N] arrays, US dollars.
        """
        clipped = np.maximum(predicted, MIN_PRICE)
        number = _bins(self.edges, clipped)
        return clipped * np.array(self.low)[number], clipped * np.array(self.high)[number]

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


def conformal_interval(
    actual: Prices, predicted: Prices, coverage: float = COVERAGE, *, max_bins: int = BINS
) -> Interval:
    """Interval containing ``coverage`` of new prices in each bin of the predicted price, with equal tail mass.

    The bins have about equal numbers of rows, and there are fewer of them if a bin would have less than ``MIN_ROWS``.
    The quantiles are corrected for the sample size. With too few rows for the requested coverage the interval spans all
    residuals. It always contains the prediction itself.

    Args:
        actual: float64 [N], US dollars, positive, N at least 1. The rows must not have been used to fit the model that
            predicted them.
        predicted: float64 [N], US dollars; values below ``MIN_PRICE`` count as ``MIN_PRICE``.
        coverage: Share of prices in (0, 1) that the interval contains.
        max_bins: Maximum number of bins.

    Returns:
        The interval, as factors of the predicted price.

    Raises:
        TrainingError: There is no row, or one without a positive price and a finite prediction.
    """
    _check_rows(actual, predicted)
    clipped = np.maximum(predicted, MIN_PRICE)
    residuals, edges = np.log(actual) - np.log(clipped), _edges(clipped, max_bins)
    number = _bins(edges, clipped)
    factors = [_factors(residuals[number == own], coverage) for own in range(len(edges) + 1)]
    return Interval(tuple(low for low, _ in factors), tuple(high for _, high in factors), edges)


def _check_rows(actual: Prices, predicted: Prices) -> None:
    if not len(actual):
        raise TrainingError(
            "there is no listing to calibrate prediction intervals on: crawl more pages, or change the proportions of "
            "the splits"
        )
    (invalid,) = np.nonzero(~(np.isfinite(actual) & (actual > 0) & np.isfinite(predicted)))
    if len(invalid):
        first = invalid[0]
        raise TrainingError(
            f"{len(invalid)} of {len(actual)} listings cannot calibrate prediction intervals (the first is row {first} "
            f"with the price {actual[first]:g} and the prediction {predicted[first]:g}): train the model again on "
            "positive prices and finite features"
        )


def _factors(residuals: Prices, coverage: float) -> tuple[float, float]:
    """Factors of the lower and upper bound, from log residuals."""
    ascending = np.sort(residuals)
    n_trimmed = max(0, math.floor((len(ascending) + 1) * (1 - coverage) / 2) - 1)
    return min(1.0, math.exp(ascending[n_trimmed])), max(1.0, math.exp(ascending[-1 - n_trimmed]))


def _edges(predicted: Prices, max_bins: int) -> tuple[float, ...]:
    """Quantiles of the predictions, without those that leave less than ``MIN_ROWS`` on either side."""
    bins = max(1, min(max_bins, len(predicted) // MIN_ROWS))
    edges, below = list[float](), 0
    for edge in np.quantile(predicted, np.arange(1, bins) / bins):
        n = int((predicted < edge).sum())
        if n - below >= MIN_ROWS and len(predicted) - n >= MIN_ROWS:
            edges.append(float(edge))
            below = n
    return tuple(edges)


def _bins(edges: tuple[float, ...], predicted: Prices) -> NDArray[np.intp]:
    return np.searchsorted(np.array(edges), predicted, side="right")
