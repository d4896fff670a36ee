"""Residuals of a price model against attributes of the shoes."""

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.chosen_model import ChosenModel, chosen_model
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.resources import ComputeResource, LakeResource


class ExplanationConfig(dg.Config):
    """Which model is explained, and the number of explained shoes."""

    model: ChosenModel = ""
    n_averaged: int = Field(
        default=24,
        ge=0,
        description="Number of the cheapest and of the most expensive test shoes whose heat maps are averaged.",
    )


@dg.asset(
    partitions_def=backbone_partitions,
    deps=["image_features"],
    group_name=groups.EXPLANATION,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("residual_attributes"),
    code_version=code_version("residual_attributes", code_versions.RESIDUALS),
)
def residual_attributes(
    context: dg.AssetExecutionContext,
    price_model: UPath,
    splits: pd.DataFrame,
    clean_listings: pd.DataFrame,
    *,
    config: ExplanationConfig,
    compute: ComputeResource,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """Association of test residuals with attributes of the shoes; mean heat maps of cheap and of expensive shoes."""
    from sneaker_assets.vision.evaluation import residual_analysis as attributes
    from sneaker_assets.vision.evaluation.evaluate import predict_listings
    from sneaker_assets.vision.explain.mean_attribution import mean_attribution_maps
    from sneaker_assets.vision.pricing.pricer import Pricer

    here, backbone = lake.open(), context.partition_key
    chosen = chosen_model(here, config.model, price_model)
    pricer = Pricer.load(chosen, compute.weights_folder, compute.torch_device())
    predictions = predict_listings(pricer.model, splits)
    table = attributes.residual_attributes(pricer.model.backbone, predictions, clean_listings)
    shown = here.folder("figures", "residual_attributes", backbone)
    drawn = show_figure(shown, "residuals_by_attribute", figures.residuals_by_attribute(table)) if len(table) else {}
    typical = mean_attribution_maps(pricer, predictions[predictions["split"] == "test"], here, config.n_averaged)
    if typical:
        drawn |= show_figure(shown, "typical_heat_maps", figures.explained_predictions(typical))
    whole = table[table["member"] == "all"]
    return dg.Output(
        table, metadata={"attributes": preview(whole, ["attribute", "measure", "n", "value", "p_value"]), **drawn}
    )
