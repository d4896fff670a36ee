"""Duration of ``sneaker-price``, compared with a process that only runs the network.

``sneaker-price`` runs on one image and on a folder of a hundred, each in a new process. The lower bound is a process
that imports torch, builds the same network and runs it on as many views of blank images, one by one; it does not
decode images, predict prices or search for similar shoes. The lake contains drawn shoes and a model of the default
recipe, by default on EfficientNet-Lite0 with its packaged weights, as the champion of the offline shop. Reported are
the first process and the median of the following ones. Claim: at most 1.25 times the lower bound, less than 4 seconds
for one image and less than 10 for the folder.

    python benchmarks/one_shoe.py [--backbone efficientnet_lite0]
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import torch
from report import command_line, conclude, table

from sneaker_assets.demo_shop.catalogue import generate_catalogue
from sneaker_assets.demo_shop.shoes import draw_shoe, encode_jpeg
from sneaker_assets.lake import Lake, write_bytes, write_json, write_table
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.evaluation.evaluate import evaluate, predict_listings
from sneaker_assets.vision.evaluation.leaderboard import rank_models
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.pricing.similarity_index import build_similarity_index
from sneaker_assets.vision.pricing.training import train_price_model
from sneaker_assets.vision.recipes import find_recipe

MAX_SECONDS, MAX_FOLDER_SECONDS, MAX_RATIO = 4.0, 10.0, 1.25
KNOWN, FOLDER = 60, 100
PROCESSES = 5
FLOOR = """
import sys
from pathlib import Path
from sneaker_assets.vision.backbones.backbone import load_backbone
import torch

name, weights = sys.argv[1], Path(sys.argv[2]) if sys.argv[2] else None
height, width, passes = map(int, sys.argv[3:6])
backbone, cpu = load_backbone(name, "local", weights), torch.device("cpu")
precision = backbone.precision(cpu)
network = backbone.ready(cpu, precision)
with torch.inference_mode():
    for _ in range(passes):
        network(torch.zeros(1, 3, height, width, dtype=precision).to(memory_format=torch.channels_last))
"""


def main() -> None:
    """Build a lake, time both commands and report."""
    options = command_line(__doc__)
    options.add_argument("--backbone", default="efficientnet_lite0", help="default: %(default)s")
    given = options.parse_args()
    weights = str(given.weights or "")
    with tempfile.TemporaryDirectory() as scratch:
        lake, photos = Lake.at(Path(scratch) / "lake"), Path(scratch) / "photos"
        model = make_lake(lake, given.backbone, given.weights)
        draw_photos(photos)
        settings = {"SNEAKER_LAKE": str(lake.root), "SNEAKER_DEVICE": "cpu", "SNEAKER_WEIGHTS": weights}
        environment = os.environ | settings
        command = str(Path(sys.executable).with_name("sneaker-price"))
        frame, views = (str(model.frame.height), str(model.frame.width)), len(model.views)
        floor = [sys.executable, "-c", FLOOR, given.backbone, weights, *frame]
        one = time_both([command, str(photos / "000.jpg")], [*floor, str(views)], environment, PROCESSES)
        many = time_both([command, str(photos)], [*floor, str(FOLDER * views)], environment, 1)
    sides = {"one image, first process": 0, "one image, median of the following": 1}
    rows = [{"what": what, "ours, s": one[0][i], "lower bound, s": one[1][i]} for what, i in sides.items()]
    rows.append({"what": f"folder of {FOLDER} images", "ours, s": many[0][1], "lower bound, s": many[1][1]})
    table([row | {"ratio": row["ours, s"] / row["lower bound, s"]} for row in rows])
    print()
    conclude(
        "one_shoe",
        ours=one[0][1],
        baseline=one[1][1],
        unit="seconds per process, one image",
        claim=f"at most {MAX_RATIO:g} times the lower bound, less than {MAX_SECONDS:g} seconds, and less than "
        f"{MAX_FOLDER_SECONDS:g} for the folder",
        holds=one[0][1] < MAX_SECONDS and many[0][1] < MAX_FOLDER_SECONDS and one[0][1] <= MAX_RATIO * one[1][1],
        first=round(one[0][0], 2),
        folder=round(many[0][1], 2),
        backbone=given.backbone,
    )


def make_lake(lake: Lake, name: str, weights: Path | None) -> PriceModel:
    """Build a lake whose champion is a model of the default recipe on drawn shoes; returns the champion."""
    backbone = load_backbone(name, "local", weights)
    products = [product for product in generate_catalogue(4 * KNOWN) if product.price and not product.image_of][:KNOWN]
    rows = []
    for product in products:
        picture = encode_jpeg(draw_shoe(product.design))
        sha256 = hashlib.sha256(picture).hexdigest()
        write_bytes(lake.image(sha256), picture)
        rows.append({"product_id": product.product_id, "sha256": sha256, "price": float(product.price or 0)})
    shoes = pd.DataFrame(rows).drop_duplicates("sha256")
    shoes = shoes.assign(site="stockx", title="Shoe", url="", label_kind="list", release_date=pd.NaT)
    shoes = shoes.assign(twin_group=shoes["sha256"])
    recipe = find_recipe("default", backbone.weights)
    store = open_store(lake.folder("features"), backbone, recipe.features)
    images = {sha256: lake.image(sha256) for sha256 in shoes["sha256"]}
    update_store(store, backbone, images, torch.device("cpu"), settings=recipe.features)
    splits = assign_splits(shoes)
    model, _ = train_price_model(lake.folder("models", name), store, splits, recipe.head)
    folder = model.folder.relative_to(lake.root).as_posix()
    scores = evaluate(model, predict_listings(model, splits), folder)
    index = build_similarity_index(lake.folder("similarity_index", name), model, store, shoes)
    write_json(lake.reference("similarity_index"), {"folder": index.folder.relative_to(lake.root).as_posix()})
    board = rank_models(lake, scores, splits, previous=None, margin=0.02, now=datetime.now(UTC))
    write_table(lake.table("model_leaderboard"), board)
    return model


def draw_photos(folder: Path) -> None:
    """Draw shoes at 1400x1000 pixels, the size of photos."""
    folder.mkdir()
    shoes = [product for product in generate_catalogue(2 * FOLDER, seed=7) if not product.image_of][:FOLDER]
    for number, product in enumerate(shoes):
        draw_shoe(product.design, (1400, 1000)).save(folder / f"{number:03d}.jpg", quality=90)
    assert len(shoes) == FOLDER


def time_both(
    ours: list[str], floor: list[str], environment: dict[str, str], repeats: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Seconds of the first process and the median of ``repeats`` more, for both commands, which alternate."""
    seconds = [(run(ours, environment), run(floor, environment)) for _ in range(1 + repeats)]
    first, later = seconds[0], [statistics.median(side) for side in zip(*seconds[1:], strict=True)]
    return (first[0], later[0]), (first[1], later[1])


def run(command: list[str], environment: dict[str, str]) -> float:
    """Duration of a command in seconds."""
    start = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


if __name__ == "__main__":
    main()
