"""Real processes under torch's own launcher, connected over loopback."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from upath import UPath

from sneaker_assets.lake import Lake, write_table
from sneaker_assets.torch_utils.distributed import RankError, joined
from sneaker_assets.vision.finetuning.decoded_cache import build_decoded_cache
from sneaker_assets.vision.finetuning.finetune import FinetuneResult
from sneaker_assets.vision.finetuning.model import FinetuneJob
from sneaker_assets.vision.imaging.decoding import Frame
from sneaker_assets.vision.settings import FinetuneSettings
from sneaker_assets_tests.builders import listings, store_pictures

pytestmark = pytest.mark.slow

SETTINGS = FinetuneSettings(
    unfreeze_from="features.18", height=32, width=48, copies=1, hidden=16, epochs=12, batch_size=13, learning_rate=1e-4,
    head_learning_rate=3e-4, bfloat16=False,
)  # fmt: skip
WORKER = "sneaker_assets.assets.finetune_worker"
ENVIRONMENT = os.environ | {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> FinetuneJob:
    folder = tmp_path_factory.mktemp("job")
    lake = Lake.at(folder)
    brightness = store_pictures(lake, 50)
    build_decoded_cache(folder, {sha256: lake.image(sha256) for sha256 in brightness}, Frame(32, 48))
    table = listings([1000 * value for value in brightness.values()]).assign(sha256=list(brightness))
    sides = np.array(["train"] * 40 + ["validation"] * 10)
    write_table(UPath(folder / "splits.parquet"), pd.DataFrame(table).assign(split=sides))
    job = FinetuneJob(
        "mobilenet_v2", "none", None, "cpu", str(folder / "splits.parquet"), str(folder), str(folder / "one"), SETTINGS,
        rank_timeout=60.0,
    )  # fmt: skip
    job.create_finetuner()
    return job


@pytest.fixture(scope="module")
def alone(job: FinetuneJob) -> FinetuneResult:
    training, name = job.create_finetuner()
    return training.run(UPath(job.checkpoints) / name, name)


def trained(job: FinetuneJob) -> FinetuneResult:
    """What other processes trained to its end."""
    training, name = job.create_finetuner()
    training.settings = training.settings.model_copy(update={"epochs": 0})
    return training.run(UPath(job.checkpoints) / name, name)


def launched(job: FinetuneJob, path: Path, *, ranks: int = 2) -> subprocess.Popen[str]:
    job.write(path)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", "-m", WORKER]
    return subprocess.Popen(
        [*command, str(path)], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def assert_nearly(one: FinetuneResult, other: FinetuneResult) -> None:
    assert len(one.history) == len(other.history) == SETTINGS.epochs
    for column in ("train_mse", "validation_mse"):
        assert one.history[column].to_numpy() == pytest.approx(other.history[column].to_numpy(), rel=1e-5)


def test_two_ranks_come_to_the_same_as_one_even_when_one_is_killed(
    job: FinetuneJob, alone: FinetuneResult, tmp_path: Path
) -> None:
    shared = dataclasses.replace(job, checkpoints=str(tmp_path / "two"))
    process = launched(shared, tmp_path / "job.json")
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 2, validation" in line:
            break
    workers = subprocess.run(["pgrep", "-P", str(process.pid)], check=True, capture_output=True, text=True)
    os.kill(int(workers.stdout.split()[-1]), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0
    again = launched(shared, tmp_path / "job.json")
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert "resuming after epoch" in said
    assert_nearly(trained(shared), alone)


def test_a_rank_that_never_starts_ends_the_training_after_the_patience(job: FinetuneJob, tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    dataclasses.replace(job, rank_timeout=2.0).write(path)
    lonely = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    result = subprocess.run(
        [sys.executable, "-m", WORKER, str(path)], check=False, capture_output=True, text=True,
        env=ENVIRONMENT | lonely, timeout=60,
    )  # fmt: skip
    assert result.returncode == 1
    assert "rank 0 waited 2 s and not all of 2 ranks joined" in result.stderr.splitlines()[-1]


def test_a_rank_without_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "100", "RANK": "99", "LOCAL_RANK": "99"}.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(RankError, match=r"each process needs its own GPU, and there are \d+: use fewer"),
        joined(torch.device("cuda"), 1.0),
    ):
        pass
