"""Runs of MLflow: what one contains, and how it is logged through MLflow's client.

A run is logged after its training, when the result is in the lake. MLflow limits a request to 1,000 metrics or 100
parameters: https://mlflow.org/docs/latest/ml/tracking/
"""

import getpass
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from upath import UPath

from sneaker_assets.lake_io import local_path
from sneaker_assets.tracking.address import set_client_defaults, without_credentials

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run

_MAX_METRICS, _MAX_PARAMS = 1000, 100
_MAX_PARAM_LENGTH, _MAX_TAG_LENGTH = 6000, 5000

_PARENT, _NOTE, _USER, _SOURCE = "mlflow.parentRunId", "mlflow.note.content", "mlflow.user", "mlflow.source.name"


@dataclass(frozen=True)
class TrackedRun:
    """One run.

    Attributes:
        name: Its name in MLflow's tables.
        identity: Tags that tell whether a run has been logged; values without quotation marks.
        tags: Other tags.
        params: Settings; nested mappings become names with dots.
        metrics: Final values; those that are not finite are unknown and left out.
        history: One row per step, which is the column ``epoch`` or the number of the row; None for no steps.
        folder: Folder whose files become the artifact ``model``.
        files: Files that become the artifact ``figures``.
        note: Description in Markdown.
        seconds: Duration that ended now.
        status: MLflow's status of it: ``FINISHED``, ``FAILED`` or ``KILLED``.
    """

    name: str
    identity: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: pd.DataFrame | None = None
    folder: UPath | None = None
    files: Sequence[UPath] = ()
    note: str = ""
    seconds: float = 0.0
    status: str = "FINISHED"


@dataclass(frozen=True)
class LoggedRun:
    """A run at MLflow.

    Attributes:
        id: MLflow's id of the run.
        url: Its page, without credentials; None where MLflow has no server.
        new: Whether this call logged something.
    """

    id: str
    url: str | None
    new: bool


class Tracker:
    """Client of an MLflow server, database or folder.

    Args:
        uri: Value of ``MLFLOW_TRACKING_URI``.
        experiment: Name of the experiment, which is created where there is none.

    Raises:
        mlflow.exceptions.MlflowException: The server does not answer, or refuses.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        set_client_defaults()
        from mlflow.tracking import MlflowClient

        self._uri, self._client = uri, MlflowClient(uri)
        self._experiment = self._experiment_id(experiment)

    def log(self, run: TrackedRun, *, new: bool) -> LoggedRun:
        """Log a run.

        Args:
            run: The run.
            new: Whether it was trained just now; otherwise it is logged only where MLflow has no finished run of it.

        Raises:
            mlflow.exceptions.MlflowException: The server does not answer, or refuses; the run is deleted.
        """
        known = None if new else self._find(run.identity, "attributes.status = 'FINISHED'")
        return self._logged(known, new=False) if known else self._logged(self._create(run), new=True)

    def log_study(self, study: TrackedRun, trials: Sequence[TrackedRun]) -> LoggedRun:
        """Log a study and its trials as nested runs; a study that was logged before gets the trials it lacks.

        Args:
            study: The parent. Its metrics and tags are updated where it has been logged before.
            trials: The children; the name of each is its identity within the study.

        Raises:
            mlflow.exceptions.MlflowException: The server does not answer, or refuses; the study is marked as failed.
        """
        from mlflow.entities import RunTag

        parent = self._find(study.identity)
        known = set(self._children(parent)) if parent else set()
        missing = [trial for trial in trials if trial.name not in known]
        if parent and not missing and parent.info.status == "FINISHED":
            return self._logged(parent, new=False)
        parent = parent or self._client.create_run(self._experiment, self._started(study), _tags(study), study.name)
        run_id = parent.info.run_id
        with _cleaned_up(lambda: self._client.set_terminated(run_id, "FAILED")):
            for trial in missing:
                self._create(trial, {_PARENT: run_id})
            self._client.log_batch(run_id, tags=[RunTag(name, value) for name, value in _tags(study).items()])
            self._fill(run_id, study)
        return self._logged(parent, new=True)

    def _experiment_id(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            with suppress(MlflowException):  # another process may create it at the same time
                return str(self._client.create_experiment(name))
            found = self._client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            raise MlflowException(f"the experiment {name} was deleted: restore it, or set MLFLOW_EXPERIMENT_NAME")
        return str(found.experiment_id)

    def _find(self, identity: Mapping[str, str], *conditions: str) -> "Run | None":
        """The newest run with these tags."""
        same = [f"tags.`{name}` = '{value}'" for name, value in identity.items()]
        found = self._client.search_runs([self._experiment], " and ".join([*same, *conditions]), max_results=1)
        return found[0] if found else None

    def _children(self, parent: "Run") -> Iterator[str]:
        """Names of the finished and failed trials of a study."""
        wanted, token = f"tags.`{_PARENT}` = '{parent.info.run_id}' and attributes.status != 'RUNNING'", None
        while True:
            page = self._client.search_runs([self._experiment], wanted, page_token=token)
            yield from (run.info.run_name for run in page)
            token = page.token
            if not token:
                return

    def _create(self, run: TrackedRun, tags: Mapping[str, str] | None = None) -> "Run":
        created = self._client.create_run(self._experiment, self._started(run), _tags(run) | dict(tags or {}), run.name)
        run_id = created.info.run_id
        with _cleaned_up(lambda: self._client.delete_run(run_id)):
            self._fill(run_id, run)
        return created

    @staticmethod
    def _started(run: TrackedRun) -> int:
        return int((time.time() - run.seconds) * 1000)

    def _fill(self, run_id: str, run: TrackedRun) -> None:
        from mlflow.entities import Param

        params = [Param(name, value) for name, value in flattened(run.params).items()]
        for start in range(0, len(params), _MAX_PARAMS):
            self._client.log_batch(run_id, params=params[start : start + _MAX_PARAMS])
        metrics = list(_metrics(run))
        for start in range(0, len(metrics), _MAX_METRICS):
            self._client.log_batch(run_id, metrics=metrics[start : start + _MAX_METRICS])
        with tempfile.TemporaryDirectory() as folder:
            staged = Path(folder)
            for file in run.files:
                _copy(file, staged / "figures" / file.name)
            local = local_path(run.folder) if run.folder else None
            if run.folder and not local:
                _copy_folder(run.folder, staged / "model")
            if any(staged.iterdir()):
                self._client.log_artifacts(run_id, str(staged))
            if local:
                self._client.log_artifacts(run_id, str(local), "model")
        self._client.set_terminated(run_id, run.status)

    def _logged(self, run: "Run", *, new: bool) -> LoggedRun:
        url = None
        if self._uri.startswith(("http://", "https://")):
            address = without_credentials(self._uri).rstrip("/")
            url = f"{address}/#/experiments/{self._experiment}/runs/{run.info.run_id}"
        return LoggedRun(run.info.run_id, url, new)


@contextmanager
def _cleaned_up(clean_up: Callable[[], None]) -> Iterator[None]:
    """Clean up, if that is possible, where the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            clean_up()
        raise


