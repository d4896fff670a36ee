"""What the assets log to MLflow, and that nothing which goes wrong there costs a training."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import dagster as dg
import pytest

from sneaker_assets.assets.ensemble import ensemble_price_model
from sneaker_assets.assets.gan import gan_checkpoints
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.assets.price_model import price_model
from sneaker_assets.assets.tuning import tuned_hyperparameters
from sneaker_assets.lake import Lake, write_json, write_table
from sneaker_assets.resources import (
    ComputeResource,
    LakeIOManager,
    LakeResource,
    ListingSourceResource,
    TrackingResource,
)
from sneaker_assets_tests.champion import Champion
from sneaker_assets_tests.ensembles import lake_with_ensemble
from sneaker_assets_tests.tracking.conftest import client_of, files, runs_of
from sneaker_assets_tests.tracking.test_address import hide_mlflow

BACKBONE = "vgg16"  # a partition; the features are those of the champion's backbone
RIDGE = {"kind": "ridge"}
URI = "MLFLOW_TRACKING_URI"


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (URI, "MLFLOW_EXPERIMENT_NAME", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    uri = (tmp_path / "mlruns").as_uri()
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv(URI, uri)
    return uri


@pytest.fixture
def lake(champion: Champion, lake: Lake) -> Lake:
    """A lake with rows, and with a reference to the champion's features."""
    write_table(lake.table("splits"), champion.splits)
    store = lake.root / "features" / "mobilenet_v2" / champion.store.folder.name
    store.parent.mkdir(parents=True)
    Path(str(store)).symlink_to(str(champion.store.folder), target_is_directory=True)
    write_json(lake.reference("image_features", BACKBONE), {"folder": store.relative_to(lake.root).as_posix()})
    images = lake.root / "images"
    Path(str(images)).symlink_to(str(champion.lake.root / "images"), target_is_directory=True)
    return lake


