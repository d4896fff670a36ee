"""Measures of drift between two versions of a table: lost and changed rows, shifted shares and price distributions."""

import numpy as np
import pandas as pd

_BINS = 10
_MIN_SHARE = 1e-4
"""Share assumed for an empty bin, whose logarithm would be infinite."""


def share_lost(before: pd.DataFrame | None, now: pd.DataFrame, key: list[str]) -> float:
    """Share of the earlier rows that are missing now, 0 if there were none.

    Args:
        before: Earlier table, None if there is none.
        now: Current table.
        key: Columns that identify a row.
    """
    if before is None or before.empty:
        return 0.0
    left = pd.MultiIndex.from_frame(before[key])
    return float((~left.isin(pd.MultiIndex.from_frame(now[key]))).mean())


def share_changed(before: pd.DataFrame, now: pd.DataFrame, price_tolerance: float) -> float:
    """Share of the products of either table that are new, missing, or have another image or price.

    Args:
        before: Columns ``site``, ``product_id``, ``sha256`` and ``price`` (US dollars).
        now: The same columns.
        price_tolerance: Relative change of a price that counts as unchanged.
    """
    key = ["site", "product_id"]
    rows = before.merge(now, on=key, how="outer", suffixes=("", "_now"), validate="one_to_one")
    if rows.empty:
        return 0.0
    moved = (rows["price_now"] / rows["price"] - 1).abs() > price_tolerance
    in_both = rows["sha256"].notna() & rows["sha256_now"].notna()
    return float((~in_both | (rows["sha256"] != rows["sha256_now"]) | moved).mean())


def max_share_shift(before: pd.DataFrame, now: pd.DataFrame, key: list[str]) -> float:
    """Maximum absolute change of ``share`` between two tables; a missing row has share 0.

    Args:
        before: Column ``share`` and the columns of ``key``.
        now: The same columns.
        key: Columns that identify a row.
    """
    shares = [table.set_index(key)["share"] for table in (before, now)]
    moved = shares[0].subtract(shares[1], fill_value=0.0)
    return float(moved.abs().max()) if len(moved) else 0.0


def population_stability(before: pd.Series, now: pd.Series) -> float:
    """Population stability index of two samples over the deciles of the earlier one.

    By the usual rule of thumb, values below 0.1 indicate no significant change and values above 0.25 a major one.

    Args:
        before: Earlier sample, not empty, without missing values.
        now: Current sample, not empty, without missing values.

    Source: Siddiqi, "Credit Risk Scorecards", 2006.
    """
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _BINS + 1)[1:-1]))
    counts = [
        np.bincount(np.searchsorted(edges, sample, side="left"), minlength=len(edges) + 1) for sample in (before, now)
    ]
    expected, found = (np.maximum(count / count.sum(), _MIN_SHARE) for count in counts)
    return float(((found - expected) * np.log(found / expected)).sum())


def distribution_distance(before: pd.Series, now: pd.Series) -> tuple[float, float]:
    """Statistic (0 to 1) and p-value of the two-sample Kolmogorov-Smirnov test.

    Args:
        before: Earlier sample, not empty, without missing values.
        now: Current sample, not empty, without missing values.
    """
    if np.array_equal(np.sort(before), np.sort(now)):
        return 0.0, 1.0
    from scipy.stats import ks_2samp  # takes longer to import than the rest of the test

    test = ks_2samp(before, now)
    return float(test.statistic), float(test.pvalue)


def fence_drift(before: pd.DataFrame, now: pd.DataFrame) -> float:
    """Maximum relative change of the upper fence of any scope; 0 if the tables have no scope in common.

    Args:
        before: ``tables.PriceFences``.
        now: ``tables.PriceFences``.
    """
    earlier, later = before.set_index("scope")["upper"], now.set_index("scope")["upper"]
    change = ((later - earlier).abs() / earlier.abs()).dropna()
    return float(change.max()) if len(change) else 0.0
