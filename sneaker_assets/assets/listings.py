"""Properties of each image, the listings (one labelled product per row, joined to its image), and their shoes."""

from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.checks import Events, blocking_check, check_result, publish, warning_check
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema, preview, show_figure
from sneaker_assets.lake import Lake
from sneaker_assets.market.drift import max_share_shift, share_lost
from sneaker_assets.market.labels import (
    LABEL_ORDER,
    PRODUCT,
    SALE_DAYS,
    first_seen,
    has_usable_picture,
    label_listings,
    label_shares,
    without_pictures,
)
from sneaker_assets.market.observations import with_whole_names
from sneaker_assets.market.shoes import Shoes, ShoeSettings, find_shoes, summarise_shoes, with_shoes
from sneaker_assets.near_duplicates.grouping import NearDuplicateSettings, group_near_duplicates
from sneaker_assets.near_duplicates.image_properties import ImagePropertySettings, describe_images, reusable_rows
from sneaker_assets.resources import LakeResource

_SAMPLE = 20


class ImagePropertyConfig(ImagePropertySettings, dg.Config):
    """How image properties are computed."""

    threads: int = Field(default=2, gt=0, description="Number of decoding threads.")


class ListingConfig(NearDuplicateSettings, ShoeSettings, dg.Config):
    """Which price is the label, which images are near duplicates, which products one shoe, and thresholds."""

    label_order: list[str] = Field(
        default=list(LABEL_ORDER),
        description="Kinds of price in order of preference; kinds that are not listed are never a label.",
    )
    sale_days: float = Field(
        default=SALE_DAYS,
        gt=0,
        description="Days of sales by size, up to the latest, whose median is the label of a product without other "
        "prices.",
    )
    max_lost: float = Field(
        default=0.2, ge=0, le=1, description="Maximum share of the previous run's rows that may be missing."
    )
    max_missing: float = Field(default=0.5, ge=0, le=1, description="Maximum share of listings without a price.")
    max_near_duplicates: float = Field(
        default=0.5, ge=0, le=1, description="Maximum share of listings that repeat another listing's image."
    )
    max_shift: float = Field(
        default=0.2, ge=0, le=1, description="Maximum change of a label kind's share of a site since the previous run."
    )


_ROWS = blocking_check("listings", "keeps_its_rows", "Few listings of the previous run are missing.")
_MISSING = blocking_check("listings", "prices_are_there", "Few listings have no price.")
_NEAR_DUPLICATES = warning_check(
    "listings", "pictures_are_distinct", "Few listings are near duplicates of another one."
)
_KINDS = warning_check(
    "listings", "label_kinds_are_steady", "The label kinds of each site are distributed as in the previous run."
)


