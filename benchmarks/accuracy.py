"""Accuracy of an ensemble on the published catalogue, and the effect of leakage in the author's split.

Listings, near-duplicate groups and splits are produced by the graph; features, heads, fine-tuned networks and the
ensembles by the project's own code, with the ImageNet weights that are installed as packages. Shares of the members,
kernels, penalties and epochs are selected on the validation set; the test set is only reported. For comparison, ridge
regression is evaluated on the author's split, unchanged. Claims: a test MSE of at most 37,500 with frozen networks and
of at most 35,500 with a fine-tuned one among them.

    python benchmarks/accuracy.py --archive FOLDER [--lake FOLDER] [--frozen]

--lake keeps the lake: an interrupted run resumes, and a later one trains only what has changed.
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import argparse
import hashlib
import os
import resource
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import torch
from report import command_line, conclude, show_progress, table
from upath import UPath

from sneaker_assets.cli.pipeline import Stage, run_stage
from sneaker_assets.lake import Lake, read_table, write_table
from sneaker_assets.near_duplicates.grouping import group_near_duplicates
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.evaluation.evaluate import evaluate, predict_listings
from sneaker_assets.vision.evaluation.studies import score_split
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.finetuning.model import FinetuneJob, finetune_price_model
from sneaker_assets.vision.pricing.ensemble import train_ensemble
from sneaker_assets.vision.pricing.ensemble_model import ENSEMBLE, Model, price_known
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.pricing.training import train_price_model
from sneaker_assets.vision.settings import FeatureSettings, FinetuneSettings, HeadSettings

MAX_FROZEN_MSE, MAX_MSE = 37_500.0, 35_500.0
# Shoes are wide: trimmed, they fill this frame, but less than half of a square one of as many pixels.
SMALL = FeatureSettings(height=160, width=384, keep="grid", mirrored=True)
LARGE = SMALL.with_changes(height=224, width=544)
FROZEN = {"efficientnet_lite0": (SMALL, LARGE), "efficientnet_lite1": (SMALL, LARGE)}
KERNEL = HeadSettings(kind="kernel_ridge")
FINETUNED = {
    "efficientnet_lite0": FinetuneSettings(
        unfreeze_from="blocks.4.0", height=SMALL.height, width=SMALL.width, copies=2, epochs=4
    ),
}
COLUMNS = ("mse", "mse_low", "mse_high", "rmse", "mae", "median_ape", "r2", "coverage")


def main() -> None:
    """Build the data set, train all members, and report the ensembles."""
    parser = command_line(__doc__, archive=True)
    parser.add_argument("--lake", type=Path, help="folder in which to keep the lake between runs")
    parser.add_argument("--frozen", action="store_true", help="skip fine-tuning, and its claim")
    options = parser.parse_args()
    show_progress()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        lake = make_data_set(
            options.archive.resolve(), (options.lake or Path(scratch, "lake")).resolve(), Path(scratch)
        )
        report(lake, options, start)


def make_data_set(archive: Path, lake: Path, scratch: Path) -> Lake:
    """Import the archive, clean and split its listings with the graph's jobs, and return the lake."""
    (scratch / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    os.environ |= {
        "DAGSTER_HOME": str(scratch),
        "SNEAKER_SOURCE": "archive",
        "SNEAKER_ARCHIVE": str(archive),
        "SNEAKER_LAKE": str(lake),
    }
    with dg.DagsterInstance.get() as instance:
        for stage in (Stage("crawl_site", "farfetch"), Stage("crawl_site", "stockx"), Stage("build_data_set")):
            print(f"{stage}: {run_stage(stage, instance).seconds:.0f} s", flush=True)
    return Lake.at(lake)


def report(lake: Lake, options: argparse.Namespace, start: float) -> None:
    """Train members and ensembles, print how they do on the held-out rows, and evaluate the author's split."""
    splits = read_table(lake.table("splits"))
    images = {sha256: lake.image(sha256) for sha256 in splits["sha256"].unique()}
    members = train_frozen(lake, splits, images)
    results = {"frozen": score(lake, members, splits)}
    if not options.frozen:
        members |= train_finetuned(lake, splits, images, next(iter(members.values())))
        results["with fine-tuned members"] = score(lake, members, splits)
    print("\nthe author's split, unchanged")
    authors = score_split(authors_store(lake), authors_split(lake, options.archive))
    table(authors)
    print()
    claims = dict(zip(results, (MAX_FROZEN_MSE, MAX_MSE), strict=False))
    conclude(
        "accuracy",
        ours=results[list(results)[-1]]["mse"],
        baseline=results["frozen"]["mean_predictor_mse"],
        unit="test MSE, US dollars squared",
        claim="; ".join(f"{name}: at most {limit:,.0f}" for name, limit in claims.items()),
        holds=all(results[name]["mse"] <= limit for name, limit in claims.items()),
        ensembles=results,
        rows=splits["split"].value_counts().to_dict(),
        authors_split=authors,
        seconds=round(time.monotonic() - start),
        cpu_seconds=round(cpu_seconds()),
        threads=torch.get_num_threads(),
    )


def train_frozen(lake: Lake, splits: pd.DataFrame, images: Mapping[str, UPath]) -> dict[str, PriceModel]:
    """Kernel ridge regression on the features of each frozen network and frame."""
    models = {}
    for name, frames in FROZEN.items():
        backbone = load_backbone(name, "imagenet")
        for settings in frames:
            began = time.monotonic()
            store = open_store(lake.folder("features"), backbone, settings)
            update_store(store, backbone, images, torch.device("cpu"), settings=settings)
            label = f"{name} {settings.height}x{settings.width}"
            models[label], _ = train_price_model(lake.folder("models", name), store, splits, KERNEL)
            print(f"{label}: {time.monotonic() - began:.0f} s", flush=True)
    return models


def train_finetuned(
    lake: Lake, splits: pd.DataFrame, images: Mapping[str, UPath], frozen: PriceModel
) -> dict[str, PriceModel]:
    """Networks whose upper blocks are trained, each together with a kernel ridge regression on its features."""
    models = {}
    for name, settings in FINETUNED.items():
        began = time.monotonic()
        scratch = Path(str(lake.folder("finetuning", name)))
        scratch.mkdir(parents=True, exist_ok=True)
        write_table(UPath(scratch / "splits.parquet"), splits)
        job = FinetuneJob(
            backbone=name,
            weights="imagenet",
            weights_folder=None,
            device="cpu",
            splits=str(scratch / "splits.parquet"),
            scratch=str(scratch),
            checkpoints=str(scratch / "checkpoints"),
            settings=settings,
        )
        store = frozen.open_store()
        model, _ = finetune_price_model(lake.folder("models", name), store, splits, images, job)
        table([{str(name): value for name, value in row.items()} for row in model.history().to_dict("records")])
        metrics = model.metrics()
        print(f"{name} fine-tuned: {metrics}, {time.monotonic() - began:.0f} s", flush=True)
        models[f"{name} fine-tuned"] = model
    return models


def errors(model: Model, splits: pd.DataFrame) -> dict[str, float]:
    """MSE of a model on the validation and on the test rows."""
    held_out = {split: splits[splits["split"] == split] for split in ("validation", "test")}
    return {
        f"{split} MSE": float(np.square(price_known(model, rows["sha256"].tolist()) - rows["price"]).mean())
        for split, rows in held_out.items()
    }


def score(lake: Lake, members: Mapping[str, PriceModel], splits: pd.DataFrame) -> dict[str, Any]:
    """Combine models and print their errors, the shares, the metrics beside the baselines', and the coverage."""
    model, _ = train_ensemble(lake.folder("models", ENSEMBLE), list(members.values()), splits)
    names = {member.name: name for name, member in members.items()}
    shares = {names[member.name]: share for member, share in zip(model.members, model.shares, strict=True)}
    print()
    table([{"model": name, **errors(each, splits)} for name, each in (*members.items(), ("ensemble", model))])
    evaluated = evaluate(model, predict_listings(model, splits), model.name)
    evaluated = evaluated[evaluated["split"] == "test"]
    overall = evaluated[evaluated["group"] == "all"].set_index("predictor")[list(COLUMNS)].astype(float)
    scores = {str(name): dict(zip(COLUMNS, row, strict=True)) for name, row in overall.iterrows()}
    by_fifth = evaluated[evaluated["group"] == "predicted_price"].set_index("member")["coverage"].astype(float)
    fifths = {str(fifth): float(share) for fifth, share in by_fifth.items()}
    ours = scores["model"]
    print("\nensemble: " + ", ".join(f"{share:.0%} {name}" for name, share in shares.items()))
    table([{"predictor": name, **row} for name, row in scores.items()])
    print("coverage (%) of the 90 % intervals by fifth of the predicted price")
    table([{"all": 100 * ours["coverage"], **{fifth: 100 * share for fifth, share in fifths.items()}}])
    return {
        "shares": {name: round(share, 3) for name, share in shares.items()},
        "validation_mse": errors(model, splits)["validation MSE"],
        "mse": ours["mse"],
        "mse_interval": [round(ours["mse_low"]), round(ours["mse_high"])],
        "mean_predictor_mse": scores["mean"]["mse"],
        "r2": round(ours["r2"], 3),
        "coverage": round(ours["coverage"], 4),
        "coverage_by_predicted_price": {fifth: round(share, 4) for fifth, share in fifths.items()},
    }


def cpu_seconds() -> float:
    """User and system time of this process and its children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def authors_store(lake: Lake) -> FeatureStore:
    """Features of all listings' images, including those that the cleaned data set has no rows of."""
    name, (settings, *_) = next(iter(FROZEN.items()))
    backbone = load_backbone(name, "imagenet")
    store = open_store(lake.folder("features"), backbone, settings)
    images = {sha256: lake.image(sha256) for sha256 in read_table(lake.table("listings"))["sha256"].unique()}
    update_store(store, backbone, images, torch.device("cpu"), settings=settings)
    return store


def authors_split(lake: Lake, archive: Path) -> pd.DataFrame:
    """The author's split; a sixth of the training images becomes the validation set, which selects the penalty."""
    properties = read_table(lake.table("image_properties"))
    groups = dict(zip(properties["sha256"], group_near_duplicates(properties), strict=True))
    rows = pd.concat(
        [pd.read_csv(archive / f"{side}_clean.csv").assign(split=side) for side in ("train", "test")],
        ignore_index=True,
    ).rename(columns={"sale_price": "price"})
    rows["sha256"] = [
        hashlib.sha256((archive / "images" / name).read_bytes()).hexdigest() for name in rows["image_name"]
    ]
    held_out = rows["sha256"].map(lambda sha256: int(sha256[:8], 16) % 6 == 0) & (rows["split"] == "train")
    return rows.assign(
        twin_group=rows["sha256"].map(groups),
        price=rows["price"].astype(float),
        split=rows["split"].mask(held_out, "validation"),
    )


if __name__ == "__main__":
    main()
