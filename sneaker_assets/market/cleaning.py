"""Cleaning of listings: removal of outliers and resolution of label conflicts; every removed listing gets a reason."""

from dataclasses import dataclass, field

import pandas as pd

from sneaker_assets import tables
from sneaker_assets.market.label_conflicts import Resolution, find_label_conflicts, resolve_prices
from sneaker_assets.market.outliers import FenceSettings, price_fences


@dataclass(frozen=True, slots=True)
class CleaningSettings:
    """Price fences, the spread of prices among near duplicates that is tolerated, and how conflicts are resolved."""

    fence: FenceSettings = field(default_factory=FenceSettings)
    twin_tolerance: float = 0.10
    twin_resolution: Resolution = "median"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Result of :func:`clean`.

    Attributes:
        listings: ``tables.CleanListings``; with ``removed`` it has every listing exactly once.
        removed: ``tables.RemovedListings``.
        fences: ``tables.PriceFences``.
        conflicts: ``tables.LabelConflicts``.
    """

    listings: pd.DataFrame
    removed: pd.DataFrame
    fences: pd.DataFrame
    conflicts: pd.DataFrame


def clean(listings: pd.DataFrame, settings: CleaningSettings | None = None) -> Cleaned:
    """Keep listings with a price inside the fence, and resolve label conflicts between near duplicates.

    Outliers are removed first, so that they do not affect the median price of near duplicates.

    Args:
        listings: ``tables.Listings``.
        settings: Fences, tolerance and resolution.

    Raises:
        ValueError: No listing has a price.
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
    conflicts = find_label_conflicts(inside, settings.twin_tolerance, settings.twin_resolution)
    resolved = resolve_prices(inside, conflicts)
    reason.loc[resolved.index[resolved.isna()]] = "twins_disagree"

    kept, resolved = inside[resolved.notna()], resolved[resolved.notna()]
    removed = listings.assign(reason=reason, limit=lower.where(below, upper.where(above)))[reason.notna()]
    return Cleaned(
        listings=_select_columns(kept.assign(listed_price=kept["price"], price=resolved), tables.CleanListings),
        removed=_select_columns(removed, tables.RemovedListings),
        fences=fences,
        conflicts=conflicts,
    )


def _select_columns(table: pd.DataFrame, schema: "type[tables.CleanListings | tables.RemovedListings]") -> pd.DataFrame:
    return table[list(schema.to_schema().columns)].reset_index(drop=True)
