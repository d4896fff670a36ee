"""Hyperparameter search for the head of a backbone, on its cached features."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.lake import local_path
from sneaker_assets.resources import LakeResource, TrackingResource
from sneaker_assets.vision.settings import TuningSettings

if TYPE_CHECKING:
    from sneaker_assets.vision.features.store import FeatureStore


class TuningConfig(TuningSettings, dg.Config):
    """Budget of the search."""


@dg.asset(
    partitions_def=backbone_partitions,
    group_name=groups.TUNING,
    kinds={"optuna", "pytorch"},
    owners=OWNERS,
    pool="gpu",
    metadata=column_schema("tuned_hyperparameters"),
    code_version=code_version("tuned_hyperparameters", code_versions.TUNING, code_versions.PRICE_MODEL),
)
def tuned_hyperparameters(
    context: dg.AssetExecutionContext,
    image_features: UPath,
    splits: pd.DataFrame,
    config: TuningConfig,
    *,
    lake: LakeResource,
    tracking: TrackingResource,
) -> dg.Output[pd.DataFrame]:
    """Every trial of the hyperparameter search; the one with the lowest validation error is marked."""
    from sneaker_assets.vision.features.store import FeatureStore
    from sneaker_assets.vision.heads.tuning import TUNED, TuningRows, tune

    tracker, store = tracking.open(context), FeatureStore.open(image_features)
    settings = TuningSettings.part_of(config)
    study = journal_name(store, splits, settings)
    here = lake.open()
    journal = local_path(here.folder("studies", context.partition_key) / study)
    known = TuningRows(
        store.gather_views(splits["sha256"].tolist()),
        splits["price"].to_numpy(dtype=float),
        splits["split"].to_numpy(dtype=str),
        store.blocks,
    )
    trials = tune(known, settings, journal or Path(tempfile.gettempdir(), "sneaker-assets-studies", study))
    trials.insert(0, "backbone", context.partition_key)
    chosen = trials[trials["chosen"]].iloc[0]
    folder = here.folder("figures", "tuned_hyperparameters", context.partition_key)
    shown = show_figure(folder, "search", figures.tuning_progress(trials))
    return dg.Output(
        trials,
        metadata={
            "trials": len(trials),
            "given_up_early": int((trials["state"] == "pruned").sum()),
            "kind": str(chosen["kind"]),
            "validation_rmse": float(chosen["validation_rmse"]),
            "best": preview(trials.sort_values("validation_rmse")),
            **shown,
            **tracker.log_study(study, _shared(settings), trials, TUNED, shown),
        },
    )


def journal_name(store: "FeatureStore", splits: pd.DataFrame, settings: TuningSettings) -> str:
    """File name of the study of these features, rows and settings.

    Args:
        store: The features.
        splits: ``tables.Splits``.
        settings: The search; its budget is not part of the name.
    """
    from sneaker_assets.vision.pricing.training import fingerprint

    version = code_versions.changed(code_version=code_versions.TUNING)
    return f"{fingerprint(store, splits, {**_shared(settings), **version})}.journal"


def _shared(settings: TuningSettings) -> dict[str, int]:
    """Settings of all trials of a study, without the budget."""
    return {"epochs": settings.epochs, "patience": settings.patience, "seed": settings.seed}
