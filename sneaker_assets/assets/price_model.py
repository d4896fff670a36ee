"""The price model of each backbone."""

from collections.abc import Mapping
from typing import Any, Literal

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.metadata import OWNERS, code_version, show_figure
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.resources import OPTIONAL_INPUT, LakeResource, TrackingResource
from sneaker_assets.settings.model import SettingsModel, Unset, given, optional_field
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.recipes import RecipeName, find_recipe, recipe_of_features
from sneaker_assets.vision.settings import HeadKind, HeadSettings, Target


class PriceModelConfig(SettingsModel, dg.Config):
    """How the head is trained. Unset fields take the recipe's values."""

    recipe: Literal["features", RecipeName] = Field(
        default="features",
        description="features: the recipe that the features were computed for; default: the best of those measured, a "
        "kernel ridge where the weights are pretrained; article: the article's head.",
    )
    kind: Literal[Unset, HeadKind] = optional_field(HeadSettings, "kind")
    target: Literal[Unset, Target] = optional_field(HeadSettings, "target")
    epochs: int | None = optional_field(HeadSettings, "epochs")
    batch_size: int | None = optional_field(HeadSettings, "batch_size")
    learning_rate: float | None = optional_field(HeadSettings, "learning_rate")
    plateau_patience: int | None = optional_field(HeadSettings, "plateau_patience")
    plateau_factor: float | None = optional_field(HeadSettings, "plateau_factor")
    patience: int | None = optional_field(HeadSettings, "patience")
    hidden: int | None = optional_field(HeadSettings, "hidden")
    dropout: float | None = optional_field(HeadSettings, "dropout")
    weight_decay: float | None = optional_field(HeadSettings, "weight_decay")
    gamma: float | None = optional_field(HeadSettings, "gamma")
    alpha: float | None = optional_field(HeadSettings, "alpha")
    landmarks: int | None = optional_field(HeadSettings, "landmarks")
    seed: int | None = optional_field(HeadSettings, "seed")
    tuned: bool = Field(
        default=False,
        description="Use the best trial of tuned_hyperparameters for every setting that was part of the search.",
    )

    def settings(self, manifest: Mapping[str, Any]) -> HeadSettings:
        """The settings of the head: those of the recipe with the values that are set.

        Args:
            manifest: The manifest of the feature store.
        """
        name = recipe_of_features(manifest) if self.recipe == "features" else self.recipe
        recipe = find_recipe(name, WeightsSource.parse(manifest["weights"]))
        return recipe.head.with_changes(**given(self, HeadSettings))


@dg.asset(
    partitions_def=backbone_partitions,
    ins={"tuned_hyperparameters": dg.AssetIn(metadata=OPTIONAL_INPUT)},
    group_name=groups.TRAINING,
    kinds={"pytorch"},
    owners=OWNERS,
    pool="gpu",
    code_version=code_version("price_model", code_versions.PRICE_MODEL),
)
def price_model(
    context: dg.AssetExecutionContext,
    image_features: UPath,
    splits: pd.DataFrame,
    tuned_hyperparameters: pd.DataFrame | None,
    *,
    config: PriceModelConfig,
    lake: LakeResource,
    tracking: TrackingResource,
) -> dg.Output[UPath]:
    """A head trained on the features of the frozen backbone; identical rows and settings are not trained twice."""
    from sneaker_assets.vision.features.store import FeatureStore
    from sneaker_assets.vision.pricing.training import train_price_model

    store = FeatureStore.open(image_features)
    tracker, settings = tracking.open(context), config.settings(store.manifest)
    if config.tuned:
        settings = _tuned(tuned_hyperparameters, context.partition_key, settings)
    folder = lake.open().folder("models", context.partition_key)
    model, trained = train_price_model(folder, store, splits, settings)
    metrics = model.metrics()
    best = int(metrics["best"])
    curve = (
        figures.learning_curve(model.history(), best + 1)
        if "epoch" in metrics
        else figures.regularisation_path(model.history(), best)
    )
    shown = show_figure(lake.open().folder("figures", "price_model", context.partition_key), "learning_curve", curve)
    return dg.Output(
        model.folder,
        metadata={
            "trained_now": trained,
            **metrics,
            "card": dg.MetadataValue.md((model.folder / "card.md").read_text()),
            **shown,
            **tracker.log_model(model, shown, trained=trained),
        },
    )


def _tuned(trials: pd.DataFrame | None, backbone: str, settings: HeadSettings) -> HeadSettings:
    """The settings that the search chose, the others as they are.

    Raises:
        dagster.Failure: There was no search for this backbone.
    """
    from sneaker_assets.vision.heads.tuning import tuned_settings

    if trials is None:
        raise dg.Failure(
            f"tuned_hyperparameters [{backbone}] is not in the lake yet: materialize it first, or set tuned: false",
            allow_retries=False,
        )
    return tuned_settings(trials, settings)
