"""Cleaning of listings: removal of placeholders, used shoes and outliers, resolution of label conflicts.

Every removed listing gets a reason.
"""

from dataclasses import dataclass

import pandas as pd
from pydantic import Field

from sneaker_assets import tables
from sneaker_assets.market.label_conflicts import Resolution, find_label_conflicts, resolve_prices
from sneaker_assets.market.observations import is_worn
from sneaker_assets.market.outliers import FenceSettings, price_fences
from sneaker_assets.market.placeholders import PlaceholderSettings, find_placeholders


class CleaningSettings(FenceSettings, PlaceholderSettings):
    """How placeholders and outliers are removed, and how label conflicts between near duplicates are resolved."""

    conflict_tolerance: float = Field(
        default=0.10, ge=0, description="Maximum relative price difference tolerated between near duplicates."
    )
    conflict_resolution: Resolution = Field(
        default="median",
        description="What happens to near duplicates with a label conflict. median: all get the median price; drop: "
        "all are removed.",
    )
    learn_from_used: bool = Field(
        default=False, description="Keep shoes that are used or have defects, which are removed by default."
    )


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
    """Keep listings with a shoe's picture and a price inside the fence, and resolve conflicts of near duplicates.

    Used shoes are removed first, unless the settings keep them, and do not count for the fences. Outliers are removed
    next, so that they do not affect the median price of near duplicates. The price of a listing with a placeholder
    picture is one of a shoe, and counts for the fences.

    Args:
        listings: ``tables.Listings``.
        settings: Placeholders, fences, tolerance and resolution.

    Raises:
        ValueError: No listing has a price, or none of a shoe that is not used.
    """
    settings = settings or CleaningSettings()
    if listings["price"].isna().all():
        raise ValueError(
            f"none of the {len(listings)} listings has a price in US dollars: crawl a site that shows prices"
        )
    used = is_worn(listings) & listings["price"].notna() & (not settings.learn_from_used)
    if used.sum() == listings["price"].notna().sum():
        raise ValueError(
            f"all {used.sum()} listings with a price are of used shoes or have defects: add new ones, or set "
            "learn_from_used of clean_listings"
        )
    fences = price_fences(listings[~used], settings)
    bounds = fences.set_index("scope")[["lower", "upper"]]
    scope = listings["site"] if settings.per_site else pd.Series("all", index=listings.index)
    lower, upper = (scope.map(bounds[side]).astype(float) for side in ("lower", "upper"))
    placeholder = listings["twin_group"].isin(find_placeholders(listings, "twin_group", "price", settings))
    below = (listings["price"] < lower) & ~placeholder & ~used
    above = (listings["price"] > upper) & ~placeholder & ~used

    reason = pd.Series(None, index=listings.index, dtype=object)
    reason = reason.mask(listings["price"].isna(), "no_price").mask(below, "below_fence").mask(above, "above_fence")
    reason = reason.mask(used, "used_condition").mask(placeholder, "placeholder_picture")
    inside = listings[reason.isna()]
    conflicts = find_label_conflicts(inside, settings.conflict_tolerance, settings.conflict_resolution)
    resolved = resolve_prices(inside, conflicts)
    reason.loc[resolved.index[resolved.isna()]] = "twins_disagree"

    kept, resolved = inside[resolved.notna()], resolved[resolved.notna()]
    removed = listings.assign(reason=reason, limit=lower.where(below, upper.where(above)), detail=None)
    removed = removed[reason.notna()]
    return Cleaned(
        listings=_select_columns(kept.assign(listed_price=kept["price"], price=resolved), tables.CleanListings),
        removed=_select_columns(removed, tables.RemovedListings),
        fences=fences,
        conflicts=conflicts,
    )


def excluded_products(observations: pd.DataFrame) -> pd.DataFrame:
    """Products that are no shoes according to their sites.

    Args:
        observations: ``tables.Observations`` of all sites.

    Returns:
        ``tables.RemovedListings`` with the reason ``not_footwear``, one row per product as last observed, without an
        image and a price. ``detail`` is what the site calls the product.
    """
    columns = list(tables.RemovedListings.to_schema().columns)
    latest = observations.sort_values("observed_at", kind="stable").drop_duplicates(
        ["site", "product_id"], keep="last", ignore_index=True
    )
    excluded = latest[latest["exclusion"].notna()]
    described = excluded[["site", "product_id", "url", "title", "brand", "style_code", "colourway", "release_date"]]
    described = described.assign(
        observed_at=excluded["observed_at"], reason="not_footwear", detail=excluded["exclusion"]
    )
    return tables.RemovedListings.validate(described.reindex(columns=columns).reset_index(drop=True))


def _select_columns(table: pd.DataFrame, schema: "type[tables.CleanListings | tables.RemovedListings]") -> pd.DataFrame:
    return table[list(schema.to_schema().columns)].reset_index(drop=True)
