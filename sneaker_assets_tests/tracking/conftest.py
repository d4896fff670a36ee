"""A folder of MLflow's, the store that needs no server and no database, and what has been logged."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlruns").as_uri()


@pytest.fixture
def client(store: str) -> "MlflowClient":
    return client_of(store)


def client_of(uri: str) -> "MlflowClient":
    """A client; MLflow takes two seconds to import, so that it is not imported by every worker of the suite."""
    from mlflow import MlflowClient  # noqa: PLC0415

    return MlflowClient(uri)


def runs_of(client: "MlflowClient", name: str, *, deleted: bool = False) -> "list[Run]":
    """All runs of an experiment, or the deleted ones; none where there is no experiment of that name."""
    from mlflow.entities import ViewType  # noqa: PLC0415

    experiment = client.get_experiment_by_name(name)
    kind = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
    return list(client.search_runs([experiment.experiment_id], run_view_type=kind)) if experiment else []


def files(client: "MlflowClient", run: "Run", path: str | None = None) -> dict[str, int]:
    """Sizes of a run's artifacts by path."""
    found: dict[str, int] = {}
    for file in client.list_artifacts(run.info.run_id, path):
        found |= files(client, run, file.path) if file.is_dir else {file.path: file.file_size or 0}
    return found
