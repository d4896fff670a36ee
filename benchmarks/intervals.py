"""Coverage of 90 % prediction intervals by fifth of the predicted price, on the published catalogue.

Intervals by bin of the predicted price are compared with one interval for all prices, which earlier versions had, both
calibrated on the same rows. Heads are fitted to features of efficientnet_lite0 with packaged weights, those of the
default recipe. Claim: the intervals of the kernel ridge contain between 85 and 95 % of the test prices in each fifth.

    python benchmarks/intervals.py --archive FOLDER [--scratch FOLDER]

--scratch keeps the lake and the features between runs.
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from published import published_splits
from report import command_line, conclude, table
from upath import UPath

from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.evaluation.evaluate import FIFTHS, fifths
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.heads.conformal import conformal_interval
from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.pricing.price_model import price_rows
from sneaker_assets.vision.pricing.training import calibration_prices
from sneaker_assets.vision.settings import FeatureSettings, HeadSettings

LOWEST, HIGHEST = 85.0, 95.0
FEATURES = FeatureSettings(height=160, width=384, keep="grid", mirrored=True)
HEADS = {
    "kernel ridge": HeadSettings(kind="kernel_ridge"),
    "kernel ridge, log": HeadSettings(kind="kernel_ridge", target="log"),
    "ridge": HeadSettings(kind="ridge"),
    "network": HeadSettings(),
}


def main() -> None:
    """Fit each head, measure both kinds of intervals, and report."""
    parser = command_line(__doc__, archive=True)
    parser.add_argument("--scratch", type=Path, help="folder for lake and features; default: a temporary one")
    options = parser.parse_args()
    backbone = load_backbone("efficientnet_lite0", "imagenet")
    with tempfile.TemporaryDirectory() as temporary:
        scratch = options.scratch or Path(temporary)
        splits, images = published_splits(options.archive, scratch)
        store = open_store(UPath(scratch) / "features", backbone, FEATURES)
        update_store(store, backbone, images, torch.device("cpu"), settings=FEATURES)
        rows = [row for name, config in HEADS.items() for row in measure(name, config, store, splits)]
    print()
    table(rows)
    print()
    single, binned = rows[:2]
    by_fifth = [binned[f"fifth {number}"] for number in range(1, FIFTHS + 1)]
    conclude(
        "intervals",
        ours=float(binned["width, $"]),
        baseline=float(single["width, $"]),
        unit="mean width of the test rows' intervals of the kernel ridge, US dollars, by bin and with one for all",
        claim=f"between {LOWEST:.0f} and {HIGHEST:.0f} % of the prices in each fifth of the predicted price",
        holds=all(LOWEST <= share <= HIGHEST for share in by_fifth),
        rows=rows,
    )


def measure(name: str, config: HeadSettings, store: FeatureStore, splits: pd.DataFrame) -> list[dict[str, object]]:
    """Coverage (%) and mean width of one interval for all prices, and of intervals by bin."""
    features, prices = store.gather_views(splits["sha256"].tolist()), splits["price"].to_numpy()
    sides = splits["split"].to_numpy(dtype=str)
    trained = train_head(features, prices, sides, config, blocks=store.blocks)
    actual, predicted, _ = calibration_prices(trained, features, splits)
    test = sides == "test"
    tested = price_rows(trained.head, features[:, test])
    groups = fifths(pd.Series(tested))
    rows = []
    for bins in (1, FIFTHS):
        interval = conformal_interval(actual, predicted, max_bins=bins)
        covered = pd.Series(interval.covers(prices[test], tested))
        low, high = interval.bounds(tested)
        rows.append(
            {
                "head": name,
                "interval": "one" if bins == 1 else "by bin",
                "all": 100 * float(covered.mean()),
                **(100 * covered.groupby(groups).mean()).round(2).to_dict(),
                "width, $": float(np.mean(high - low)),
            }
        )
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    main()
