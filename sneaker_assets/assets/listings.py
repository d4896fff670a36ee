"""From scrapes to a data set: labelled listings, price statistics, clean listings and splits."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd
from pydantic import Field

from sneaker_assets import figures
from sneaker_assets.assets.metadata import OWNERS, column_schema, preview, show_figure
from sneaker_assets.market.labels import label_listings
from sneaker_assets.market.outliers import iqr_fence, remove_outliers
from sneaker_assets.market.splits import assign_splits, groups_on_two_sides
from sneaker_assets.market.statistics import summarise_prices
from sneaker_assets.resources import LakeResource


class OutlierConfig(dg.Config):
    """How far out a price may be."""

    k: float = Field(default=1.5, gt=0, description="Interquartile ranges beyond the quartiles that are still kept.")


class SplitConfig(dg.Config):
    """How the listings are split."""

    train: float = Field(default=0.70, ge=0, le=1, description="Share of twin groups to train on.")
    validation: float = Field(default=0.15, ge=0, le=1, description="Share of twin groups to choose models by.")
    test: float = Field(default=0.15, ge=0, le=1, description="Share of twin groups to judge models by.")
    salt: str = Field(default="sneakers", description="Another salt is another split.")


@dg.asset(group_name="listings", kinds={"pandas", "parquet"}, owners=OWNERS, metadata=column_schema("listings"))
def listings(raw_scrapes: pd.DataFrame, scraped_images: pd.DataFrame) -> dg.Output[pd.DataFrame]:
    """The latest price of each product of every site, joined to its decodable image."""
    table = label_listings(raw_scrapes, scraped_images)
    products = raw_scrapes.groupby("site")["product_id"].nunique().sum()
    return dg.Output(
        table,
        metadata={
            "listings_per_site": table["site"].value_counts().to_dict(),
            "label_kinds": table["label_kind"].value_counts().to_dict(),
            "without_image": int(products - len(table)),
            "without_price": int(table["price"].isna().sum()),
            "twins": int(len(table) - table["twin_group"].nunique()),
            "preview": preview(table, ["site", "title", "price", "label_kind", "width", "height"]),
        },
    )


@dg.asset(group_name="listings", kinds={"pandas", "parquet"}, owners=OWNERS, metadata=column_schema("clean_listings"))
def clean_listings(listings: pd.DataFrame, config: OutlierConfig) -> dg.Output[pd.DataFrame]:
    """The listings whose price is known and not an outlier (Tukey's fence)."""
    cleaned = remove_outliers(listings, config.k)
    return dg.Output(
        cleaned.listings,
        metadata={
            "lower_fence": cleaned.fence.lower,
            "upper_fence": cleaned.fence.upper,
            "outliers_removed": cleaned.outliers,
            "without_price": cleaned.without_price,
        },
    )


@dg.asset(
    group_name="listings",
    kinds={"pandas", "parquet", "matplotlib"},
    owners=OWNERS,
    metadata=column_schema("price_statistics"),
)
def price_statistics(
    listings: pd.DataFrame, clean_listings: pd.DataFrame, config: OutlierConfig, lake: LakeResource
) -> dg.Output[pd.DataFrame]:
    """Five-number summaries and histograms of the prices, raw and clean."""
    table = summarise_prices(listings, clean_listings)
    fence = iqr_fence(listings["price"].dropna(), config.k)
    figure = figures.price_histograms(listings, clean_listings, fence.upper)
    return dg.Output(
        table,
        metadata={
            **show_figure(lake.open().folder("figures", "price_statistics"), "price_histograms", figure),
            "statistics": preview(table, rows=20),
        },
    )


@dg.asset(
    group_name="listings",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("splits"),
    check_specs=[
        dg.AssetCheckSpec("no_group_on_two_sides", asset="splits", description="No picture is trained and tested on."),
        dg.AssetCheckSpec(
            "every_side_has_rows", asset="splits", description="Train, validation and test all have rows."
        ),
    ],
)
def splits(
    clean_listings: pd.DataFrame, config: SplitConfig
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Train, validation and test: 70:15:15 by twin group, decided by a hash, so that a re-crawl moves nothing."""
    table = assign_splits(clean_listings, (config.train, config.validation, config.test), config.salt)
    sizes = table["split"].value_counts().to_dict()
    mean_prices = table.groupby("split")["price"].mean().round(2).to_dict()
    yield dg.Output(table, metadata={"sizes": sizes, "mean_prices": mean_prices})
    leaks = groups_on_two_sides(table)
    yield dg.AssetCheckResult(
        check_name="no_group_on_two_sides", passed=leaks == 0, metadata={"groups_on_two_sides": leaks}
    )
    yield dg.AssetCheckResult(check_name="every_side_has_rows", passed=len(sizes) == 3, metadata={"sizes": sizes})