@dg.asset(
    group_name=groups.DATA_SET,
    kinds={"pillow", "parquet"},
    owners=OWNERS,
    metadata=column_schema("image_properties"),
    code_version=code_version("image_properties", code_versions.IMAGE_PROPERTIES),
)
def image_properties(
    context: dg.AssetExecutionContext,
    raw_scrapes: pd.DataFrame,
    scraped_images: pd.DataFrame,
    *,
    config: ImagePropertyConfig,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """Content box, mean colour and perceptual hash of every image; only new images are decoded."""
    known = lake.previous(context)
    seen = first_seen(raw_scrapes, scraped_images)
    settings = ImagePropertySettings.part_of(config)
    table = describe_images(lake.open(), seen, known, settings, config.threads)
    reused = 0 if known is None else len(reusable_rows(known, settings))
    return dg.Output(
        table,
        metadata={
            "images": len(table),
            "new_images": len(table) - reused,
            "without_hash": int(table["picture_hash"].isna().sum()),
            "preview": preview(table, ["sha256", "left", "top", "right", "bottom", "red", "green", "blue"]),
        },
    )


@dg.multi_asset(
    name="listings",
    outs={
        "listings": dg.AssetOut(
            description="The latest price of each product in US dollars, joined to its image and the group of its near "
            "duplicates.",
            group_name=groups.DATA_SET,
            kinds={"pandas", "parquet", "matplotlib"},
            owners=OWNERS,
            metadata=column_schema("listings"),
            code_version=code_version("listings", code_versions.LISTINGS, code_versions.NEAR_DUPLICATES),
        ),
        "shoes": dg.AssetOut(
            description="Products of all sites that are one shoe, by style code or by picture and title: prices side "
            "by side, retail price, release date and conflicts.",
            group_name=groups.DATA_SET,
            kinds={"pandas", "parquet", "matplotlib"},
            owners=OWNERS,
            metadata=column_schema("shoes"),
            code_version=code_version("shoes", code_versions.SHOES, code_versions.LISTINGS),
        ),
    },
    check_specs=[_ROWS, _MISSING, _NEAR_DUPLICATES, _KINDS],
)
def listings(
    context: dg.AssetExecutionContext,
    raw_scrapes: pd.DataFrame,
    price_observations: pd.DataFrame,
    scraped_images: pd.DataFrame,
    image_properties: pd.DataFrame,
    *,
    config: ListingConfig,
    lake: LakeResource,
) -> Events:
    """Label each product, join it to its image and near duplicates, and find the shoes that several products are.

    Raises:
        dagster.Failure: No product has a usable picture, or a blocking check failed.
    """
    if not has_usable_picture(scraped_images):
        raise dg.Failure(without_pictures(price_observations, scraped_images), allow_retries=False)
    settings = ShoeSettings.part_of(config)
    groups = group_near_duplicates(image_properties, NearDuplicateSettings.part_of(config))
    pictures = image_properties.assign(twin_group=groups)
    table = label_listings(
        raw_scrapes, price_observations, scraped_images, pictures, config.label_order, sale_days=config.sale_days
    )
    found = find_shoes(raw_scrapes, table, settings)
    table = with_shoes(table, found.products)
    shoes = summarise_shoes(found.products, price_observations, settings, config.sale_days)
    output = dg.Output(table, "listings", metadata=_listing_metadata(table, raw_scrapes, lake.open()))
    yield from publish(
        [output, dg.Output(shoes, "shoes", metadata=_shoe_metadata(shoes, found, lake.open()))],
        _results(table, lake.previous(context, "listings"), raw_scrapes, config),
    )


def _listing_metadata(table: pd.DataFrame, raw_scrapes: pd.DataFrame, lake: Lake) -> dict[str, Any]:
    products = len(raw_scrapes.loc[raw_scrapes["exclusion"].isna(), PRODUCT].drop_duplicates())
    sample = table[table["price"].notna()].sample(frac=1, random_state=0).head(_SAMPLE)
    figure = figures.image_sample(sample, [lake.image(sha256) for sha256 in sample["sha256"]])
    return {
        "listings_per_site": table["site"].value_counts().to_dict(),
        "label_kinds": table["label_kind"].value_counts().to_dict(),
        "conditions": table["condition"].value_counts().to_dict(),
        "label_shares": preview(label_shares(table), rows=50),
        "without_image": products - len(table),
        "without_price": int(table["price"].isna().sum()),
        "near_duplicates": int(len(table) - table["twin_group"].nunique()),
        "identical_images": int(len(table) - table["sha256"].nunique()),
        "largest_groups": table["twin_group"].value_counts().head(5).tolist(),
        **show_figure(lake.folder("figures", "listings"), "image_sample", figure),
        "preview": preview(table, ["site", "title", "price", "label_kind", "width", "height"]),
    }


def _shoe_metadata(shoes: pd.DataFrame, found: Shoes, lake: Lake) -> dict[str, Any]:
    several = shoes[shoes["n_sites"] > 1]
    shown = ["shoe", "title", "sites", "labels", "retail_price", "release_date", "conflicts"]
    metadata: dict[str, Any] = {
        "shoes": len(shoes),
        "products": len(found.products),
        "on_several_sites": len(several),
        "with_style_code": int(shoes["style_code"].notna().sum()),
        "with_conflicts": int((shoes["conflicts"] != "[]").sum()),
        "placeholder_style_codes": len(found.placeholders),
        "placeholders": preview(found.placeholders, rows=20),
        "preview": preview(several if len(several) else shoes, shown),
    }
    if len(several):
        folder = lake.folder("figures", "shoes")
        metadata |= show_figure(folder, "prices_across_sites", figures.prices_across_sites(several))
    return metadata


def _results(
    table: pd.DataFrame, before: pd.DataFrame | None, raw_scrapes: pd.DataFrame, config: ListingConfig
) -> list[dg.AssetCheckResult]:
    """Check results of the listings, compared with the previous ones."""
    before = None if before is None else with_whole_names(before, raw_scrapes)
    lost = share_lost(before, table, PRODUCT)
    missing = float(table["price"].isna().mean()) if len(table) else 1.0
    repeated = float(table["twin_group"].duplicated().mean()) if len(table) else 0.0
    shares = label_shares(table)
    shift = 0.0 if before is None else max_share_shift(label_shares(before), shares, ["site", "label_kind"])
    return [
        check_result(_ROWS, lost <= config.max_lost, share_lost=lost, max_lost=config.max_lost),
        check_result(_MISSING, missing <= config.max_missing, share_missing=missing, max_missing=config.max_missing),
        check_result(
            _NEAR_DUPLICATES,
            repeated <= config.max_near_duplicates,
            share_repeated=repeated,
            max_near_duplicates=config.max_near_duplicates,
        ),
        check_result(_KINDS, shift <= config.max_shift, max_share_shift=shift, label_shares=preview(shares, rows=50)),
    ]
