"""Hyperparameter search for a head on cached features: number of trials in ten minutes, and improvement.

Uses mobilenet_v2's features of the published catalogue with --archive and --weights, else random features of as many
rows. Claims: at least 100 networks in 10 minutes, and a lowest validation error of at most that of the default
settings.

    python benchmarks/tuning.py [--archive FOLDER --weights FOLDER] [--scratch FOLDER] [--minutes 10] [--rows 12300]

--scratch keeps the lake and the features between runs.
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from published import published_splits
from report import command_line, conclude, show_progress, table
from upath import UPath

from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.heads.tuning import TUNED, TuningRows, tune
from sneaker_assets.vision.settings import FeatureSettings, TuningSettings

MIN_TRIALS = 100
FEATURES = FeatureSettings(height=160, width=384, keep="scales", mirrored=True)
N_FEATURES = 2560


def main() -> None:
    """Run the search and report."""
    parser = command_line(__doc__)
    parser.add_argument("--scratch", type=Path, help="folder for lake and features; default: a temporary one")
    parser.add_argument("--minutes", type=float, default=10.0, help="duration of the search; default: %(default)s")
    parser.add_argument(
        "--rows", type=int, default=12_300, help="number of random rows without --archive; default: %(default)s"
    )
    options = parser.parse_args()
    show_progress()
    rows = published_rows(options) if options.archive else random_rows(options.rows)
    with tempfile.TemporaryDirectory() as scratch:
        start = time.monotonic()
        # More trials than fit into the time limit, which therefore ends the search.
        settings = TuningSettings(network_trials=10_000, minutes=options.minutes)
        trials = tune(rows, settings, Path(scratch, "study.journal"))
        seconds = time.monotonic() - start
    best = trials.sort_values("validation_rmse")
    table(best[["kind", "trial", *TUNED, "epochs", "validation_rmse", "seconds"]].head(8).to_dict("records"))
    networks = trials[trials["kind"] == "pooled"]
    defaults = trials[trials["trial"] == 0].set_index("kind")["validation_rmse"].astype(float)
    lowest = trials[trials["state"] == "complete"].groupby("kind")["validation_rmse"].min().astype(float)
    print()
    conclude(
        "tuning",
        ours=float(lowest.min()),
        baseline=float(defaults.min()),
        unit="validation RMSE, US dollars, tuned and with default settings",
        claim=f"at least {MIN_TRIALS} networks in 10 minutes, and no worse than the default settings",
        holds=bool(len(networks) * 600 >= MIN_TRIALS * seconds and lowest.min() <= defaults.min()),
        networks=len(networks),
        kernels=int((trials["kind"] == "kernel_ridge").sum()),
        pruned=int((networks["state"] == "pruned").sum()),
        seconds=round(seconds, 1),
        networks_per_minute=round(60 * len(networks) / seconds, 1),
        min_by_kind={kind: round(value, 1) for kind, value in lowest.items()},
        default_by_kind={kind: round(value, 1) for kind, value in defaults.items()},
        published=bool(options.archive),
        threads=torch.get_num_threads(),
    )


def published_rows(options: argparse.Namespace) -> TuningRows:
    """Rows of the published catalogue with mobilenet_v2's features, which are extracted first."""
    backbone = load_backbone("mobilenet_v2", "auto", options.weights)
    with tempfile.TemporaryDirectory() as scratch:
        splits, images = published_splits(options.archive, options.scratch or Path(scratch))
        store = open_store(UPath(options.scratch or scratch) / "features", backbone, FEATURES)
        update_store(store, backbone, images, torch.device("cpu"), settings=FEATURES)
        features = store.gather_views(splits["sha256"].tolist())
    return TuningRows(features, splits["price"].to_numpy(), splits["split"].to_numpy(dtype=str), store.blocks)


def random_rows(rows: int) -> TuningRows:
    """Random features of low rank, like real ones, and prices that depend nonlinearly on some of their factors."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(rows, 40)).astype(np.float32)
    features = np.maximum(factors @ rng.normal(size=(40, N_FEATURES)).astype(np.float32), 0)
    prices = 400 + 150 * np.tanh(factors[:, 0] + factors[:, 1] * factors[:, 2]) + rng.normal(0, 100, rows)
    sides = np.array(["train", "validation", "test"])[np.searchsorted([0.7, 0.85], rng.random(rows))]
    return TuningRows(features[None], np.maximum(prices, 20).astype(float), sides)


if __name__ == "__main__":
    main()
