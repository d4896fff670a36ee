"""Studies of a backbone's data: leakage of a split by listing, the effect of outliers, and the learning curve."""

import dagster as dg
import pandas as pd
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.resources import LakeResource


@dg.asset(
    partitions_def=backbone_partitions,
    group_name=groups.TRAINING,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("leak_report"),
    code_version=code_version("leak_report", code_versions.STUDIES, code_versions.PRICE_MODEL),
)
def leak_report(
    context: dg.AssetExecutionContext, image_features: UPath, splits: pd.DataFrame
) -> dg.Output[pd.DataFrame]:
    """Errors of a split by listing, as in the article, beside those of the split by near-duplicate group."""
    from sneaker_assets.vision.evaluation import studies
    from sneaker_assets.vision.features.store import FeatureStore

    table = studies.leak_report(context.partition_key, FeatureStore.open(image_features), splits)
    return dg.Output(table, metadata={"report": preview(table)})


@dg.asset(
    partitions_def=backbone_partitions,
    group_name=groups.TRAINING,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("outlier_ablation"),
    code_version=code_version("outlier_ablation", code_versions.STUDIES, code_versions.PRICE_MODEL),
)
def outlier_ablation(
    context: dg.AssetExecutionContext,
    image_features: UPath,
    listings: pd.DataFrame,
    clean_listings: pd.DataFrame,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """Models trained with and without outliers, each scored on test rows with and without them."""
    from sneaker_assets.vision.evaluation import studies
    from sneaker_assets.vision.features.store import FeatureStore

    backbone, store = context.partition_key, FeatureStore.open(image_features)
    ablation = studies.outlier_ablation(backbone, store, listings, clean_listings)
    words = {"all": "Trained with the outliers", "clean": "Trained without them"}
    curves = [(words[name], trained.history, trained.best + 1) for name, trained in ablation.trained.items()]
    folder = lake.open().folder("figures", "outlier_ablation", backbone)
    drawn = show_figure(folder, "learning_curves", figures.learning_curves(curves))
    return dg.Output(ablation.scores, metadata={"scores": preview(ablation.scores), **drawn})


@dg.asset(
    partitions_def=backbone_partitions,
    group_name=groups.TRAINING,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    metadata=column_schema("training_size_curve"),
    code_version=code_version("training_size_curve", code_versions.LEARNING_CURVE, code_versions.PRICE_MODEL),
)
def training_size_curve(
    context: dg.AssetExecutionContext,
    price_model: UPath,
    image_features: UPath,
    splits: pd.DataFrame,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """Learning curve: errors of the model trained on 10 to 100 % of the training rows, and of their mean price."""
    from sneaker_assets.vision.evaluation import training_size
    from sneaker_assets.vision.features.store import FeatureStore
    from sneaker_assets.vision.pricing.price_model import PriceModel

    backbone = context.partition_key
    model, store = PriceModel.load(price_model), FeatureStore.open(image_features)
    table = training_size.training_size_curve(model, store, splits)
    summary = training_size.summarize(table)
    folder = lake.open().folder("figures", "training_size_curve", backbone)
    return dg.Output(
        table,
        metadata={
            "curve": preview(summary),
            "last_doubling_percent": training_size.last_doubling(summary),
            **show_figure(folder, "learning_curve", figures.training_size_curve(table, f"{backbone}: learning curve")),
        },
    )
