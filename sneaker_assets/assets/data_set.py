"""Cleaned listings, their price statistics, and the split into training, validation and test rows."""

import dagster as dg
import pandas as pd
from pydantic import Field

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.checks import Events, blocking_check, check_result, publish, warning_check
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema, preview, show_figure
from sneaker_assets.market import drift
from sneaker_assets.market.cleaning import Cleaned, CleaningSettings, clean, excluded_products
from sneaker_assets.market.leaks import leak_report
from sneaker_assets.market.splits import (
    SplitSettings,
    assign_splits,
    groups_on_two_sides,
    price_band_balance,
    price_differences,
    proportion_errors,
)
from sneaker_assets.market.statistics import summarise_prices
from sneaker_assets.resources import LakeResource
from sneaker_assets.tables import SPLITS


class CleaningConfig(CleaningSettings, dg.Config):
    """How listings are cleaned, and thresholds of the checks."""

    max_removed: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Maximum share of the listings with a price that are removed, apart from used shoes.",
    )
    max_fence_drift: float = Field(
        default=0.2, ge=0, description="Maximum relative change of a fence since the previous run."
    )
    max_price_drift: float = Field(
        default=0.25, ge=0, description="Maximum population stability index of the prices since the previous run."
    )


class SplitConfig(SplitSettings, dg.Config):
    """How the listings are split, and thresholds of the checks."""

    min_p_value: float = Field(
        default=0.001,
        ge=0,
        le=1,
        description="Kolmogorov-Smirnov test: p-value below which prices of two sides count as different.",
    )


_COMPLETE = blocking_check("clean_listings", "nothing_disappears", "Every listing is kept, or removed with a reason.")
_REMOVED = blocking_check("clean_listings", "removes_few", "Few listings with a price are removed.")
_FENCE = warning_check("clean_listings", "fence_is_steady", "No fence has moved far since the previous run.")
_PRICES = warning_check("clean_listings", "prices_are_steady", "Prices are distributed as in the previous run.")
_LEAKS = blocking_check("splits", "no_group_on_two_sides", "No shoe and no group of near duplicates is on two sides.")
_SIDES = blocking_check("splits", "every_side_has_rows", "Train, validation and test have rows.")
_SHARES = warning_check(
    "splits", "proportions_hold", "The proportions of the split are as configured, within sampling error."
)
_ALIKE = warning_check(
    "splits",
    "prices_are_alike",
    "Prices of validation and test are distributed as those of train (Kolmogorov-Smirnov).",
)


def _table(asset: str, description: str) -> dg.AssetOut:
    kinds = {"pandas", "parquet"}
    return dg.AssetOut(
        description=description,
        group_name=groups.DATA_SET,
        kinds=kinds,
        owners=OWNERS,
        metadata=column_schema(asset),
        code_version=code_version(asset, code_versions.CLEANING),
    )


@dg.multi_asset(
    name="clean_listings",
    outs={
        "clean_listings": _table(
            "clean_listings", "Listings to learn from: priced, inside the fence, without label conflicts."
        ),
        "removed_listings": _table("removed_listings", "Listings that were removed, with the reason."),
        "price_fences": _table("price_fences", "The price limits that outliers were removed by."),
        "twin_conflicts": _table("twin_conflicts", "Near duplicates whose prices are too far apart."),
    },
    check_specs=[_COMPLETE, _REMOVED, _FENCE, _PRICES],
)
def clean_listings(
    context: dg.AssetExecutionContext,
    listings: pd.DataFrame,
    raw_scrapes: pd.DataFrame,
    config: CleaningConfig,
    lake: LakeResource,
) -> Events:
    """Remove listings without a price, placeholder pictures, used shoes and outliers, and resolve label conflicts."""
    cleaned = clean(listings, CleaningSettings.part_of(config))
    excluded = excluded_products(raw_scrapes)
    removed = pd.concat([cleaned.removed.astype(excluded.dtypes), excluded], ignore_index=True)
    reasons = removed["reason"].value_counts()
    outliers = int(reasons.get("above_fence", 0) + reasons.get("below_fence", 0))
    outputs = {
        "clean_listings": dg.Output(
            cleaned.listings,
            "clean_listings",
            metadata={
                "lower_fence": float(cleaned.fences["lower"].min()),
                "upper_fence": float(cleaned.fences["upper"].max()),
                "outliers_removed": outliers,
                "without_price": int(reasons.get("no_price", 0)),
                "placeholder_pictures": int(reasons.get("placeholder_picture", 0)),
                "used_or_defective": int(reasons.get("used_condition", 0)),
                "label_conflicts": len(cleaned.conflicts),
            },
        ),
        "removed_listings": dg.Output(
            removed,
            "removed_listings",
            metadata={
                "reasons": reasons.to_dict(),
                "not_footwear": excluded["detail"].value_counts().head(50).to_dict(),
            },
        ),
        "price_fences": dg.Output(
            cleaned.fences, "price_fences", metadata={"fences": preview(cleaned.fences, rows=50)}
        ),
        "twin_conflicts": dg.Output(
            cleaned.conflicts, "twin_conflicts", metadata={"widest": preview(cleaned.conflicts)}
        ),
    }
    yield from publish(outputs.values(), _cleaning_results(context, listings, cleaned, config, lake))


