"""Runs in MLflow's folder: their content, runs that are known already, and logging that fails."""

import math
import os
from collections.abc import ItemsView, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from upath import UPath

from sneaker_assets.tracking.address import set_client_defaults
from sneaker_assets.tracking.runs import TrackedRun, Tracker, flattened
from sneaker_assets_tests.tracking.conftest import files, runs_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "shoes/price_model"


class Interrupted(Mapping[str, Any]):
    """Parameters whose reader presses Ctrl-C."""

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def items(self) -> ItemsView[str, Any]:
        raise KeyboardInterrupt


@pytest.fixture
def tracker(store: str) -> Tracker:
    return Tracker(store, EXPERIMENT)


def runs(client: "MlflowClient", *, deleted: bool = False) -> "list[Run]":
    return runs_of(client, EXPERIMENT, deleted=deleted)


def model_folder(folder: UPath) -> UPath:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "samples").mkdir()
    (folder / "samples" / "epoch-0001.png").write_bytes(b"png")
    return folder


def test_run_has_parameters_steps_files_and_description(
    tracker: Tracker, client: "MlflowClient", tmp_path: Path
) -> None:
    figure = UPath(tmp_path / "losses.png")
    figure.write_bytes(b"figure")
    history = pd.DataFrame(
        {"epoch": [3, 4], "loss": [0.5, math.nan], "kid": [math.nan, 2.0], "seconds": [10.0, 20.0], "note": ["a", "b"]}
    )
    logged = tracker.log(
        TrackedRun(
            "vgg16 0123",
            identity={"sneaker_assets.id": "0123"},
            tags={"dagster.run_id": "abc"},
            params={"head": {"kind": "ridge", "gamma": None}, "views": ["plain", "mirrored"], "long": "x" * 9000},
            metrics={"loss": 0.25, "rmse": 7.0, "unknown": math.inf},
            history=history,
            folder=model_folder(UPath(tmp_path / "models" / "0123")),
            files=[figure],
            note="# A card",
            seconds=60.0,
        ),
        new=True,
    )
    (run,) = runs(client)
    assert (logged.id, logged.url, logged.new) == (run.info.run_id, None, True)
    assert (run.info.run_name, run.info.status) == ("vgg16 0123", "FINISHED")
    assert run.info.end_time - run.info.start_time >= 60_000
    assert run.data.params == {
        "head.kind": "ridge", "head.gamma": "None", "views": '["plain", "mirrored"]', "long": "x" * 6000,
    }  # fmt: skip
    assert run.data.metrics == {"loss": 0.5, "best_loss": 0.25, "kid": 2.0, "seconds": 20.0, "rmse": 7.0}
    steps = client.get_metric_history(run.info.run_id, "seconds")
    assert [(point.step, point.value) for point in steps] == [(3, 10.0), (4, 20.0)]
    assert steps[1].timestamp - steps[0].timestamp == 20_000
    assert {"sneaker_assets.id": "0123", "dagster.run_id": "abc", "mlflow.note.content": "# A card"}.items() <= (
        run.data.tags.items()
    )
    assert files(client, run) == {"figures/losses.png": 6, "model/config.json": 2, "model/samples/epoch-0001.png": 3}


def test_folder_in_an_object_store_is_logged(tracker: Tracker, client: "MlflowClient") -> None:
    folder = model_folder(UPath("memory://lake/models/0123"))
    tracker.log(TrackedRun("a", identity={}, folder=folder), new=True)
    (run,) = runs(client)
    assert files(client, run) == {"model/config.json": 2, "model/samples/epoch-0001.png": 3}


def test_long_histories_and_many_parameters_fit_into_mlflows_requests(tracker: Tracker, client: "MlflowClient") -> None:
    history = pd.DataFrame({"validation_mse": range(1500), "train_mse": range(1500)})
    tracker.log(TrackedRun("a", identity={}, params={f"p{i}": i for i in range(150)}, history=history), new=True)
    (run,) = runs(client)
    assert len(run.data.params) == 150
    steps = client.get_metric_history(run.info.run_id, "train_mse")
    assert [point.step for point in steps] == list(range(1500))


