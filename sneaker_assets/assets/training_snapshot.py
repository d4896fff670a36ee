"""What each model was trained on, so that it is known later how much of that has changed."""

import dagster as dg
import pandas as pd

from sneaker_assets.assets.metadata import OWNERS, column_schema
from sneaker_assets.assets.partitions import backbone_partitions


@dg.asset(
    partitions_def=backbone_partitions,
    deps=["price_model"],
    group_name="price_model",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("trained_rows"),
)
def trained_rows(context: dg.AssetExecutionContext, splits: pd.DataFrame) -> dg.Output[pd.DataFrame]:
    """The training rows as they were when the model was trained; a retraining is due when enough of them changed."""
    rows = splits.loc[splits["split"] == "train", ["site", "product_id", "sha256", "price"]]
    rows.insert(0, "backbone", context.partition_key)
    return dg.Output(rows, metadata={"rows": len(rows)})
