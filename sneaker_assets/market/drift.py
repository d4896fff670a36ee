"""How a table differs from the one before: rows lost, shares that moved, prices that are distributed otherwise.

What is tolerable is the assets' settings; this module only measures.
"""

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

_BINS = 10
_LEAST_SHARE = 1e-4
"""A bin that is empty on one side counts as if it held this share, or its logarithm would be infinite."""


def share_lost(before: pd.DataFrame | None, now: pd.DataFrame, key: list[str]) -> float:
    """The share of the earlier rows, known by ``key``, that are gone; 0 where there were none."""
    if before is None or before.empty:
        return 0.0
    left = pd.MultiIndex.from_frame(before[key])
    return float((~left.isin(pd.MultiIndex.from_frame(now[key]))).mean())


def share_changed(before: pd.DataFrame, now: pd.DataFrame, price_tolerance: float) -> float:
    """The share of the rows of either table that are new, gone, shown by another image, or priced otherwise.

    Args:
        before: rows known by ``site`` and ``product_id``, with ``sha256`` and ``price`` in US dollars.
        now: the same.
        price_tolerance: relative change of a price that counts as none.
    """
    key = ["site", "product_id"]
    rows = before.merge(now, on=key, how="outer", suffixes=("", "_now"))
    if rows.empty:
        return 0.0
    moved = (rows["price_now"] / rows["price"] - 1).abs() > price_tolerance
    there = rows["sha256"].notna() & rows["sha256_now"].notna()
    return float((~there | (rows["sha256"] != rows["sha256_now"]) | moved).mean())


def max_share_shift(before: pd.DataFrame, now: pd.DataFrame, key: list[str]) -> float:
    """The most that any ``share`` moved between two tables of shares; a row that is not there has share 0."""
    shares = [table.set_index(key)["share"] for table in (before, now)]
    moved = shares[0].subtract(shares[1], fill_value=0.0)
    return float(moved.abs().max()) if len(moved) else 0.0


def population_stability(before: pd.Series, now: pd.Series) -> float:
    """The population stability index of two samples over the deciles of the earlier one.

    Below 0.1 nothing has changed to speak of, above 0.25 much has, by the industry's rule of thumb.

    Args:
        before: Numbers, none missing, at least one.
        now: Numbers, none missing, at least one.

    Source: Siddiqi, "Credit Risk Scorecards", 2006.
    """
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _BINS + 1)[1:-1]))
    counts = [
        np.bincount(np.searchsorted(edges, sample, side="left"), minlength=len(edges) + 1) for sample in (before, now)
    ]
    expected, found = (np.maximum(count / count.sum(), _LEAST_SHARE) for count in counts)
    return float(((found - expected) * np.log(found / expected)).sum())


def distribution_distance(before: pd.Series, now: pd.Series) -> tuple[float, float]:
    """The two-sample Kolmogorov-Smirnov statistic (0 to 1) and its p-value; at least one number each, none missing."""
    test = ks_2samp(before, now)
    return float(test.statistic), float(test.pvalue)


def fence_drift(before: pd.DataFrame, now: pd.DataFrame) -> float:
    """How far the upper fence of any scope moved, as a share of what it was; 0 where no scope is in both.

    Args:
        before: ``tables.PriceFences``.
        now: ``tables.PriceFences``.
    """
    earlier, later = before.set_index("scope")["upper"], now.set_index("scope")["upper"]
    change = ((later - earlier).abs() / earlier.abs()).dropna()
    return float(change.max()) if len(change) else 0.0
