"""The outlier fence: which prices are too far out to learn from."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class Fence:
    """Prices from ``lower`` to ``upper`` (US dollars, both included) are kept."""

    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Clean listings, the fence they were held to, and how many were removed and why."""

    listings: pd.DataFrame
    fence: Fence
    without_price: int
    outliers: int


def iqr_fence(prices: pd.Series, k: float = 1.5) -> Fence:
    """Tukey's fence: ``k`` interquartile ranges beyond the quartiles.

    Args:
        prices: US dollars, none missing, at least one.
        k: Width of the fence; Tukey's own is 1.5.

    Source: Tukey, "Exploratory Data Analysis", 1977.
    """
    q1, q3 = prices.quantile([0.25, 0.75])
    return Fence(lower=float(q1 - k * (q3 - q1)), upper=float(q3 + k * (q3 - q1)))


def remove_outliers(listings: pd.DataFrame, k: float = 1.5) -> Cleaned:
    """Keep the listings whose price is known and inside the fence.

    Args:
        listings: ``tables.Listings``.
        k: Width of the fence in interquartile ranges.

    Raises:
        ValueError: no listing has a price.
    """
    priced = listings[listings["price"].notna()]
    if priced.empty:
        raise ValueError(
            f"none of the {len(listings)} listings has a price in US dollars: crawl a site that shows prices"
        )
    fence = iqr_fence(priced["price"], k)
    inside = priced["price"].between(fence.lower, fence.upper)
    return Cleaned(
        listings=priced[inside].reset_index(drop=True),
        fence=fence,
        without_price=len(listings) - len(priced),
        outliers=int((~inside).sum()),
    )
