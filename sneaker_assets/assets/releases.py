"""Announced shoes, and the champion's price predictions for them."""

import json
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import release_partitions
from sneaker_assets.lake import Lake
from sneaker_assets.market.fees import Fees, fees_at
from sneaker_assets.market.releases import announcements, describe_release, release_site
from sneaker_assets.near_duplicates.placeholders import shows_placeholder
from sneaker_assets.resources import OPTIONAL_INPUT, ComputeResource, LakeResource, ListingSourceResource
from sneaker_assets.settings.environment import load_settings

if TYPE_CHECKING:
    import torch

    from sneaker_assets.vision.pricing.pricer import Pricer


class SellingCosts(Fees, dg.Config):
    """What selling a pair at one site costs; the defaults are assumptions, dated in ``market.fees``."""


class PredictionConfig(dg.Config):
    """What selling a pair is assumed to cost."""

    selling_costs: dict[str, SellingCosts] = Field(
        default={}, description="Selling costs by site. Default: SNEAKER_FEES, else those of StockX."
    )

    def fees(self, site: str) -> Fees:
        """The fees at a site: those of this config, else of the environment, else the default assumption."""
        own = {name: Fees.part_of(costs) for name, costs in self.selling_costs.items()}
        return fees_at(site, {**load_settings().fees, **own})


@dg.asset(
    partitions_def=release_partitions,
    group_name=groups.RELEASE_PRICING,
    kinds={"python", "parquet"},
    owners=OWNERS,
    pool="crawl",
    metadata=column_schema("releases"),
    code_version=code_version("releases", code_versions.RELEASES),
)
def releases(
    context: dg.AssetExecutionContext,
    fx_rates: pd.DataFrame,
    listing_source: ListingSourceResource,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """An announced shoe, with its image and its retail price in US dollars at the day's exchange rate."""
    site = release_site(context.partition_key)
    with listing_source.open(lake.open()) as source:
        announced = announcements(source.releases(site))
        urls = announced.loc[announced["release"] == context.partition_key, "image_url"]
        images = source.images(site, urls, None)
    table = describe_release(context.partition_key, announced, images, fx_rates)
    return dg.Output(table, metadata={"preview": preview(table, ["title", "release_date", "retail_price"])})


@dg.asset(
    partitions_def=release_partitions,
    ins={"similarity_index": dg.AssetIn(metadata=OPTIONAL_INPUT)},
    group_name=groups.RELEASE_PRICING,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    pool="gpu",
    metadata=column_schema("release_predictions"),
    code_version=code_version("release_predictions", code_versions.PREDICTIONS),
)
def release_predictions(
    context: dg.AssetExecutionContext,
    releases: pd.DataFrame,
    model_leaderboard: pd.DataFrame,
    similarity_index: UPath | None,
    *,
    config: PredictionConfig,
    compute: ComputeResource,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """The champion's price for the announced shoe with its interval, similar shoes, and the net profit of a sale.

    Raises:
        dagster.Failure: The announcement shows a placeholder picture.
    """
    from sneaker_assets.vision.explain.attribution import attribution_maps
    from sneaker_assets.vision.explain.report import prediction_record, similar_records
    from sneaker_assets.vision.explain.report_figures import report_figure

    here, shoe = lake.open(), releases.iloc[0]
    _refuse_placeholder(here, shoe)
    champion = model_leaderboard[model_leaderboard["champion"]].iloc[0]
    pricer = _load_pricer(
        here.resolve(str(champion["model"])), compute.weights_folder, compute.torch_device(), similarity_index
    )
    pixels = pricer.read_known([here.image(shoe["sha256"])])
    (priced,) = pricer.price_pixels(*pixels)
    retail = None if pd.isna(shoe["retail_price"]) else float(shoe["retail_price"])
    fees = config.fees(shoe["site"])
    expected, similar = prediction_record(priced, retail, fees), similar_records(priced)
    table = releases.assign(
        **expected,
        similar=json.dumps(similar),
        predicted_at=datetime.now(UTC),
        backbone=champion["backbone"],
        model=champion["model"],
    )
    (heat,) = attribution_maps(pricer, pixels)
    drawn = report_figure(priced, str(shoe["title"]), pixels[0][0], heat, here, retail=retail, fees=fees)
    figure = figures.priced_shoes([drawn])
    return dg.Output(
        table,
        metadata={
            "title": str(shoe["title"]),
            **expected,
            "retail_price": retail,
            "weights": str(pricer.model.weights),
            "similar_shoes": preview(pd.DataFrame(similar)),
            **show_figure(here.folder("figures", "release_predictions"), context.partition_key, figure),
        },
    )


@lru_cache(maxsize=1)  # one process prices the releases of a day
def _load_pricer(
    folder: UPath, weights_folder: Path | None, device: "torch.device", index_folder: UPath | None
) -> "Pricer":
    from sneaker_assets.vision.pricing.pricer import Pricer

    return Pricer.load(folder, weights_folder, device, index_folder)


def _refuse_placeholder(here: Lake, shoe: pd.Series) -> None:
    """Fail without retries for a release whose picture is a placeholder: the same file would be priced again.

    Raises:
        dagster.Failure: The announcement shows a placeholder picture.
    """
    if shows_placeholder(here, str(shoe["sha256"])):
        raise dg.Failure(
            f"{shoe['release']} is announced with a placeholder picture, which many listings show: it is priced once "
            "its own picture is announced",
            allow_retries=False,
        )
