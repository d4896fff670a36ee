"""What a frozen mobilenet_v2 knows of prices, on the published catalogue, split without twins; beside it, what leaks.

The split is by picture: byte-identical images and those of the same difference hash are on one side. Head and penalty
are chosen on validation rows; test rows are looked at once. The author's own split is scored unchanged beside it. Asked
for: a test MSE of at most 50,000.

    python benchmarks/accuracy.py --archive FOLDER --weights FOLDER
"""

import hashlib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from report import arguments, conclude, table
from upath import UPath

from sneaker_assets.market.outliers import iqr_fence
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.vision.backbones import load_backbone
from sneaker_assets.vision.features import open_store, update_store
from sneaker_assets.vision.metrics import bootstrap_intervals, regression_metrics
from sneaker_assets.vision.price_model import price_rows
from sneaker_assets.vision.settings import FeatureSettings, HeadConfig
from sneaker_assets.vision.store import FeatureStore
from sneaker_assets.vision.studies import score_split
from sneaker_assets.vision.training import train_head

MOST_MSE = 50_000.0
FEATURES = FeatureSettings(fit="trim", height=160, width=384)
"""A shoe is wide: cut to its outline it fills this frame, and a square one of as many pixels by less than half."""

HEADS = {
    "ridge": HeadConfig(kind="ridge"),
    "ridge, log": HeadConfig(kind="ridge", target="log"),
    "kernel ridge": HeadConfig(kind="kernel_ridge"),
    "kernel ridge, log": HeadConfig(kind="kernel_ridge", target="log"),
    "network": HeadConfig(),
}


def main() -> None:
    """Compute the features once, fit every head, and report."""
    options = arguments(__doc__, archive=True)
    if not options.weights:
        sys.exit("--weights FOLDER with a file for mobilenet_v2 is needed")
    catalogue = read_catalogue(options.archive)
    backbone = load_backbone("mobilenet_v2", "auto", options.weights)
    with tempfile.TemporaryDirectory() as scratch:
        store = open_store(UPath(scratch), backbone, FEATURES)
        images = {row.sha256: UPath(row.path) for row in catalogue.drop_duplicates("sha256").itertuples()}
        update_store(store, backbone, images, torch.device("cpu"), settings=FEATURES)
        report(catalogue, store, options.archive)


def read_catalogue(archive: Path) -> pd.DataFrame:
    """Every row whose image is there: ``price``, ``image_name``, ``path``, ``sha256`` and ``twin_group``."""
    rows = pd.read_csv(archive / "listings.csv").rename(columns={"sale_price": "price"})
    rows["path"] = [archive / "images" / name for name in rows["image_name"]]
    rows = rows[[path.exists() for path in rows["path"]]].reset_index(drop=True)
    rows["sha256"] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in rows["path"]]
    looks = {row.sha256: difference_hash(row.path) for row in rows.drop_duplicates("sha256").itertuples()}
    return rows.assign(
        twin_group=rows["sha256"].map(looks),
        site=rows["image_name"].str.partition("_")[0],
        product_id=rows["image_name"],
        price=rows["price"].astype(float),
    )


def difference_hash(path: Path, side: int = 16) -> str:
    """Which of neighbouring pixels is brighter, on a small grey picture: the same for re-encoded or resized copies."""
    with Image.open(path) as image:
        small = np.asarray(image.convert("L").resize((side + 1, side), Image.Resampling.BOX), dtype=int)
    return hashlib.sha256(np.packbits(small[:, 1:] > small[:, :-1]).tobytes()).hexdigest()


def report(catalogue: pd.DataFrame, store: FeatureStore, archive: Path) -> None:
    """Fit every head on our split, score the one chosen, and score the author's split."""
    fence = iqr_fence(catalogue["price"])
    splits = assign_splits(catalogue[catalogue["price"] <= fence.upper].reset_index(drop=True))
    features = store.gather_views(splits["sha256"].tolist())
    prices, sides = splits["price"].to_numpy(), splits["split"].to_numpy(dtype=str)
    test = sides == "test"
    scores = {"mean": score(prices[test], np.full(test.sum(), prices[sides == "train"].mean()))}
    for name, config in HEADS.items():
        trained = train_head(features, prices, sides, config)
        kept = trained.history.iloc[trained.best]
        scores[name] = {
            **score(prices[test], price_rows(trained.head, features[:, test])),
            "validation_mse": float(kept["validation_mse"]),
        }
    show(scores)
    chosen = min(HEADS, key=lambda name: scores[name]["validation_mse"])
    print(f"\nchosen on validation: {chosen}\n\nthe author's split, unchanged")
    authors = score_split(store, authors_split(catalogue, archive))
    table(authors)
    print()
    ours = scores[chosen]
    conclude(
        "accuracy",
        ours=ours["mse"],
        theirs=scores["mean"]["mse"],
        unit="test MSE, US dollars squared",
        asked=f"at most {MOST_MSE:,.0f}",
        holds=bool(ours["mse"] <= MOST_MSE),
        head=chosen,
        mse_interval=[round(ours["mse_low"]), round(ours["mse_high"])],
        r2=round(ours["r2"], 3),
        rows=splits["split"].value_counts().to_dict(),
        authors_split=authors,
    )


def score(actual: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Errors with their bootstrap intervals."""
    return {"validation_mse": float("nan"), **regression_metrics(actual, predicted)} | bootstrap_intervals(
        actual, predicted
    )


def show(scores: Mapping[str, Mapping[str, float]]) -> None:
    """Print one row a predictor."""
    columns = ("validation_mse", "mse", "mse_low", "mse_high", "rmse", "mae", "median_ape", "r2")
    table([{"predictor": name, **{column: row[column] for column in columns}} for name, row in scores.items()])


def authors_split(catalogue: pd.DataFrame, archive: Path) -> pd.DataFrame:
    """The published rows; a sixth of the training pictures is set aside to choose the penalty by."""
    rows = pd.concat(
        pd.read_csv(archive / f"{side}_clean.csv")[["image_name", "sale_price"]].assign(split=side)
        for side in ("train", "test")
    )
    known = catalogue.drop_duplicates("image_name")[["image_name", "sha256", "site", "product_id"]]
    rows = rows.rename(columns={"sale_price": "price"}).astype({"price": float}).merge(known, on="image_name")
    rows["twin_group"] = rows["sha256"]
    aside = rows["sha256"].map(lambda sha256: int(sha256[:8], 16) % 6 == 0) & (rows["split"] == "train")
    return rows.assign(split=rows["split"].mask(aside, "validation"))


if __name__ == "__main__":
    main()
