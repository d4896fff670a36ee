"""What a backbone's price model leaves unexplained, and what that goes with."""

import dagster as dg
import pandas as pd
from upath import UPath

from sneaker_assets import figures
from sneaker_assets.assets.metadata import OWNERS, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.resources import LakeResource


@dg.asset(
    partitions_def=backbone_partitions,
    group_name="price_model",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("residual_attributes"),
)
def residual_attributes(
    context: dg.AssetExecutionContext,
    price_model: UPath,
    image_features: UPath,
    splits: pd.DataFrame,
    clean_listings: pd.DataFrame,
    *,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """Colour, brightness, height and brand beside the residuals of test rows."""
    from sneaker_assets.vision import attributes
    from sneaker_assets.vision.evaluation import predict_listings
    from sneaker_assets.vision.price_model import PriceModel
    from sneaker_assets.vision.store import FeatureStore

    backbone = context.partition_key
    predictions = predict_listings(PriceModel.load(price_model), FeatureStore.open(image_features), splits)
    table = attributes.residual_attributes(backbone, predictions, clean_listings)
    shown = lake.open().folder("figures", "residual_attributes", backbone)
    drawn = show_figure(shown, "residuals_by_attribute", figures.residuals_by_attribute(table)) if len(table) else {}
    whole = table[table["member"] == "all"]
    return dg.Output(
        table, metadata={"attributes": preview(whole, ["attribute", "measure", "n", "value", "p_value"]), **drawn}
    )
