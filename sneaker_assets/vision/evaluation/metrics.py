"""Regression metrics of predicted prices, with bootstrap confidence intervals."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sneaker_assets.errors import SneakerError

Prices = NDArray[np.float64]

RESAMPLES = 500
"""Bootstrap samples of an interval."""


class NoTestRowsError(SneakerError, ValueError):
    """There is no test row to evaluate a model on; the message gives the remedy."""


def check_test_rows(splits: pd.DataFrame) -> None:
    """Raise if there is no test row.

    Args:
        splits: ``tables.Splits``.

    Raises:
        NoTestRowsError: No row belongs to the test split.
    """
    if not (splits["split"] == "test").any():
        raise NoTestRowsError(
            f"none of the {len(splits)} listings is in the test split, so no model can be evaluated: crawl more pages, "
            "or change the proportions of the splits"
        )


def regression_metrics(actual: Prices, predicted: Prices) -> dict[str, float]:
    """Regression metrics of predicted prices.

    Args:
        actual: float64 [N], US dollars, positive, N at least 1.
        predicted: float64 [N], US dollars.

    Returns:
        ``n``, the number of rows; ``mse`` in US dollars squared; ``rmse`` and ``mae`` in US dollars; ``mape`` and
        ``median_ape``, mean and median absolute percentage error, in %; ``r2``, the coefficient of determination, NaN
        where the actual prices are constant.
    """
    return {"n": len(actual), **{name: float(value) for name, value in _metrics(actual, predicted).items()}}


def bootstrap_intervals(actual: Prices, predicted: Prices, seed: int = 0) -> dict[str, float]:
    """95 % confidence intervals of :func:`regression_metrics` by the percentile bootstrap over rows.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Args:
        actual: float64 [N], US dollars, positive, N at least 1.
        predicted: float64 [N], US dollars.
        seed: Seed of the resampling.

    Returns:
        ``<metric>_low`` and ``<metric>_high`` of every metric except ``n``, in its unit; NaN where the metric is NaN in
        all bootstrap samples.
    """
    draws = np.random.default_rng(seed).integers(len(actual), size=(RESAMPLES, len(actual)))
    bounds: dict[str, float] = {}
    for name, values in _metrics(actual[draws], predicted[draws]).items():
        finite = values[np.isfinite(values)]
        low, high = np.percentile(finite, [2.5, 97.5]) if len(finite) else (np.nan, np.nan)
        bounds |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return bounds


def _metrics(actual: Prices, predicted: Prices) -> dict[str, Prices]:
    """Metrics over the last axis of float64 [..., N] arrays."""
    error = predicted - actual
    percentage_error = np.abs(error) / actual * 100
    mse, variance = np.mean(error**2, axis=-1), np.var(actual, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(variance > 0, 1 - mse / variance, np.nan)
    return {
        "mse": mse,
        "rmse": np.sqrt(mse),
        "mae": np.mean(np.abs(error), axis=-1),
        "mape": np.mean(percentage_error, axis=-1),
        "median_ape": np.median(percentage_error, axis=-1),
        "r2": r2,
    }
