"""Fine-tuning mobilenet_v2 on the published catalogue: what it adds to the frozen path, and how long an epoch takes.

The blocks from --unfreeze-from on are trained together with the head; everything is chosen on validation rows: the best
epoch, and how much of the frozen kernel ridge's prediction is mixed in. Seconds per epoch beside a plain PyTorch loop
that trains the same blocks as most people would write it: float32, channels first, every picture decoded with Pillow
and sent through the whole network in every epoch. Asked for: a test MSE of at most 45,000, and an epoch at least twice
as fast.

    python benchmarks/finetune.py --archive FOLDER --weights FOLDER [--scratch FOLDER] [--rows N] [--epochs N]

--scratch keeps decoded pictures, activations and checkpoints, so that a run that was ended goes on.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torchvision
from PIL import Image
from published import published_splits
from report import command_line, conclude, show_progress, table
from torch import nn
from torchvision.transforms import v2
from upath import UPath

from sneaker_assets.lake import write_table
from sneaker_assets.vision.backbones import load_backbone, pool
from sneaker_assets.vision.features import open_store, update_store
from sneaker_assets.vision.finetuned import FinetuneJob
from sneaker_assets.vision.frames import keep_frames
from sneaker_assets.vision.images import Frame
from sneaker_assets.vision.metrics import bootstrap_intervals, regression_metrics
from sneaker_assets.vision.price_model import price_rows
from sneaker_assets.vision.settings import FeatureSettings, FinetuneSettings, HeadConfig
from sneaker_assets.vision.training import train_head
from sneaker_assets.vision.weights import find_weights, read_weights

MOST_MSE, LEAST_RATIO = 45_000.0, 2.0
HEIGHT, WIDTH, BATCH = 160, 384, 64
PLAIN_IMAGES = 640
CPU = torch.device("cpu")


def main() -> None:
    """Train, measure both sides, report."""
    parser = command_line(__doc__, archive=True)
    parser.add_argument("--scratch", type=Path, help="folder for what is kept; default: one of its own, removed")
    parser.add_argument("--rows", type=int, help="fewer while trying; default: all")
    parser.add_argument("--epochs", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--copies", type=int, default=2, help="augmented copies; default: %(default)s")
    parser.add_argument("--unfreeze-from", default="features.14", help="default: %(default)s")
    parser.add_argument(
        "--plain-images", type=int, default=PLAIN_IMAGES, help="of the plain epoch; default: %(default)s"
    )
    options = parser.parse_args()
    if not options.weights:
        sys.exit("--weights FOLDER with a file for mobilenet_v2 is needed")
    show_progress()
    with tempfile.TemporaryDirectory() as own:
        measure(options, options.scratch or Path(own))


def measure(options: argparse.Namespace, scratch: Path) -> None:
    """Both claims in one run."""
    scratch.mkdir(parents=True, exist_ok=True)
    splits, images = published_splits(options.archive, scratch)
    if options.rows:
        splits = splits.sample(options.rows, random_state=0).reset_index(drop=True)
    images = {sha256: images[sha256] for sha256 in splits["sha256"].unique()}
    prices, sides = splits["price"].to_numpy(dtype=float), splits["split"].to_numpy(dtype=str)
    began = time.monotonic()
    frozen = frozen_prices(options, splits, images, scratch)
    ours, epoch_seconds = finetuned_prices(options, splits, images, scratch)
    seconds = time.monotonic() - began
    plain = plain_epoch(options, splits, images)

    held_out, test = sides == "validation", sides == "test"
    shares = np.linspace(0, 1, 21)
    errors = [np.mean((w * ours + (1 - w) * frozen - prices)[held_out] ** 2) for w in shares]
    share = float(shares[int(np.argmin(errors))])
    mixed = share * ours + (1 - share) * frozen
    rows = []
    for name, predicted in (("frozen kernel ridge", frozen), ("fine-tuned", ours), (f"{share:.2f} of it", mixed)):
        scores = regression_metrics(prices[test], predicted[test]) | bootstrap_intervals(prices[test], predicted[test])
        validation = regression_metrics(prices[held_out], predicted[held_out])["mse"]
        columns = ("mse", "mse_low", "mse_high", "rmse", "mae", "median_ape", "r2")
        rows.append({"predictor": name, "validation_mse": validation} | {column: scores[column] for column in columns})
    print()
    table(rows)
    print(f"\nan epoch: ours {epoch_seconds:.1f} s, plain {plain:.1f} s (scaled from {options.plain_images} rows)\n")
    mse = rows[-1]["mse"]
    conclude(
        "finetune",
        ours=mse,
        theirs=rows[0]["mse"],
        unit="test MSE, US dollars squared, fine-tuned and frozen",
        asked=f"at most {MOST_MSE:,.0f}, and an epoch at least {LEAST_RATIO:g} times as fast as a plain loop",
        holds=bool(mse <= MOST_MSE and plain >= LEAST_RATIO * epoch_seconds),
        mse_interval=[round(rows[-1]["mse_low"]), round(rows[-1]["mse_high"])],
        finetuned_alone=round(rows[1]["mse"]),
        share_of_finetuned=share,
        epoch_seconds={"ours": round(epoch_seconds, 1), "plain": round(plain, 1)},
        times_faster=round(plain / epoch_seconds, 1),
        seconds=round(seconds),
        threads=torch.get_num_threads(),
    )


def frozen_prices(
    options: argparse.Namespace, splits: pd.DataFrame, images: Mapping[str, UPath], scratch: Path
) -> np.ndarray:
    """Prices float64 [N] by a kernel ridge on the frozen network's maps of three sizes, in both views."""
    backbone = load_backbone("mobilenet_v2", "auto", options.weights)
    settings = FeatureSettings(height=HEIGHT, width=WIDTH, keep="scales", mirrored=True)
    store = open_store(UPath(scratch / "features"), backbone, settings)
    update_store(store, backbone, images, CPU, settings=settings)
    features = store.gather_views(splits["sha256"].tolist())
    sides = splits["split"].to_numpy(dtype=str)
    config = HeadConfig(kind="kernel_ridge")
    trained = train_head(features, splits["price"].to_numpy(dtype=float), sides, config, blocks=store.blocks)
    return price_rows(trained.head, features)