def flattened(params: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Parameters by name, as MLflow stores them.

    Args:
        params: Values, or mappings of values to any depth; lists become JSON.
        prefix: Start of every name.
    """
    flat: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            text = json.dumps(value) if isinstance(value, list | tuple) else str(value)
            flat[f"{prefix}{name}"] = text[:_MAX_PARAM_LENGTH]
    return flat


def _tags(run: TrackedRun) -> dict[str, str]:
    tags = {_SOURCE: "sneaker_assets", **run.tags, **run.identity}
    if run.note:
        tags[_NOTE] = run.note
    with suppress(OSError, KeyError, ImportError):  # an account without a name, as in some containers
        tags[_USER] = getpass.getuser()
    return {name: value[:_MAX_TAG_LENGTH] for name, value in tags.items()}


def _metrics(run: TrackedRun) -> Iterator["Metric"]:
    """Finite values of the history, by step, and the final ones.

    A final value is that of the best step; where the history has a column of its name, it is called ``best_<name>``.
    """
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    history = pd.DataFrame() if run.history is None else run.history.select_dtypes("number")
    elapsed = history["seconds"].cumsum() if "seconds" in history else pd.Series(run.seconds, index=history.index)
    times = (now - 1000 * (run.seconds - elapsed).clip(lower=0)).astype(int)
    steps = history["epoch"].astype(int) if "epoch" in history else pd.Series(range(len(history)), history.index)
    for name in history.columns.drop("epoch", errors="ignore"):
        for value, at, step in zip(history[name], times, steps, strict=True):
            if math.isfinite(value):
                yield Metric(str(name), float(value), int(at), int(step))
    for name, value in run.metrics.items():
        if math.isfinite(value):
            yield Metric(f"best_{name}" if name in history else name, float(value), now, 0)


def _copy(file: UPath, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.read_bytes())


def _copy_folder(folder: UPath, target: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            _copy(file, target.joinpath(*file.relative_to(folder).parts))
