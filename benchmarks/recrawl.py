"""Time to update features and model after a re-crawl with 1 % new images, relative to the first run.

Claim: at most 5 %.

    python benchmarks/recrawl.py [--images 1000]
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from report import command_line, conclude, show_progress, table
from upath import UPath

from sneaker_assets.market.splits import assign_splits
from sneaker_assets.torch_utils.device import choose_device
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.pricing.training import train_price_model
from sneaker_assets.vision.settings import HeadSettings

NEW_SHARE = 0.01
MAX_SHARE = 0.05


def main() -> None:
    """Measure the first run and the update, and report."""
    options = command_line(__doc__)
    options.add_argument("--images", type=int, default=1000, help="images of the first run; default: %(default)s")
    first_images = options.parse_args().images
    new_images = max(1, round(NEW_SHARE * first_images))
    show_progress()
    backbone = load_backbone("vgg16", "none")
    with tempfile.TemporaryDirectory() as scratch:
        listings = draw(Path(scratch), first_images + new_images)
        first, computed = run(Path(scratch), backbone, listings[:first_images])
        again, added = run(Path(scratch), backbone, listings)
    table(
        [
            {"run": "first", "new images": computed, "seconds": first},
            {"run": "re-crawl", "new images": added, "seconds": again},
        ]
    )
    print()
    conclude(
        "recrawl",
        ours=again,
        baseline=first,
        unit="seconds for features and model",
        claim=f"at most {MAX_SHARE:.0%}",
        holds=again <= MAX_SHARE * first and added == new_images,
    )


def draw(folder: Path, count: int) -> pd.DataFrame:
    """Draw random images and create their listings."""
    rng = np.random.default_rng(0)
    names = [f"{number:064d}" for number in range(count)]
    for name in names:
        coarse = Image.fromarray(rng.integers(0, 256, (8, 18, 3), dtype=np.uint8))
        coarse.resize((470, 214), Image.Resampling.BICUBIC).save(folder / name, "JPEG")
    table = pd.DataFrame({"sha256": names, "price": rng.uniform(100, 900, len(names)), "site": "stockx"})
    return table.assign(product_id=names, twin_group=names, release_date=pd.NaT)


def run(folder: Path, backbone: Backbone, listings: pd.DataFrame) -> tuple[float, int]:
    """Update features and model; return the duration in seconds and the number of new images."""
    start = time.monotonic()
    store = open_store(UPath(folder / "features"), backbone)
    images = {sha256: UPath(folder / sha256) for sha256 in listings["sha256"]}
    computed = update_store(store, backbone, images, choose_device("cpu"))
    train_price_model(UPath(folder / "models"), store, assign_splits(listings), HeadSettings())
    return time.monotonic() - start, computed


if __name__ == "__main__":
    main()
