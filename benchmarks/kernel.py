"""Kernel ridge regression at growing numbers of rows: error, duration and peak memory of the exact and Nyström fits.

Each fit, with the default grid of gamma and alpha, runs in a process of its own. The features are synthetic by default:
Gaussian with a spectrum that falls as 1/i, as those of photographs roughly do; the prices depend nonlinearly on the
leading factors. With --archive and --weights the rows are those of the published catalogue with mobilenet_v2's
features. 85 % of the rows train, the others select gamma and alpha. Claims: at 8,000 rows a validation MSE within 1 %
of the exact one, and 100,000 rows of 1,024 features in at most 15 minutes and 3 GB on two cores.

    python benchmarks/kernel.py [--rows 1000 3000 8000 30000 100000] [--archive FOLDER --weights FOLDER]
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from report import command_line, conclude, table

from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.settings import HeadSettings

N_FEATURES = 1024
COMPARED = 8000
MAX_ROWS, MAX_SECONDS, MAX_GIGABYTES, MAX_LOSS = 100_000, 900.0, 3.0, 0.01
ROWS = (1000, 3000, COMPARED, 30_000, MAX_ROWS)
LANDMARKS = (1000, 2000, 4000)
"""Landmarks with which the exact solution is compared, beside the default number."""


def main() -> None:
    """Fit at every size, each in a process of its own, and report."""
    parser = command_line(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="numbers of rows; default: %(default)s")
    parser.add_argument("--landmarks", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--features", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.landmarks:
        print(json.dumps(fit(*load_rows(options.features, options.rows[0]), options.landmarks)))
        return
    default = HeadSettings().landmarks
    with tempfile.TemporaryDirectory() as scratch:
        features = published_features(options, Path(scratch)) if options.archive else None
        compared = [run(features, COMPARED, landmarks) for landmarks in (COMPARED, default, *LANDMARKS)]
        for row in compared:
            row["loss, %"] = 100 * (row["validation MSE"] / compared[0]["validation MSE"] - 1)
        print(f"\n{COMPARED:,} rows: exact, with the default {default:,} landmarks, and with fewer")
        table(compared)
        grown = [run(features, rows, default) for rows in options.rows]
    print(f"\ngrowth, with the default {default:,} landmarks")
    table(grown)
    print()
    largest = grown[-1]
    measured = largest["rows"] >= MAX_ROWS
    within = largest["seconds"] <= MAX_SECONDS and largest["peak GB"] <= MAX_GIGABYTES
    conclude(
        "kernel",
        ours=float(compared[1]["validation MSE"]),
        baseline=float(compared[0]["validation MSE"]),
        unit=f"validation MSE at {COMPARED:,} rows, US dollars squared, default settings and exact",
        claim=f"within 1 % of exact, and {MAX_ROWS:,} rows in at most {MAX_SECONDS:.0f} s and {MAX_GIGABYTES:.0f} GB",
        holds=bool(compared[1]["loss, %"] <= 100 * MAX_LOSS and (within or not measured)),
        compared=compared,
        grown=grown,
        measured_100k=measured,
        published=bool(options.archive),
        threads=torch.get_num_threads(),
    )


def run(features: Path | None, rows: int, landmarks: int) -> dict[str, float]:
    """Measure a fit in a new process, whose peak memory is that of the fit."""
    command = [sys.executable, __file__, "--rows", str(rows), "--landmarks", str(landmarks)]
    command += ["--features", str(features)] if features else []
    measured: dict[str, float] = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])
    print(measured, flush=True)
    return measured


def fit(
    features: NDArray[np.float32], prices: NDArray[np.float64], sides: NDArray[np.str_], landmarks: int
) -> dict[str, float]:
    """Fit with the default grid; ``landmarks`` no lower than the number of rows give the exact solution."""
    start, cpu = time.monotonic(), time.process_time()
    trained = train_head(features[None], prices, sides, HeadSettings(kind="kernel_ridge", landmarks=landmarks))
    best = trained.history.iloc[trained.best]
    return {
        "rows": len(prices),
        "support": len(trained.head.state_dict()["body.support"]),
        "gamma": float(best["gamma"]),
        "alpha": float(best["alpha"]),
        "validation MSE": round(float(best["validation_mse"]), 1),
        "seconds": round(time.monotonic() - start, 1),
        "CPU s": round(time.process_time() - cpu, 1),
        "peak GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }


def load_rows(features: Path | None, rows: int) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.str_]]:
    """Features float32 [rows, D], prices in US dollars, and splits; at most as many rows as there are in the file."""
    if features is None:
        made, prices = synthetic(rows)
    else:
        made, prices = np.load(features)[:rows], np.load(features.with_name("prices.npy"))[:rows]
    sides = np.where(np.random.default_rng(1).random(len(prices)) < 0.85, "train", "validation")
    return made, prices, sides


def synthetic(rows: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Features with a spectrum that falls as 1/i, and prices that depend nonlinearly on the leading factors."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(N_FEATURES, N_FEATURES)))[0]
    mixing = (np.arange(1, N_FEATURES + 1)[:, None] ** -0.5 * rotation).astype(np.float32)
    weights, prices, features = rng.normal(size=(20, 3)), [], np.empty((rows, N_FEATURES), np.float32)
    for start in range(0, rows, 4096):
        factors = rng.standard_normal((min(4096, rows - start), N_FEATURES), dtype=np.float32)
        features[start : start + 4096] = factors @ mixing
        hidden = factors[:, :20].astype(float) @ weights / np.sqrt(20)
        prices.append(400 + 150 * np.tanh(hidden[:, 0] + hidden[:, 1] * hidden[:, 2]))
    return features, np.maximum(np.concatenate(prices) + rng.normal(0, 100, rows), 20.0)


def published_features(options: argparse.Namespace, scratch: Path) -> Path:
    """File of mobilenet_v2's features of the published catalogue in random order, beside that of the prices."""
    from tuning import published_rows  # noqa: PLC0415 - imports optuna

    rows = published_rows(argparse.Namespace(**vars(options), scratch=scratch))
    order = np.random.default_rng(0).permutation(len(rows.prices))
    np.save(scratch / "features.npy", rows.features.mean(axis=0)[order])
    np.save(scratch / "prices.npy", rows.prices[order])
    return scratch / "features.npy"


if __name__ == "__main__":
    main()
