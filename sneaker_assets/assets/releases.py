"""Announced shoes and the price that the champion expects for them."""

import dagster as dg
import pandas as pd

from sneaker_assets import figures
from sneaker_assets.assets.metadata import OWNERS, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import release_partitions
from sneaker_assets.market.releases import announcements, describe_release, parse_release_key
from sneaker_assets.resources import ComputeResource, LakeResource, ListingSourceResource


@dg.asset(
    partitions_def=release_partitions,
    group_name="releases",
    kinds={"python", "parquet"},
    owners=OWNERS,
    pool="crawl",
    metadata=column_schema("releases"),
)
def releases(
    context: dg.AssetExecutionContext, listing_source: ListingSourceResource, lake: LakeResource
) -> dg.Output[pd.DataFrame]:
    """An announced shoe as its site shows it, with its image."""
    site, product_id = parse_release_key(context.partition_key)
    with listing_source.open(lake.open()) as source:
        announced = announcements(source.releases(site))
        urls = announced.loc[announced["product_id"] == product_id, "image_url"]
        images = source.images(site, urls, None)
    table = describe_release(context.partition_key, announced, images)
    return dg.Output(table, metadata={"preview": preview(table, ["title", "release_date", "retail_price"])})


@dg.asset(
    partitions_def=release_partitions,
    group_name="releases",
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    pool="gpu",
    metadata=column_schema("release_predictions"),
)
def release_predictions(
    context: dg.AssetExecutionContext,
    releases: pd.DataFrame,
    model_leaderboard: pd.DataFrame,
    compute: ComputeResource,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """What the champion expects the announced shoe to sell for."""
    from sneaker_assets.vision.images import Frame, read_image
    from sneaker_assets.vision.price_model import PriceModel, price_images

    here = lake.open()
    champion = model_leaderboard[model_leaderboard["champion"]].iloc[0]
    images = [here.image(sha256) for sha256 in releases["sha256"]]
    model = PriceModel.load(here.root / champion["model"])
    prices = price_images(model, images, compute.weights_folder, compute.torch_device())
    table = releases.assign(
        predicted_price=prices,
        premium=prices / releases["retail_price"] - 1,
        backbone=champion["backbone"],
        model=champion["model"],
    )
    shoe = table.iloc[0]
    retail = None if pd.isna(shoe["retail_price"]) else float(shoe["retail_price"])
    figure = figures.priced_release(
        read_image(images[0], Frame(240, 480)), shoe["title"], shoe["predicted_price"], retail
    )
    return dg.Output(
        table,
        metadata={
            "title": str(shoe["title"]),
            "predicted_price": float(shoe["predicted_price"]),
            "retail_price": retail,
            "weights": model.weights,
            **show_figure(here.folder("figures", "release_predictions"), context.partition_key, figure),
        },
    )
