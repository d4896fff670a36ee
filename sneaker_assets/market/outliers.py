"""Fences beyond which a price counts as an outlier."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from pydantic import Field

from sneaker_assets import tables
from sneaker_assets.settings.model import SettingsModel

FenceMethod = Literal["iqr", "modified_z", "fixed_cap"]

_MAD_OF_NORMAL, _MEAN_DEVIATION_OF_NORMAL = 0.6745, 0.7979
"""Median and mean absolute deviation of a normal distribution, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Closed interval of prices (US dollars) that are not outliers."""

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
        """Fence of a sample of prices (US dollars), not empty, without missing values."""
        methods: dict[FenceMethod, Callable[[], Fence]] = {
            "iqr": lambda: iqr_fence(prices, self.k),
            "modified_z": lambda: modified_z_fence(prices, self.z),
            "fixed_cap": lambda: Fence(0.0, self.cap),
        }
        return methods[self.method]()


def iqr_fence(prices: pd.Series, k: float = 1.5) -> Fence:
    """Tukey's fence: ``k`` interquartile ranges beyond the quartiles.

    Args:
        prices: US dollars, not empty, without missing values.
        k: Width of the fence; Tukey uses 1.5.

    Source: Tukey, "Exploratory Data Analysis", 1977.
    """
    q1, q3 = prices.quantile([0.25, 0.75])
    return Fence(lower=float(q1 - k * (q3 - q1)), upper=float(q3 + k * (q3 - q1)))


def modified_z_fence(prices: pd.Series, z: float = 3.5) -> Fence:
    """Fence of the prices whose absolute modified z-score is at most ``z``.

    The z-score is based on the median absolute deviation or, if that is 0, on the mean absolute deviation.

    Args:
        prices: US dollars, not empty, without missing values.
        z: Width of the fence; the authors use 3.5.

    Source: Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993.
    """
    median = float(prices.median())
    distances = (prices - median).abs()
    deviation = float(distances.median()) / _MAD_OF_NORMAL or float(distances.mean()) / _MEAN_DEVIATION_OF_NORMAL
    return Fence(lower=median - z * deviation, upper=median + z * deviation)


def price_fences(listings: pd.DataFrame, settings: FenceSettings) -> pd.DataFrame:
    """Fence of all prices, or one per site.

    Args:
        listings: ``tables.Listings``; those without a price are ignored.
        settings: Method, its parameters and scope.

    Returns:
        ``tables.PriceFences``, one row per site if ``per_site``, otherwise one row with scope ``all``.
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
    return pd.DataFrame(rows, columns=list(tables.PriceFences.to_schema().columns))
