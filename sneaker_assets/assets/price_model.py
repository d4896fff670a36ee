"""The price model of each backbone. How good it is, ``assets.evaluation`` finds out."""

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import figures
from sneaker_assets.assets.metadata import OWNERS, show_figure
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.lake import read_table
from sneaker_assets.resources import LakeResource
from sneaker_assets.vision.settings import HeadSettings


class PriceModelConfig(HeadSettings, dg.Config):
    """How the head is trained."""

    tuned: bool = Field(
        default=False,
        description="Use the best trial of tuned_hyperparameters for every setting that was part of the search.",
    )


@dg.asset(
    partitions_def=backbone_partitions,
    deps=["tuned_hyperparameters"],
    group_name="price_model",
    kinds={"pytorch"},
    owners=OWNERS,
    pool="gpu",
)
def price_model(
    context: dg.AssetExecutionContext,
    image_features: UPath,
    splits: pd.DataFrame,
    config: PriceModelConfig,
    lake: LakeResource,
) -> dg.Output[UPath]:
    """A head trained on the frozen backbone's features; the same rows and settings are not trained twice."""
    from sneaker_assets.vision.features.store import FeatureStore
    from sneaker_assets.vision.pricing.price_model import train_price_model

    settings = HeadSettings.part_of(config)
    if config.tuned:
        settings = _tuned(lake, context.partition_key, settings)
    folder = lake.open().folder("models", context.partition_key)
    model, trained = train_price_model(folder, FeatureStore.open(image_features), splits, settings)
    metrics = model.metrics()
    best = int(metrics["best"])
    curve = (
        figures.learning_curve(model.history(), best + 1)
        if "epoch" in metrics
        else figures.regularisation_path(model.history(), best)
    )
    return dg.Output(
        model.folder,
        metadata={
            "trained_now": trained,
            **metrics,
            "card": dg.MetadataValue.md((model.folder / "card.md").read_text()),
            **show_figure(lake.open().folder("figures", "price_model", context.partition_key), "learning_curve", curve),
        },
    )


def _tuned(lake: LakeResource, backbone: str, settings: HeadSettings) -> HeadSettings:
    """The settings that the last search chose."""
    from sneaker_assets.vision.heads.tuning import tuned_config

    table = lake.open().table("tuned_hyperparameters", backbone)
    if not table.exists():
        raise dg.Failure(
            f"tuned_hyperparameters [{backbone}] is not in the lake yet: materialize it first, or set tuned: false",
            allow_retries=False,
        )
    return tuned_config(read_table(table), settings)