def test_nested_settings_are_flattened() -> None:
    assert flattened({"a": {"b": {"c": 1}, "d": True}, "e": (0.5, 0.9)}) == {
        "a.b.c": "1",
        "a.d": "True",
        "e": "[0.5, 0.9]",
    }


def test_known_result_is_logged_again_only_if_it_was_trained_again(tracker: Tracker, client: "MlflowClient") -> None:
    run, other = (TrackedRun("a", identity={"sneaker_assets.id": name}) for name in ("a", "b"))
    first = tracker.log(run, new=False)
    again = tracker.log(run, new=False)
    assert (first.new, again.new, again.id) == (True, False, first.id)
    tracker.log(other, new=False)
    assert len(runs(client)) == 2
    assert tracker.log(run, new=True).id != first.id
    assert len(runs(client)) == 3


def test_run_that_could_not_be_logged_whole_is_deleted(
    tracker: Tracker, client: "MlflowClient", tmp_path: Path
) -> None:
    missing = TrackedRun("a", identity={"sneaker_assets.id": "a"}, files=[UPath(tmp_path / "gone.png")])
    with pytest.raises(FileNotFoundError):
        tracker.log(missing, new=True)
    interrupted = TrackedRun("a", identity={"sneaker_assets.id": "a"}, params=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        tracker.log(interrupted, new=True)
    assert runs(client) == []
    assert len(runs(client, deleted=True)) == 2
    assert tracker.log(TrackedRun("a", identity={"sneaker_assets.id": "a"}), new=False).new


def study(trials: int) -> tuple[TrackedRun, list[TrackedRun]]:
    nested = [TrackedRun(f"pooled {i}", {}, params={"hidden": i}, status="KILLED" if i else "FINISHED", seconds=i)
              for i in range(trials)]  # fmt: skip
    return TrackedRun("study", {"sneaker_assets.id": "s"}, params={"seed": 0}, metrics={"trials": trials}), nested


def test_continued_study_gets_the_trials_that_it_lacks(tracker: Tracker, client: "MlflowClient") -> None:
    for trials in (2, 2, 5):
        tracker.log_study(*study(trials))
    (parent,) = (run for run in runs(client) if run.info.run_name == "study")
    nested = [run for run in runs(client) if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert sorted(run.info.run_name for run in nested) == [f"pooled {i}" for i in range(5)]
    assert {run.info.run_name: run.info.status for run in nested} == {
        "pooled 0": "FINISHED", **{f"pooled {i}": "KILLED" for i in range(1, 5)},
    }  # fmt: skip
    assert parent.data.metrics == {"trials": 5}
    assert len(runs(client)) == 6
    assert not tracker.log_study(*study(5)).new


def test_study_is_completed_after_a_failure(tracker: Tracker, client: "MlflowClient") -> None:
    parent, trials = study(3)
    with pytest.raises(KeyboardInterrupt):
        tracker.log_study(parent, [trials[0], TrackedRun("pooled 1", {}, params=Interrupted())])
    assert {run.info.run_name: run.info.status for run in runs(client)} == {"pooled 0": "FINISHED", "study": "FAILED"}
    tracker.log_study(parent, trials)
    assert len(runs(client)) == 4
    assert {run.info.status for run in runs(client) if run.info.run_name == "study"} == {"FINISHED"}


def test_deleted_experiment_is_named(tracker: Tracker, client: "MlflowClient", store: str) -> None:
    tracker.log(TrackedRun("a", identity={}), new=True)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(Exception, match=f"the experiment {EXPERIMENT} was deleted: restore it"):
        Tracker(store, EXPERIMENT)


def test_variables_of_the_user_are_kept_and_no_statistics_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "99")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    set_client_defaults()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "99"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
