"""Fences: which prices are too far out to learn from. What is done with those beyond is ``cleaning``'s concern."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from pydantic import Field

from sneaker_assets.settings_model import SettingsModel
from sneaker_assets.tables import PriceFences

FenceMethod = Literal["iqr", "modified_z", "fixed_cap"]

_MAD_OF_NORMAL, _MEAN_DEVIATION_OF_NORMAL = 0.6745, 0.7979
"""Median and mean absolute deviation of a normal distribution, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Prices from ``lower`` to ``upper`` (US dollars, both included) are kept."""

    lower: float
    upper: float


class FenceSettings(SettingsModel):
    """How price fences are computed."""

    method: FenceMethod = Field(
        default="iqr",
        description="iqr: Tukey's fence; modified_z: distance from the median in robust standard deviations; "
        "fixed_cap: a constant maximum price.",
    )
    per_site: bool = Field(default=False, description="Compute one fence per site instead of one for all.")
    k: float = Field(default=1.5, gt=0, description="iqr: interquartile ranges kept beyond the quartiles.")
    z: float = Field(default=3.5, gt=0, description="modified_z: maximum absolute modified z-score.")
    cap: float = Field(default=1367.0, gt=0, description="fixed_cap: maximum price, US dollars.")

    def fence(self, prices: pd.Series) -> Fence:
        """The fence of these prices (US dollars, none missing, at least one)."""
        methods: dict[FenceMethod, Callable[[], Fence]] = {
            "iqr": lambda: iqr_fence(prices, self.k),
            "modified_z": lambda: modified_z_fence(prices, self.z),
            "fixed_cap": lambda: Fence(0.0, self.cap),
        }
        return methods[self.method]()


def iqr_fence(prices: pd.Series, k: float = 1.5) -> Fence:
    """Tukey's fence: ``k`` interquartile ranges beyond the quartiles.

    Args:
        prices: US dollars, none missing, at least one.
        k: Width of the fence; Tukey's own is 1.5.

    Source: Tukey, "Exploratory Data Analysis", 1977.
    """
    q1, q3 = prices.quantile([0.25, 0.75])
    return Fence(lower=float(q1 - k * (q3 - q1)), upper=float(q3 + k * (q3 - q1)))


def modified_z_fence(prices: pd.Series, z: float = 3.5) -> Fence:
    """Prices whose modified z-score is at most ``z``: the distance from the median in robust deviations.

    The deviation is the median absolute one, or the mean absolute one where more than half of the prices are equal.

    Args:
        prices: US dollars, none missing, at least one.
        z: Width of the fence; the authors' own is 3.5.

    Source: Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993.
    """
    median = float(prices.median())
    distances = (prices - median).abs()
    deviation = float(distances.median()) / _MAD_OF_NORMAL or float(distances.mean()) / _MEAN_DEVIATION_OF_NORMAL
    return Fence(lower=median - z * deviation, upper=median + z * deviation)


def price_fences(listings: pd.DataFrame, settings: FenceSettings) -> pd.DataFrame:
    """The fence of all prices, or of each site's.

    Args:
        listings: ``tables.Listings``; those without a price say nothing.
        settings: How fences are computed.

    Returns:
        ``tables.PriceFences``, one row a site where ``per_site``, else one whose scope is ``all``.
    """
    priced = listings[listings["price"].notna()]
    scopes = priced["site"].astype(str) if settings.per_site else pd.Series("all", index=priced.index)
    rows = []
    for scope, prices in priced["price"].groupby(scopes):
        fence = settings.fence(prices)
        rows.append(
            {
                "scope": scope,
                "method": settings.method,
                "lower": fence.lower,
                "upper": fence.upper,
                "n": len(prices),
                "below": int((prices < fence.lower).sum()),
                "above": int((prices > fence.upper).sum()),
            }
        )
    return pd.DataFrame(rows, columns=list(PriceFences.to_schema().columns))
