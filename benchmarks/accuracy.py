"""Accuracy of a frozen mobilenet_v2 on the published catalogue, and the effect of leakage in the author's split.

Listings, near-duplicate groups and splits are produced by the graph, features and heads by the project's own code.
Features and head are selected on the validation set and evaluated on the test set. For comparison, ridge regression is
evaluated on the author's split, unchanged. Claim: a test MSE of at most 50,000.

    python benchmarks/accuracy.py --archive FOLDER --weights FOLDER [--lake FOLDER]
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import hashlib
import os
import tempfile
import time
from pathlib import Path

import dagster as dg
import pandas as pd
import torch
from report import command_line, conclude, show_progress, table

from sneaker_assets.cli.pipeline import Stage, run_stage
from sneaker_assets.lake import Lake, read_table
from sneaker_assets.near_duplicates.grouping import group_near_duplicates
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.evaluation.evaluate import evaluate, predict_listings
from sneaker_assets.vision.evaluation.studies import score_split
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.pricing.price_model import PriceModel, train_price_model
from sneaker_assets.vision.settings import FeatureSettings, HeadSettings

MAX_MSE = 50_000.0
# Shoes are wide: trimmed, they fill this frame, but less than half of a square one of as many pixels.
FEATURES = {
    "last map": FeatureSettings(height=160, width=384),
    "three maps": FeatureSettings(height=160, width=384, keep="scales"),
    "three maps, both views": FeatureSettings(height=160, width=384, keep="scales", mirrored=True),
}
KERNEL = HeadSettings(kind="kernel_ridge")
OTHER_HEADS = {
    "kernel ridge, log": HeadSettings(kind="kernel_ridge", target="log"),
    "ridge": HeadSettings(kind="ridge"),
    "ridge, log": HeadSettings(kind="ridge", target="log"),
    "network": HeadSettings(),
}
COLUMNS = ("mse", "mse_low", "mse_high", "rmse", "mae", "median_ape", "r2", "coverage")

Candidate = tuple[FeatureStore, PriceModel]


def main() -> None:
    """Build the data set, select features and head, and report."""
    parser = command_line(__doc__, archive=True)
    parser.add_argument("--lake", type=Path, help="folder in which to keep the lake between runs")
    options = parser.parse_args()
    if not options.weights:
        parser.error("--weights must name a folder with a file for mobilenet_v2")
    show_progress()
    start = time.monotonic()
    backbone = load_backbone("mobilenet_v2", "auto", options.weights)
    with tempfile.TemporaryDirectory() as scratch:
        lake = make_data_set(
            options.archive.resolve(), (options.lake or Path(scratch, "lake")).resolve(), Path(scratch)
        )
        report(lake, backbone, options.archive, start)


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


def report(lake: Lake, backbone: Backbone, archive: Path, start: float) -> None:
    """Fit all candidates, evaluate the best one on validation rows, and evaluate the author's split."""
    splits = read_table(lake.table("splits"))
    candidates = fit(lake, backbone, splits)
    errors = {name: model.metrics()["validation_rmse"] ** 2 for name, (_, model) in candidates.items()}
    best = min(errors, key=lambda name: errors[name])
    print()
    table([{"features and head": name, "validation MSE": error} for name, error in errors.items()])
    store, model = candidates[best]
    print(f"\nselected on the validation set: {best}; on the {(splits['split'] == 'test').sum():,} test rows")
    evaluated = evaluate(model, predict_listings(model, splits), best)
    evaluated = evaluated[evaluated["split"] == "test"]
    scores = evaluated[evaluated["group"] == "all"].set_index("predictor")
    table([{"predictor": name, **row} for name, row in scores[list(COLUMNS)].astype(float).to_dict("index").items()])
    fifths = evaluated[evaluated["group"] == "predicted_price"].set_index("member")["coverage"].astype(float).to_dict()
    print("\ncoverage (%) of the 90 % intervals by fifth of the predicted price")
    covered = {"all": float(scores.loc["model", "coverage"]), **fifths}
    table([{name: 100 * share for name, share in covered.items()}])
    print("\nthe author's split, unchanged")
    authors = score_split(store, authors_split(lake, archive))
    table(authors)
    print()
    ours = scores.loc["model"]
    conclude(
        "accuracy",
        ours=float(ours["mse"]),
        baseline=float(scores.loc["mean", "mse"]),
        unit="test MSE, US dollars squared",
        claim=f"at most {MAX_MSE:,.0f}",
        holds=bool(ours["mse"] <= MAX_MSE),
        selected=best,
        mse_interval=[round(ours["mse_low"]), round(ours["mse_high"])],
        r2=round(float(ours["r2"]), 3),
        coverage=round(float(ours["coverage"]), 4),
        coverage_by_predicted_price={fifth: round(share, 4) for fifth, share in fifths.items()},
        rows=splits["split"].value_counts().to_dict(),
        authors_split=authors,
        seconds=round(time.monotonic() - start),
    )


def fit(lake: Lake, backbone: Backbone, splits: pd.DataFrame) -> dict[str, Candidate]:
    """Fit kernel ridge regression on all features, and the other heads on the best features."""
    fitted: dict[str, Candidate] = {}
    images = {sha256: lake.image(sha256) for sha256 in read_table(lake.table("listings"))["sha256"].unique()}
    for name, settings in FEATURES.items():
        print(name, flush=True)
        store = open_store(lake.folder("features"), backbone, settings)
        update_store(store, backbone, images, torch.device("cpu"), settings=settings)
        fitted[f"{name}, kernel ridge"] = (store, train(lake, store, splits, KERNEL))
    best = min(FEATURES, key=lambda name: fitted[f"{name}, kernel ridge"][1].metrics()["validation_rmse"])
    store, _ = fitted[f"{best}, kernel ridge"]
    for name, config in OTHER_HEADS.items():
        print(name, flush=True)
        fitted[f"{best}, {name}"] = (store, train(lake, store, splits, config))
    return fitted


def train(lake: Lake, store: FeatureStore, splits: pd.DataFrame, config: HeadSettings) -> PriceModel:
    """Train a head on the features of a store."""
    return train_price_model(lake.folder("models", "mobilenet_v2"), store, splits, config)[0]


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
