"""Fine-tuning on the published catalogue: accuracy compared with frozen features, and time per epoch.

As in the asset `finetuned_price_model`, the blocks from --unfreeze-from on are trained together with the head; then
kernel ridge regression is fitted to the fine-tuned features, and both are combined. The best epoch, the kernel and the
weights of the combination are selected on the validation set. The time per epoch is compared with a plain PyTorch loop
over the same blocks: float32, channels first, every image decoded with Pillow and passed through the whole network in
every epoch. Claims: a test MSE of at most 45,000, and epochs at least twice as fast.

    python benchmarks/finetune.py --archive FOLDER [--backbone NAME] [--weights FOLDER] [--scratch FOLDER] [--rows N]

--weights has to name a folder with a file for a backbone whose weights are not installed as a package.
--scratch keeps all intermediate results: an interrupted run resumes, and a completed one only times the epochs again.
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import argparse
import copy
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import Image
from published import published_splits
from report import command_line, conclude, show_progress, table
from torch import nn
from torchvision.transforms import v2
from upath import UPath

from sneaker_assets.lake import write_table
from sneaker_assets.vision.backbones.architectures import get_architecture
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone, pool
from sneaker_assets.vision.backbones.blocks import default_unfreeze_from, named_blocks
from sneaker_assets.vision.backbones.packaged import find_packaged
from sneaker_assets.vision.backbones.weights import find_weights
from sneaker_assets.vision.evaluation.metrics import bootstrap_intervals, regression_metrics
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.finetuning.model import FinetuneJob, finetune_price_model
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.pricing.training import train_price_model
from sneaker_assets.vision.settings import FeatureSettings, FinetuneSettings, HeadSettings

MAX_MSE, MIN_RATIO = 45_000.0, 2.0
HEIGHT, WIDTH, BATCH = 160, 384, 64
TIMED_ROWS = 640


def main() -> None:
    """Train, measure both loops, report."""
    parser = command_line(__doc__, archive=True)
    parser.add_argument("--scratch", type=Path, help="folder for intermediate results; default: a temporary one")
    parser.add_argument("--rows", type=int, help="number of listings; default: all")
    parser.add_argument("--epochs", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--copies", type=int, default=2, help="augmented copies of each image; default: %(default)s")
    parser.add_argument("--backbone", default="efficientnet_lite0", help="default: %(default)s")
    parser.add_argument("--unfreeze-from", help="first block to train; default: the backbone's own")
    parser.add_argument(
        "--timed-rows", type=int, default=TIMED_ROWS, help="rows on which epochs are timed; default: %(default)s"
    )
    options = parser.parse_args()
    packaged = find_packaged(get_architecture(options.backbone))
    if packaged is None and find_weights(options.backbone, options.weights) is None:
        sys.exit(f"--weights must name a folder with a file for {options.backbone}")
    show_progress()
    with tempfile.TemporaryDirectory() as own:
        measure(options, options.scratch or Path(own))


def measure(options: argparse.Namespace, scratch: Path) -> None:
    """Measure both claims."""
    scratch.mkdir(parents=True, exist_ok=True)
    splits, images = published_splits(options.archive, scratch)
    if options.rows:
        splits = splits.sample(options.rows, random_state=0).reset_index(drop=True)
    images = {sha256: images[sha256] for sha256 in splits["sha256"].unique()}
    backbone = load_backbone(options.backbone, "auto", options.weights)
    frozen = features_of(backbone, images, scratch)
    models = UPath(scratch / "models" / options.backbone)
    head, _ = train_price_model(models, frozen, splits, HeadSettings(kind="kernel_ridge"))
    job = finetuning(options, splits, scratch)
    model, _ = finetune_price_model(models, frozen, splits, images, job)
    tuned = FeatureStore.open(frozen.folder.with_name(model.config["features"]["store"]))
    ours, plain = our_epoch(options, job), plain_epoch(options, backbone, splits, images)

    rows = [scores("frozen, kernel ridge", head, frozen, splits), scores("fine-tuned", model, tuned, splits)]
    print()
    table(rows)
    print()
    table(model.history().to_dict("records"))
    print(f"\nseconds per epoch, extrapolated from {options.timed_rows} rows: ours {ours:.1f}, plain {plain:.1f}\n")
    metrics = model.metrics()
    conclude(
        "finetune",
        ours=rows[1]["mse"],
        baseline=rows[0]["mse"],
        unit="test MSE, US dollars squared",
        claim=f"at most {MAX_MSE:,.0f}, and epochs at least {MIN_RATIO:g} times as fast as in a plain loop",
        holds=bool(rows[1]["mse"] <= MAX_MSE and plain >= MIN_RATIO * ours),
        mse_interval=[round(rows[1]["mse_low"]), round(rows[1]["mse_high"])],
        network_share=metrics["network_share"],
        validation_mse={
            "network": round(metrics["network_rmse"] ** 2),
            "kernel": round(metrics["kernel_rmse"] ** 2),
            "both": round(metrics["validation_rmse"] ** 2),
        },
        epoch_seconds={"ours": round(ours, 1), "plain": round(plain, 1)},
        times_faster=round(plain / ours, 1),
        training_seconds=round(metrics["training_seconds"]),
        threads=torch.get_num_threads(),
    )


def features_of(backbone: Backbone, images: Mapping[str, UPath], scratch: Path) -> FeatureStore:
    """Features of the frozen network: feature maps at three scales, of each image and its mirror image."""
    settings = FeatureSettings(height=HEIGHT, width=WIDTH, keep="scales", mirrored=True)
    store = open_store(UPath(scratch / "features"), backbone, settings)
    update_store(store, backbone, images, torch.device("cpu"), settings=settings)
    return store


def finetuning(options: argparse.Namespace, splits: pd.DataFrame, scratch: Path) -> FinetuneJob:
    """Create the fine-tuning job."""
    write_table(UPath(scratch / "splits.parquet"), splits)
    settings = FinetuneSettings(
        unfreeze_from=options.unfreeze_from,
        height=HEIGHT,
        width=WIDTH,
        copies=options.copies,
        epochs=options.epochs,
        batch_size=BATCH,
    )
    return FinetuneJob(
        backbone=options.backbone,
        weights="auto",
        weights_folder=str(options.weights) if options.weights else None,
        device="cpu",
        splits=str(scratch / "splits.parquet"),
        scratch=str(scratch),
        checkpoints=str(scratch / "checkpoints"),
        settings=settings,
    )


def scores(name: str, model: PriceModel, store: FeatureStore, splits: pd.DataFrame) -> dict[str, Any]:
    """Validation MSE of a model, and its test metrics with bootstrap intervals."""
    test = splits[splits["split"] == "test"]
    price, predicted = test["price"].to_numpy(), model.price(store.gather_views(test["sha256"].tolist(), model.views))
    metrics = regression_metrics(price, predicted) | bootstrap_intervals(price, predicted)
    columns = ("mse", "mse_low", "mse_high", "rmse", "mae", "median_ape", "r2")
    validation = model.metrics()["validation_rmse"] ** 2
    return {"predictor": name, "validation_mse": validation} | {column: metrics[column] for column in columns}


def our_epoch(options: argparse.Namespace, job: FinetuneJob) -> float:
    """Seconds per epoch of our fine-tuning, validation included, extrapolated from the timed rows."""
    training, name = job.create_finetuner()
    share = options.timed_rows / len(training.rows.train)
    held_out = round(share * len(training.rows.validation))
    training.rows = replace(
        training.rows,
        train=training.rows.train[: options.timed_rows],
        validation=training.rows.validation[:held_out],
    )
    training.settings = training.settings.with_changes(epochs=1)
    with tempfile.TemporaryDirectory() as folder:
        done = training.run(UPath(folder), name)
    return float(done.history["seconds"].sum()) / share


def plain_epoch(
    options: argparse.Namespace, backbone: Backbone, splits: pd.DataFrame, images: Mapping[str, UPath]
) -> float:
    """Seconds per epoch of a plain PyTorch loop, extrapolated from the timed rows."""
    body = copy.deepcopy(backbone.network).requires_grad_(requires_grad=True)
    start = options.unfreeze_from or default_unfreeze_from(backbone)
    for name, block in named_blocks(replace(backbone, network=body)).items():
        if name == start:
            break
        block.requires_grad_(requires_grad=False)
    n_features = 2 * backbone.channels[-1]
    head = nn.Sequential(nn.Linear(n_features, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 1), nn.Flatten(0))
    trained = [p for p in (*body.parameters(), *head.parameters()) if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-4)
    transform = v2.Compose(
        [
            v2.Resize((HEIGHT, WIDTH)),
            v2.RandomRotation(6, fill=255),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.15, 0.15, 0.15),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(backbone.input.mean, backbone.input.deviation),
        ]
    )
    train = splits[splits["split"] == "train"]
    timed = train.head(options.timed_rows)
    target = torch.tensor(timed["price"].to_numpy() / 200, dtype=torch.float32)
    began = time.monotonic()
    for rows in torch.arange(len(timed)).split(BATCH):
        paths = [images[timed["sha256"].iloc[int(row)]] for row in rows]
        pictures = [Image.open(path.open("rb")).convert("RGB") for path in paths]
        batch = torch.stack([transform(picture) for picture in pictures])
        loss = nn.functional.mse_loss(head(pool(body(batch))), target[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (time.monotonic() - began) * len(train) / len(timed)


if __name__ == "__main__":
    main()