@pytest.fixture
def dead_server() -> Iterator[str]:
    """An address of this machine that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def materialize(
    lake: Lake, asset: dg.AssetsDefinition, partition: str | None, config: dict[str, Any]
) -> dg.ExecuteInProcessResult:
    resource = LakeResource(root=str(lake.root))
    names = ("image_features", "tuned_hyperparameters", "price_model", "finetuned_price_model")
    upstream = [
        dg.AssetSpec(name, partitions_def=backbone_partitions) for name in names if name in asset.keys_by_input_name
    ]
    return dg.materialize(
        [asset, dg.AssetSpec("splits"), *upstream],
        partition_key=partition,
        run_config={"ops": {asset.key.to_user_string(): {"config": config}}},
        resources={
            "lake": resource,
            "io_manager": LakeIOManager(lake=resource),
            "compute": ComputeResource(),
            "listing_source": ListingSourceResource(source="demo"),
            "tracking": TrackingResource(),
        },
        raise_on_error=False,
    )


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    assert result.success
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = (event for event in result.all_events if event.is_step_failure)
    data = event.step_failure_data.user_failure_data
    assert data is not None
    return str(data.description)


def test_price_model_is_logged_once(lake: Lake, store: str) -> None:
    result = materialize(lake, price_model, BACKBONE, RIDGE)
    payload = metadata(result)
    client = client_of(store)
    (run,) = runs_of(client, "sneaker_assets/price_model")
    folder = lake.referenced("price_model", BACKBONE)
    assert folder is not None
    assert (run.info.run_name, run.info.run_id) == (f"{BACKBONE} {folder.name}", payload["mlflow_run"])
    assert {"head.kind": "ridge", "features.backbone": "mobilenet_v2", "views": '["plain"]'}.items() <= (
        run.data.params.items()
    )
    assert run.data.metrics["validation_rmse"] == pytest.approx(payload["validation_rmse"])
    assert len(client.get_metric_history(run.info.run_id, "validation_mse")) > 5
    assert files(client, run).keys() == {"figures/learning_curve.png"} | {
        f"model/{name}" for name in ("card.md", "config.json", "history.parquet", "metrics.json", "model.safetensors")
    }
    assert {
        "dagster.asset": "price_model",
        "dagster.partition": BACKBONE,
        "dagster.run_id": result.run_id,
        "sneaker_assets.folder": str(folder),
        "sneaker_assets.code_version": price_model.code_versions_by_key[price_model.key],
    }.items() <= run.data.tags.items()
    assert run.data.tags["mlflow.note.content"].startswith("# Price model on mobilenet_v2")
    assert metadata(materialize(lake, price_model, BACKBONE, RIDGE))["mlflow_run"] == run.info.run_id
    assert len(runs_of(client, "sneaker_assets/price_model")) == 1


def test_model_trained_without_mlflow_is_logged_later(
    lake: Lake, store: str, monkeypatch: pytest.MonkeyPatch, dead_server: str
) -> None:
    monkeypatch.setenv(URI, f"http://{dead_server}")
    assert "mlflow_problem" in metadata(materialize(lake, price_model, BACKBONE, RIDGE))
    monkeypatch.setenv(URI, store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "my shoes")
    later = metadata(materialize(lake, price_model, BACKBONE, RIDGE))
    assert not later["trained_now"]
    assert [run.info.run_id for run in runs_of(client_of(store), "my shoes")] == [later["mlflow_run"]]


def test_unreachable_server_costs_a_warning_without_its_credentials(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], dead_server: str
) -> None:
    monkeypatch.setenv(URI, f"http://ann:Zx81secret@{dead_server}")
    payload = metadata(materialize(lake, price_model, BACKBONE, RIDGE))
    captured = capfd.readouterr()
    assert payload["trained_now"]
    assert lake.referenced("price_model", BACKBONE) is not None
    warnings = [line for line in captured.err.splitlines() if "was not logged to MLflow" in line]
    assert len(warnings) == 1
    assert f"price_model was not logged to MLflow at http://{dead_server} (" in warnings[0]
    assert "Zx81secret" not in f"{captured} {payload}"


def test_invalid_address_fails_before_the_training(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URI, "localhost:5000")
    assert failure(materialize(lake, price_model, BACKBONE, RIDGE)).startswith(
        "MLFLOW_TRACKING_URI=localhost:5000 cannot be logged to ("
    )
    assert not lake.folder("models").exists()


def test_missing_extra_fails_before_the_training(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_mlflow(monkeypatch)
    monkeypatch.setenv(URI, "http://localhost:5000")
    assert "pip install 'sneaker-assets[mlflow]'" in failure(materialize(lake, price_model, BACKBONE, RIDGE))
    assert not lake.folder("models").exists()


def test_nothing_is_logged_and_mlflow_not_needed_without_the_variable(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_mlflow(monkeypatch)
    monkeypatch.setenv(URI, "")
    payload = metadata(materialize(lake, price_model, BACKBONE, RIDGE))
    assert not {"mlflow_run", "mlflow_problem"} & payload.keys()


def test_training_that_fails_makes_no_run(lake: Lake, store: str) -> None:
    result = materialize(lake, price_model, BACKBONE, {"kind": "article"})
    assert not result.success
    assert runs_of(client_of(store), "sneaker_assets/price_model") == []


@pytest.mark.slow
def test_trials_are_nested_in_the_run_of_their_study(lake: Lake, store: str) -> None:
    budget = {"network_trials": 1, "kernel_trials": 2, "epochs": 1}
    first = metadata(materialize(lake, tuned_hyperparameters, BACKBONE, budget))
    more = metadata(materialize(lake, tuned_hyperparameters, BACKBONE, budget | {"kernel_trials": 3}))
    assert first["mlflow_run"] == more["mlflow_run"]
    client = client_of(store)
    runs = {run.info.run_name: run for run in runs_of(client, "sneaker_assets/tuned_hyperparameters")}
    (study,) = (run for name, run in runs.items() if name.startswith(f"{BACKBONE} "))
    assert runs.keys() - {study.info.run_name} == {"pooled 0", "kernel_ridge 0", "kernel_ridge 1", "kernel_ridge 2"}
    assert {run.data.tags.get("mlflow.parentRunId") for run in runs.values()} == {None, study.info.run_id}
    assert study.data.metrics["trials"] == 4
    assert study.data.params == {"epochs": "1", "patience": "4", "seed": "0"}
    assert files(client, study).keys() == {"figures/search.png"}
    trial = runs["kernel_ridge 1"]
    assert trial.data.params.keys() == {"kind", "target", "gamma", "alpha"}
    best = runs[study.data.tags["sneaker_assets.best_trial"]]
    assert study.data.metrics["validation_rmse"] == best.data.metrics["validation_rmse"]


@pytest.mark.slow
def test_gan_is_logged_by_epoch_and_again_after_more_epochs(lake: Lake, store: str) -> None:
    config = {"epochs": 2, "generator_width": 2, "discriminator_width": 2, "batch_size": 8, "kid_samples": 0}
    for epochs in (2, 2, 3):
        metadata(materialize(lake, gan_checkpoints, "cheap", config | {"epochs": epochs}))
    client = client_of(store)
    longer, run = runs_of(client, "sneaker_assets/gan_checkpoints")
    assert (run.data.params["epochs"], longer.data.params["epochs"]) == ("2", "3")
    steps = client.get_metric_history(run.info.run_id, "generator_loss")
    assert [point.step for point in steps] == [1, 2]
    assert run.data.metrics["epoch_drawn_with"] == 2
    assert files(client, run).keys() == {
        "figures/losses.png", "figures/samples.png", "model/config.json", "model/history.parquet",
        "model/model.safetensors", "model/samples/epoch-0002.png",
    }  # fmt: skip


@pytest.mark.slow
def test_ensemble_is_logged_with_the_shares_of_its_members(tmp_path: Path, store: str) -> None:
    ensembles = lake_with_ensemble(tmp_path / "lake")
    here = ensembles.lake
    write_table(here.table("splits"), ensembles.splits)
    partitions = backbone_partitions.get_partition_keys()
    for partition, model in zip(partitions, ensembles.candidates, strict=False):
        write_json(here.reference("price_model", partition), {"folder": model.folder.relative_to(here.root).as_posix()})
    metadata(materialize(here, ensemble_price_model, None, {"min_share": 0.0, "min_gain": 0.0}))
    (run,) = runs_of(client_of(store), "sneaker_assets/ensemble_price_model")
    shares = [float(value) for name, value in run.data.params.items() if name.startswith("share.models/")]
    assert len(shares) == 2
    assert sum(shares) == pytest.approx(1)
    assert run.data.metrics["validation_rmse"] <= run.data.metrics["best_member_rmse"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """MLflow's own server with its database and artifacts in a temporary folder; yields host and port."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{tmp_path}/runs.db", "--artifacts-destination", str(tmp_path / "artifacts"),
    ]  # fmt: skip
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    log = (tmp_path / "server.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        for _ in range(600):
            try:
                with urlopen(f"http://127.0.0.1:{port}/health") as answer:
                    assert answer.read() == b"OK"
                break
            except OSError:
                assert process.poll() is None, (tmp_path / "server.log").read_text()
                time.sleep(0.25)
        yield f"127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        log.close()


@pytest.mark.slow
def test_server_has_the_runs_and_their_files(
    lake: Lake, server: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(URI, f"http://ann:Zx81secret@{server}/")
    head = {"kind": "pooled", "epochs": 3, "hidden": 8}
    trained = metadata(materialize(lake, price_model, BACKBONE, head))
    again = metadata(materialize(lake, price_model, BACKBONE, head))
    tuned = metadata(materialize(lake, tuned_hyperparameters, BACKBONE, {"network_trials": 1, "kernel_trials": 2}))
    client = client_of(f"http://{server}")
    (run,) = runs_of(client, "sneaker_assets/price_model")
    assert trained["mlflow_run"] == again["mlflow_run"]
    assert trained["mlflow_run"] == (f"http://{server}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")
    steps = client.get_metric_history(run.info.run_id, "validation_mse")
    assert [point.step for point in steps] == [1, 2, 3]
    sizes = files(client, run)
    folder = lake.referenced("price_model", BACKBONE)
    assert folder is not None
    for file in folder.iterdir():
        assert sizes[f"model/{file.name}"] == file.stat().st_size
    assert sizes["figures/learning_curve.png"] > 1000
    study, *trials = sorted(
        runs_of(client, "sneaker_assets/tuned_hyperparameters"), key=lambda run: "mlflow.parentRunId" in run.data.tags
    )
    assert tuned["mlflow_run"].endswith(study.info.run_id)
    assert {trial.data.tags["mlflow.parentRunId"] for trial in trials} == {study.info.run_id}
    assert len(trials) == 3
    assert "Zx81secret" not in f"{capfd.readouterr()} {trained} {again} {tuned}"
