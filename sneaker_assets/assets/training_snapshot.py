"""Snapshot of the rows that each model was trained on, to measure later how many have changed."""

import dagster as dg
import pandas as pd

from sneaker_assets import code_versions
from sneaker_assets.assets import groups
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema
from sneaker_assets.assets.partitions import backbone_partitions


@dg.asset(
    partitions_def=backbone_partitions,
    deps=["price_model"],
    group_name=groups.TRAINING,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("trained_rows"),
    code_version=code_version("trained_rows", code_versions.TRAINED_ROWS),
)
def trained_rows(context: dg.AssetExecutionContext, splits: pd.DataFrame) -> dg.Output[pd.DataFrame]:
    """The training rows of the model as they were then; it is retrained once enough of them have changed."""
    rows = splits.loc[splits["split"] == "train", ["site", "product_id", "sha256", "price"]]
    rows.insert(0, "backbone", context.partition_key)
    return dg.Output(rows, metadata={"rows": len(rows)})