def _cleaning_results(
    context: dg.AssetExecutionContext,
    listings: pd.DataFrame,
    cleaned: Cleaned,
    config: CleaningConfig,
    lake: LakeResource,
) -> list[dg.AssetCheckResult]:
    """Check results of a cleaning, compared with the previous one."""
    fences, before = lake.previous(context, "price_fences"), lake.previous(context, "clean_listings")
    unaccounted = len(listings) - len(cleaned.listings) - len(cleaned.removed)
    used = int((cleaned.removed["reason"] == "used_condition").sum())
    removed = 1 - len(cleaned.listings) / (int(listings["price"].notna().sum()) - used)
    moved = 0.0 if fences is None else drift.fence_drift(fences, cleaned.fences)
    comparable = before is not None and len(before) and len(cleaned.listings)
    prices = (before["price"], cleaned.listings["price"]) if before is not None and comparable else None
    stability = drift.population_stability(*prices) if prices else 0.0
    distance, p_value = drift.distribution_distance(*prices) if prices else (0.0, 1.0)
    return [
        check_result(_COMPLETE, unaccounted == 0, unaccounted=unaccounted),
        check_result(_REMOVED, removed <= config.max_removed, share_removed=removed, max_removed=config.max_removed),
        check_result(_FENCE, moved <= config.max_fence_drift, fence_drift=moved),
        check_result(
            _PRICES,
            stability <= config.max_price_drift,
            population_stability_index=stability,
            ks_statistic=distance,
            ks_p_value=p_value,
        ),
    ]


@dg.asset(
    group_name=groups.DATA_SET,
    kinds={"pandas", "parquet", "matplotlib"},
    owners=OWNERS,
    metadata=column_schema("price_statistics"),
    code_version=code_version("price_statistics", code_versions.STATISTICS),
)
def price_statistics(
    listings: pd.DataFrame, clean_listings: pd.DataFrame, price_fences: pd.DataFrame, lake: LakeResource
) -> dg.Output[pd.DataFrame]:
    """Five-number summaries and figures of the raw and the clean prices."""
    table = summarise_prices(listings, clean_listings)
    folder = lake.open().folder("figures", "price_statistics")
    return dg.Output(
        table,
        metadata={
            **show_figure(folder, "price_histograms", figures.price_histograms(listings, clean_listings, price_fences)),
            **show_figure(folder, "prices_by_label", figures.prices_by_label(listings)),
            **show_figure(folder, "prices_by_brand", figures.prices_by_brand(clean_listings)),
            "statistics": preview(table, rows=20),
        },
    )


@dg.asset(
    group_name=groups.DATA_SET,
    kinds={"pandas", "parquet", "matplotlib"},
    owners=OWNERS,
    metadata=column_schema("splits"),
    code_version=code_version("splits", code_versions.SPLITS),
    check_specs=[_LEAKS, _SIDES, _SHARES, _ALIKE],
)
def splits(clean_listings: pd.DataFrame, config: SplitConfig, lake: LakeResource) -> Events:
    """Training, validation and test rows, 70:15:15 by a hash of the shoe and its pictures; a re-crawl moves no row."""
    settings = SplitSettings.part_of(config)
    table = assign_splits(clean_listings, settings)
    sizes = {side: int((table["split"] == side).sum()) for side in SPLITS}
    errors = {} if settings.released_after else proportion_errors(table, settings.proportions)
    differences = price_differences(table)
    by_picture = assign_splits(clean_listings.assign(shoe=None), settings)
    leaks, torn_shoes = groups_on_two_sides(table), groups_on_two_sides(table, "shoe")
    report = leak_report(table)
    figure = figures.leaks(report)
    output = dg.Output(
        table,
        metadata={
            "sizes": sizes,
            "mean_prices": table.groupby("split")["price"].mean().round(2).to_dict(),
            "price_bands": preview(price_band_balance(table)),
            "leaks": preview(report),
            "moved_by_shoes": int((table["split"] != by_picture["split"]).sum()),
            "shoes_on_two_sides_by_picture_alone": groups_on_two_sides(by_picture.assign(shoe=table["shoe"]), "shoe"),
            **show_figure(lake.open().folder("figures", "splits"), "leaks", figure),
        },
    )
    yield from publish(
        [output],
        [
            check_result(_LEAKS, leaks + torn_shoes == 0, groups_on_two_sides=leaks, shoes_on_two_sides=torn_shoes),
            check_result(_SIDES, all(sizes.values()), sizes=sizes),
            check_result(
                _SHARES,
                all(error <= allowed for error, allowed in errors.values()),
                errors={side: error for side, (error, _) in errors.items()},
                allowed={side: allowed for side, (_, allowed) in errors.items()},
            ),
            check_result(
                _ALIKE,
                all(p_value >= config.min_p_value for _, p_value in differences.values()),
                statistics={side: statistic for side, (statistic, _) in differences.items()},
                p_values={side: p_value for side, (_, p_value) in differences.items()},
            ),
        ],
    )
