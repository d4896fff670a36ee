"""What is learned from and what is not: no listing disappears without a reason.

How fences are computed is ``outliers``'s concern, how twins are made to agree ``agreement``'s.
"""

from dataclasses import dataclass, field

import pandas as pd

from sneaker_assets.market.label_conflicts import Resolution, agreed_prices, find_conflicts
from sneaker_assets.market.outliers import FenceSettings, price_fences
from sneaker_assets.tables import CleanListings, RemovedListings


@dataclass(frozen=True, slots=True)
class CleaningSettings:
    """How far out a price may be, and how far twins may be apart before they are made to agree."""

    fence: FenceSettings = field(default_factory=FenceSettings)
    twin_tolerance: float = 0.10
    twin_resolution: Resolution = "median"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What :func:`clean` gives, as tables.

    ``listings`` is ``tables.CleanListings``, ``removed`` is ``tables.RemovedListings``; together they are the listings
    that were given. ``fences`` is ``tables.PriceFences``, ``conflicts`` is ``tables.LabelConflicts``.
    """

    listings: pd.DataFrame
    removed: pd.DataFrame
    fences: pd.DataFrame
    conflicts: pd.DataFrame


def clean(listings: pd.DataFrame, settings: CleaningSettings | None = None) -> Cleaned:
    """Keep the listings whose price is known and inside the fence, and make twins agree on it.

    The fence comes first, so that the price of an outlier does not become the median of its twins.

    Args:
        listings: ``tables.Listings``.
        settings: How far out a price may be, and how far twins may be apart.

    Raises:
        ValueError: no listing has a price.
    """
    settings = settings or CleaningSettings()
    if listings["price"].isna().all():
        raise ValueError(
            f"none of the {len(listings)} listings has a price in US dollars: crawl a site that shows prices"
        )
    fences = price_fences(listings, settings.fence)
    bounds = fences.set_index("scope")[["lower", "upper"]]
    scope = listings["site"] if settings.fence.per_site else pd.Series("all", index=listings.index)
    lower, upper = (scope.map(bounds[side]).astype(float) for side in ("lower", "upper"))
    below, above = listings["price"] < lower, listings["price"] > upper

    reason = pd.Series(None, index=listings.index, dtype=object)
    reason = reason.mask(listings["price"].isna(), "no_price").mask(below, "below_fence").mask(above, "above_fence")
    inside = listings[reason.isna()]
    conflicts = find_conflicts(inside, settings.twin_tolerance, settings.twin_resolution)
    agreed = agreed_prices(inside, conflicts)
    reason.loc[agreed.index[agreed.isna()]] = "twins_disagree"

    kept, agreed = inside[agreed.notna()], agreed[agreed.notna()]
    removed = listings.assign(reason=reason, limit=lower.where(below, upper.where(above)))[reason.notna()]
    return Cleaned(
        listings=_in_shape(kept.assign(listed_price=kept["price"], price=agreed), CleanListings),
        removed=_in_shape(removed, RemovedListings),
        fences=fences,
        conflicts=conflicts,
    )


def _in_shape(table: pd.DataFrame, schema: type[CleanListings | RemovedListings]) -> pd.DataFrame:
    return table[list(schema.to_schema().columns)].reset_index(drop=True)
