"""Distributed fine-tuning: two ranks compared with one at the same global batch size, and recovery from a killed rank.

Fine-tunes the last blocks of mobilenet_v2 on drawn images with torchrun over loopback (gloo). In float32, since
bfloat16 has fewer than six digits and rounds the halves of a batch differently than the whole. Claims: the mean squared
error agrees to six digits; after a rank is killed, the run resumes from its checkpoint to identical weights.

    python benchmarks/ddp.py [--images 600] [--epochs 6]
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from report import command_line, conclude, table
from upath import UPath

from sneaker_assets.lake import write_table
from sneaker_assets.vision.finetuning.decoded_cache import build_decoded_cache
from sneaker_assets.vision.finetuning.finetune import FinetuneResult
from sneaker_assets.vision.finetuning.model import FinetuneJob
from sneaker_assets.vision.imaging.decoding import Frame
from sneaker_assets.vision.settings import FinetuneSettings

WORKER = "sneaker_assets.assets.finetune_worker"
MAX_DIFFERENCE = 1e-6
LIMIT = 600.0


def main() -> None:
    """Train with one rank, with two, and with two of which one is killed, and compare."""
    parser = command_line(__doc__)
    parser.add_argument("--images", type=int, default=600, help="number of drawn images; default: %(default)s")
    parser.add_argument("--epochs", type=int, default=6, help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        job = prepare(Path(scratch), options.images, options.epochs)
        alone, seconds_alone = timed(lambda: launch(job, "one", ranks=1))
        together, seconds_together = timed(lambda: launch(job, "two", ranks=2))
        interrupted, _ = timed(lambda: launch(job, "killed", ranks=2, kill=True))
    mse = {name: float(done.history["validation_mse"].iloc[-1]) for name, done in
           (("one rank", alone), ("two ranks", together), ("one killed", interrupted))}  # fmt: skip
    table([{"run": name, "validation MSE": f"{value:.6f}"} for name, value in mse.items()])
    difference = abs(mse["two ranks"] / mse["one rank"] - 1)
    max_difference = greatest_difference(together, interrupted)
    print(f"\nrelative difference {difference:.1e}; weights after the kill differ by {max_difference:.1e} at most\n")
    conclude(
        "ddp",
        ours=mse["two ranks"],
        baseline=mse["one rank"],
        unit="validation MSE, US dollars squared",
        claim="equal to 6 digits with two ranks and one, and identical weights after a rank was killed",
        holds=bool(difference <= MAX_DIFFERENCE and max_difference == 0.0),
        relative_difference=difference,
        max_weight_difference=max_difference,
        seconds={"one": round(seconds_alone, 1), "two": round(seconds_together, 1)},
        batch=job.settings.batch_size,
        epochs=options.epochs,
    )


def prepare(folder: Path, images: int, epochs: int) -> FinetuneJob:
    """Draw images whose price depends on their brightness, and create the job, which fills the caches of all runs."""
    rng = np.random.default_rng(0)
    rows, paths = [], {}
    for number in range(images):
        shade = rng.uniform(0.1, 1.0)
        pixels = (rng.uniform(0.8, 1.0, (48, 64, 3)) * shade * 255).astype(np.uint8)
        name = f"{number:064d}"
        paths[name] = UPath(folder / f"{number}.png")
        Image.fromarray(pixels).save(str(paths[name]))
        side = ("train", "validation", "test")[int(np.searchsorted([0.7, 0.9], rng.random()))]
        rows.append({"sha256": name, "price": 100 + 800 * shade + rng.normal(0, 30), "split": side})
    write_table(UPath(folder / "splits.parquet"), pd.DataFrame(rows))
    settings = FinetuneSettings(
        unfreeze_from="features.17", height=64, width=96, copies=2, epochs=epochs, bfloat16=False, learning_rate=1e-4
    )
    build_decoded_cache(folder, paths, Frame(64, 96))
    job = FinetuneJob(
        "mobilenet_v2", "none", None, "cpu", str(folder / "splits.parquet"), str(folder), str(folder), settings
    )
    job.create_finetuner()
    return job


def timed(work: Callable[[], FinetuneResult]) -> tuple[FinetuneResult, float]:
    """Result of a function and its duration in seconds."""
    start_time = time.monotonic()
    return work(), time.monotonic() - start_time


def launch(job: FinetuneJob, name: str, *, ranks: int, kill: bool = False) -> FinetuneResult:
    """Train with ``ranks`` processes; with ``kill``, kill the last rank after the second epoch and restart."""
    job = replace(job, checkpoints=str(Path(job.scratch, name)))
    path = Path(job.scratch, f"{name}.json")
    job.write(path)
    if kill:
        process = start(path, ranks)
        assert process.stdout is not None
        for line in process.stdout:
            if "epoch 2, validation" in line:
                break
        workers = subprocess.run(["pgrep", "-P", str(process.pid)], check=True, capture_output=True, text=True)
        os.kill(int(workers.stdout.split()[-1]), signal.SIGKILL)
        process.communicate(timeout=LIMIT)
        print(f"a rank was killed after epoch 2: the launcher exited with {process.returncode}", flush=True)
    process = start(path, ranks)
    output, _ = process.communicate(timeout=LIMIT)
    if process.returncode:
        sys.exit(output)
    training, run = job.create_finetuner()
    # The run is complete, so this only loads its last checkpoint.
    return training.run(UPath(job.checkpoints) / run, run)


def start(path: Path, ranks: int) -> "subprocess.Popen[str]":
    """Start torchrun with a job file."""
    environment = os.environ | {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", "OMP_NUM_THREADS": "1"}
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", WORKER, str(path)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def greatest_difference(one: FinetuneResult, other: FinetuneResult) -> float:
    """Maximum absolute difference of any weight."""
    others = other.network.state_dict()
    pairs = [(tensor, others[name]) for name, tensor in one.network.state_dict().items()]
    return max(float((a.double() - b.double()).abs().max()) if a.numel() else 0.0 for a, b in pairs)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
