"""Sixty epochs of a head on frozen VGG16: cached features compared with the article's forward pass in every epoch.

Ours: decoding, one forward pass in bfloat16, and 60 epochs of the head without early stopping. The article's: every
epoch decodes with Pillow, augments and runs the network in float32; two epochs are timed and extrapolated. Weights and
images are random, which does not affect the duration. Claim: at least 60 times as fast on a CPU without AMX, 150 times
with it.

    python benchmarks/training.py [--images 500]
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from report import command_line, conclude, show_progress, table
from torch import nn
from torchvision.transforms import v2
from upath import UPath

from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.settings import HeadSettings

EPOCHS, BATCH = 60, 64
TIMED_EPOCHS = 2
CPU = torch.device("cpu")


def main() -> None:
    """Time both on the same images and report."""
    options = command_line(__doc__)
    options.add_argument("--images", type=int, default=500, help="number of images; default: %(default)s")
    count = options.parse_args().images
    show_progress()
    min_ratio = 150.0 if "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8") else 60.0
    with tempfile.TemporaryDirectory() as scratch:
        images, prices = draw(Path(scratch), count)
        ours = time_ours(Path(scratch), images, prices)
        article = time_article(images, prices)
    table([{"side": "ours", "seconds": ours}, {"side": "article", "seconds": article}])
    print(f"article: extrapolated from {TIMED_EPOCHS} epochs\n")
    conclude(
        "training",
        ours=ours,
        baseline=article,
        unit="seconds for 60 epochs",
        claim=f"at least {min_ratio:g} times as fast",
        holds=article >= min_ratio * ours,
        speedup=round(article / ours, 1),
        images=count,
        threads=torch.get_num_threads(),
    )


def draw(folder: Path, count: int) -> tuple[list[Path], np.ndarray]:
    """Draw JPEGs of Farfetch's size, with random prices."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 256, (8, 18, 3), dtype=np.uint8))
        coarse.resize((470, 214), Image.Resampling.BICUBIC).save(path)
    return paths, rng.uniform(100, 900, count)


def time_ours(folder: Path, images: list[Path], prices: np.ndarray) -> float:
    """Seconds for features and head with our code."""
    backbone = load_backbone("vgg16", "none")
    sides = np.where(np.arange(len(images)) % 20 < 17, "train", "validation")
    start = time.monotonic()
    store = open_store(UPath(folder / "features"), backbone)
    update_store(store, backbone, {path.name: UPath(path) for path in images}, CPU)
    features = store.gather_views([path.name for path in images])
    trained = train_head(features, prices, sides, HeadSettings(epochs=EPOCHS, batch_size=BATCH, patience=EPOCHS))
    assert len(trained.history) == EPOCHS
    return time.monotonic() - start


def time_article(images: list[Path], prices: np.ndarray) -> float:
    """Seconds for the article's training loop, extrapolated, with a head of our size so that only the loops differ."""
    network = torchvision.models.vgg16(weights=None).features.requires_grad_(requires_grad=False)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 1))
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
    transform = v2.Compose(
        [
            v2.Resize((224, 224)),
            v2.RandomRotation(20),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    target = torch.tensor(prices / 100, dtype=torch.float32)
    start = time.monotonic()
    for epoch in range(TIMED_EPOCHS):
        for rows in torch.randperm(len(images)).split(BATCH):
            batch = torch.stack([transform(Image.open(images[row]).convert("RGB")) for row in rows.tolist()])
            with torch.no_grad():
                feature_map = network(batch)
            loss = nn.functional.mse_loss(head(feature_map).flatten(), target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"  article: epoch {epoch + 1} done after {time.monotonic() - start:.0f} s", flush=True)
    return (time.monotonic() - start) * EPOCHS / TIMED_EPOCHS


if __name__ == "__main__":
    main()
