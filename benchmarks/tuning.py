"""The search for a head's settings on cached features: how many trials there are in ten minutes, and what they find.

With --archive and --weights on mobilenet_v2's features of the published catalogue, else on drawn features of as many
rows. Chosen on validation rows. Asked for: at least 100 networks tried in 10 minutes, and the least validation error of
all below that of the default settings.

    python benchmarks/tuning.py [--archive FOLDER --weights FOLDER] [--scratch FOLDER] [--minutes 10] [--rows 12300]

--scratch keeps the lake and the features between tries.
"""

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

LEAST_TRIALS = 100
FEATURES = FeatureSettings(height=160, width=384, keep="scales", mirrored=True)
N_FEATURES = 2560


def main() -> None:
    """Search for as long as asked, and report."""
    parser = command_line(__doc__)
    parser.add_argument("--scratch", type=Path, help="folder for what is kept; default: one of its own, removed")
    parser.add_argument("--minutes", type=float, default=10.0, help="of searching; default: %(default)s")
    parser.add_argument("--rows", type=int, default=12_300, help="drawn, without an archive; default: %(default)s")
    options = parser.parse_args()
    show_progress()
    known = read(options) if options.archive else draw(options.rows)
    with tempfile.TemporaryDirectory() as scratch:
        began = time.monotonic()
        # More than can be done in the time: the time is what ends it.
        settings = TuningSettings(network_trials=10_000, minutes=options.minutes)
        trials = tune(known, settings, Path(scratch, "study.journal"))
        seconds = time.monotonic() - began
    best = trials.sort_values("validation_rmse")
    table(best[["kind", "trial", *TUNED, "epochs", "validation_rmse", "seconds"]].head(8).to_dict("records"))
    networks = trials[trials["kind"] == "pooled"]
    defaults = trials[trials["trial"] == 0].set_index("kind")["validation_rmse"].astype(float)
    least = trials[trials["state"] == "complete"].groupby("kind")["validation_rmse"].min().astype(float)
    print()
    conclude(
        "tuning",
        ours=float(least.min()),
        theirs=float(defaults.min()),
        unit="validation RMSE, US dollars, tuned and by default",
        asked=f"at least {LEAST_TRIALS} networks in 10 minutes, and no worse than the default",
        holds=bool(len(networks) * 600 >= LEAST_TRIALS * seconds and least.min() <= defaults.min()),
        networks=len(networks),
        kernels=int((trials["kind"] == "kernel_ridge").sum()),
        given_up_early=int((networks["state"] == "pruned").sum()),
        seconds=round(seconds, 1),
        networks_a_minute=round(60 * len(networks) / seconds, 1),
        min_by_kind={kind: round(value, 1) for kind, value in least.items()},
        default_by_kind={kind: round(value, 1) for kind, value in defaults.items()},
        published=bool(options.archive),
        threads=torch.get_num_threads(),
    )


def read(options: argparse.Namespace) -> TuningRows:
    """The published catalogue's rows with mobilenet_v2's features, which are computed first."""
    backbone = load_backbone("mobilenet_v2", "auto", options.weights)
    with tempfile.TemporaryDirectory() as scratch:
        splits, images = published_splits(options.archive, options.scratch or Path(scratch))
        store = open_store(UPath(options.scratch or scratch) / "features", backbone, FEATURES)
        update_store(store, backbone, images, torch.device("cpu"), settings=FEATURES)
        features = store.gather_views(splits["sha256"].tolist())
    return TuningRows(features, splits["price"].to_numpy(), splits["split"].to_numpy(dtype=str), store.blocks)


def draw(rows: int) -> TuningRows:
    """Features of few independent directions, as real ones are, and prices bent over some of them."""
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(rows, 40)).astype(np.float32)
    features = np.maximum(causes @ rng.normal(size=(40, N_FEATURES)).astype(np.float32), 0)
    prices = 400 + 150 * np.tanh(causes[:, 0] + causes[:, 1] * causes[:, 2]) + rng.normal(0, 100, rows)
    sides = np.array(["train", "validation", "test"])[np.searchsorted([0.7, 0.85], rng.random(rows))]
    return TuningRows(features[None], np.maximum(prices, 20).astype(float), sides)


if __name__ == "__main__":
    main()