def finetuned_prices(
    options: argparse.Namespace, splits: pd.DataFrame, images: Mapping[str, UPath], scratch: Path
) -> tuple[np.ndarray, float]:
    """Prices float64 [N] by the fine-tuned network, and the seconds of its typical epoch."""
    write_table(UPath(scratch / "splits.parquet"), splits)
    settings = FinetuneSettings(
        unfreeze_from=options.unfreeze_from,
        height=HEIGHT,
        width=WIDTH,
        copies=options.copies,
        epochs=options.epochs,
        batch_size=BATCH,
    )
    keep_frames(scratch, images, Frame(HEIGHT, WIDTH, "trim"))
    job = FinetuneJob(
        "mobilenet_v2", "auto", str(options.weights), "cpu", str(scratch / "splits.parquet"), str(scratch),
        str(scratch / "checkpoints"), settings,
    )  # fmt: skip
    training, name = job.begin()
    done = training.run(UPath(job.checkpoints) / name, name)
    table(done.history.to_dict("records"))
    with torch.inference_mode():
        expected = training.expect(done.network, np.arange(len(splits)))
        priced = done.network.head.dollars(expected).double().numpy()
    return priced, float(done.history["seconds"].median())


def plain_epoch(options: argparse.Namespace, splits: pd.DataFrame, images: Mapping[str, UPath]) -> float:
    """Seconds of an epoch as it is usually written, scaled from some of its rows."""
    whole = torchvision.models.mobilenet_v2()
    file = find_weights("mobilenet_v2", options.weights)
    assert file is not None
    whole.load_state_dict(read_weights(file))
    body = whole.features.eval()
    first = int(options.unfreeze_from.split(".")[1])
    body[:first].requires_grad_(requires_grad=False)
    head = nn.Sequential(nn.Linear(2560, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 1), nn.Flatten(0))
    trained = [p for p in (*body.parameters(), *head.parameters()) if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=3e-4)
    transform = v2.Compose(
        [
            v2.Resize((HEIGHT, WIDTH)),
            v2.RandomRotation(6, fill=255),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.15, 0.15, 0.15),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    train = splits[splits["split"] == "train"]
    timed = train.head(options.plain_images)
    target = torch.tensor(timed["price"].to_numpy() / 200, dtype=torch.float32)
    began = time.monotonic()
    for rows in torch.arange(len(timed)).split(BATCH):
        paths = [images[timed["sha256"].iloc[int(row)]] for row in rows]
        pictures = [Image.open(path.open("rb")).convert("RGB") for path in paths]
        batch = torch.stack([transform(picture) for picture in pictures])
        loss = nn.functional.mse_loss(head(pool(body(batch))), target[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return (time.monotonic() - began) * len(train) / len(timed)


if __name__ == "__main__":
    main()
