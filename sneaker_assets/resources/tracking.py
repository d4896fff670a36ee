"""Resource that logs trainings to the MLflow of ``MLFLOW_TRACKING_URI``; without that variable it does nothing."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
from upath import UPath

from sneaker_assets.errors import one_line
from sneaker_assets.tracking.address import check_address, redact, tracking_uri, without_credentials

if TYPE_CHECKING:
    from sneaker_assets.tracking.runs import LoggedRun, TrackedRun, Tracker
    from sneaker_assets.vision.pricing.price_model import PriceModel

_MAX_ERROR_LENGTH = 500

_STATUS = {"complete": "FINISHED", "pruned": "KILLED", "fail": "FAILED"}
"""MLflow's status of a trial by Optuna's state."""

Logged = dict[str, dg.UrlMetadataValue | dg.TextMetadataValue]
Shown = Mapping[str, dg.MetadataValue]


class TrackingResource(dg.ConfigurableResource["TrackingResource"]):
    """Experiment tracking with MLflow, configured by MLflow's own variables (a run's configuration is public)."""

    def open(self, context: dg.AssetExecutionContext) -> "RunTracker":
        """Check the address before the training; the run starts now.

        Args:
            context: The context of the running asset.

        Raises:
            dagster.Failure: The variable is set, but MLflow is not installed or the address is invalid.
        """
        uri = tracking_uri()
        if uri:
            try:
                check_address(uri)
            except ValueError as error:
                raise dg.Failure(one_line(error), allow_retries=False) from None
        return RunTracker(context, uri)


class RunTracker:
    """Logs the run of one materialization. Its methods return metadata of the asset: the run's address, or the problem.

    Logging never fails a training: what goes wrong is logged as a warning.

    Args:
        context: The context of the running asset.
        uri: Value of ``MLFLOW_TRACKING_URI``; None to log nothing.
    """

    def __init__(self, context: dg.AssetExecutionContext, uri: str | None) -> None:
        self._context, self._uri, self._started = context, uri, time.monotonic()

    def log_model(
        self, model: "PriceModel", shown: Shown, *, trained: bool, settings: Mapping[str, Any] | None = None
    ) -> Logged:
        """Log a price model, whose folder has a configuration, metrics, a history and a card.

        Args:
            model: The model.
            shown: Metadata that name the files of figures, as ``show_figure`` returns them.
            trained: Whether it was trained just now.
            settings: Settings that its configuration lacks.
        """
        if not self._uri:
            return {}
        params = {name: value for name, value in model.config.items() if name not in ("interval", "price_range")}
        return self.log(
            model.folder,
            params | dict(settings or {}),
            model.metrics(),
            model.history(),
            shown,
            trained=trained,
            note=(model.folder / "card.md").read_text(),
        )

    def log(
        self,
        folder: UPath,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        history: pd.DataFrame | None = None,
        shown: Shown | None = None,
        *,
        trained: bool,
        name: str | None = None,
        note: str = "",
    ) -> Logged:
        """Log the result of a training.

        Args:
            folder: Folder of the result, whose files are logged.
            params: Settings, nested to any depth.
            metrics: Final values by name.
            history: One row per step; the column ``epoch`` is the step.
            shown: Metadata that name the files of figures, as ``show_figure`` returns them.
            trained: Whether it was trained just now; otherwise it is logged only if MLflow has no finished run of it.
            name: What identifies the result; by default the folder's name.
            note: Description of the run in Markdown.
        """
        if not self._uri:
            return {}
        run = self._run(
            name or folder.name,
            tags={"sneaker_assets.folder": str(folder)},
            params=params,
            metrics=metrics,
            history=history,
            folder=folder,
            files=_files(shown or {}),
            note=note,
        )
        return self._log(lambda tracker: tracker.log(run, new=trained))

    def log_study(
        self, name: str, params: Mapping[str, Any], trials: pd.DataFrame, param_names: Sequence[str], shown: Shown
    ) -> Logged:
        """Log a hyperparameter search: one run, with a nested run for each trial.

        Args:
            name: What identifies the study.
            params: Settings that all its trials share.
            trials: ``tables.TunedHyperparameters``.
            param_names: Columns of hyperparameters; a trial has those that are not null.
            shown: Metadata that name the files of figures.
        """
        if not self._uri:
            return {}
        from sneaker_assets.tracking.runs import TrackedRun

        best = trials[trials["chosen"]].iloc[0]
        study = self._run(
            name,
            tags={"sneaker_assets.best_trial": f"{best['kind']} {best['trial']}"},
            params=params,
            metrics={"trials": len(trials), "validation_rmse": best["validation_rmse"]},
            files=_files(shown),
        )
        nested = [
            TrackedRun(
                f"{trial['kind']} {trial['trial']}",
                identity={},
                tags={"optuna.state": trial["state"], **self._tags()},
                params={name: trial[name] for name in ("kind", *param_names) if pd.notna(trial[name])},
                metrics={name: trial[name] for name in ("epochs", "validation_rmse") if pd.notna(trial[name])},
                seconds=trial["seconds"],
                status=_STATUS[trial["state"]],
            )
            for trial in trials.to_dict("records")
        ]
        return self._log(lambda tracker: tracker.log_study(study, nested))

    def _run(self, name: str, *, tags: Mapping[str, str], **values: Any) -> "TrackedRun":
        from sneaker_assets.tracking.runs import TrackedRun

        partition = self._context.partition_key if self._context.has_partition_key else None
        return TrackedRun(
            name=f"{partition} {name}" if partition else name,
            identity={"sneaker_assets.id": name, **self._tags()},
            tags={
                **tags,
                "dagster.run_id": self._context.run.run_id,
                "sneaker_assets.code_version": self._context.assets_def.code_versions_by_key[self._context.asset_key]
                or "",
            },
            seconds=time.monotonic() - self._started,
            **values,
        )

    def _tags(self) -> dict[str, str]:
        """Tags of the asset and its partition."""
        tags = {"dagster.asset": self._context.asset_key.to_user_string()}
        if self._context.has_partition_key:
            tags["dagster.partition"] = self._context.partition_key
        return tags

    def _log(self, log: Callable[["Tracker"], "LoggedRun"]) -> Logged:
        from sneaker_assets.tracking.runs import Tracker

        uri = self._uri or ""
        asset = self._context.asset_key.to_user_string()
        try:
            run = log(Tracker(uri, os.environ.get("MLFLOW_EXPERIMENT_NAME") or f"sneaker_assets/{asset}"))
        except Exception as error:  # noqa: BLE001 - stores and drivers have errors of their own, and the result is saved
            problem = redact(one_line(error, max_length=_MAX_ERROR_LENGTH), uri)
            self._context.log.warning(
                "%s was not logged to MLflow at %s (%s); it is in the lake, and materializing it again logs it",
                asset,
                without_credentials(uri),
                problem,
            )
            return {"mlflow_problem": dg.MetadataValue.text(problem)}
        return {"mlflow_run": dg.MetadataValue.url(run.url) if run.url else dg.MetadataValue.text(run.id)}


def _files(shown: Shown) -> list[UPath]:
    return [UPath(str(value.value)) for value in shown.values() if isinstance(value, dg.PathMetadataValue)]
