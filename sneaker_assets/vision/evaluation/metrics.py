"""Errors of predicted prices, and how sure one can be of them. Whose prices they are is ``evaluation``'s concern."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sneaker_assets.errors import SneakerError

Prices = NDArray[np.float64]

RESAMPLES = 500


class NoTestRowsError(SneakerError, ValueError):
    """There is no row to judge a model by; the message says what to do."""


def check_test_rows(splits: pd.DataFrame) -> None:
    """Refuse ``tables.Splits`` without test rows.

    Raises:
        NoTestRowsError: there are none.
    """
    if not (splits["split"] == "test").any():
        raise NoTestRowsError(
            f"none of the {len(splits)} listings is for testing, so nothing can be said of a model: crawl more pages, "
            "or change the proportions of the splits"
        )


def regression_metrics(actual: Prices, predicted: Prices) -> dict[str, float]:
    """Errors of predicted prices, over the last axis.

    Args:
        actual: float64 [N], US dollars, positive.
        predicted: float64 [N], US dollars.

    Returns:
        ``n``, ``mse`` (US dollars squared), ``rmse`` and ``mae`` (US dollars), ``mape`` and ``median_ape`` (%), and
        ``r2`` (missing where the true prices are constant).
    """
    return {"n": len(actual), **{name: float(value) for name, value in _metrics(actual, predicted).items()}}


def bootstrap_intervals(actual: Prices, predicted: Prices, seed: int = 0) -> dict[str, float]:
    """95 % intervals of the same metrics as ``<metric>_low`` and ``<metric>_high``, by resampling the rows.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    draws = np.random.default_rng(seed).integers(len(actual), size=(RESAMPLES, len(actual)))
    bounds: dict[str, float] = {}
    for name, values in _metrics(actual[draws], predicted[draws]).items():
        known = values[np.isfinite(values)]
        low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
        bounds |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return bounds


def _metrics(actual: Prices, predicted: Prices) -> dict[str, Prices]:
    error = predicted - actual
    share = np.abs(error) / actual * 100
    mse, variance = np.mean(error**2, axis=-1), np.var(actual, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(variance > 0, 1 - mse / variance, np.nan)
    return {
        "mse": mse,
        "rmse": np.sqrt(mse),
        "mae": np.mean(np.abs(error), axis=-1),
        "mape": np.mean(share, axis=-1),
        "median_ape": np.median(share, axis=-1),
        "r2": r2,
    }
