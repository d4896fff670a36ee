"""Images per second of the feature extractor, compared with the same network of timm in evaluation mode.

Both sides turn batches of decoded pixels (160x384, StockX images of --archive or drawn shoes) into the average
and the maximum of each channel of the last feature map, in float32, with the same packaged weights. Each side has a
process of its own; they take turns, and the best round of each counts. timm's network runs as published. It is also
measured with the project's memory settings (``keep_freed_memory``), and with channels last in addition, so that the
effect of folded batch norms and padding can be told apart. Claims: at least 1.5 times as fast as timm, and the same
features.

    python benchmarks/features.py [--archive FOLDER] [--backbone efficientnet_lite0]
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import io
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from report import command_line, conclude, table
from torch import Tensor
from upath import UPath

from sneaker_assets.demo_shop.catalogue import generate_catalogue
from sneaker_assets.demo_shop.shoes import draw_shoe, encode_jpeg
from sneaker_assets.torch_utils.device import keep_freed_memory
from sneaker_assets.vision.backbones.architectures import get_architecture
from sneaker_assets.vision.backbones.backbone import load_backbone, pool
from sneaker_assets.vision.backbones.networks import find_input_spec
from sneaker_assets.vision.backbones.packaged import find_packaged
from sneaker_assets.vision.backbones.weights import load_weights, read_weights
from sneaker_assets.vision.features.extractor import FeatureExtractor
from sneaker_assets.vision.imaging.decoding import Frame, read_batches

MIN_RATIO = 1.5
MAX_DIFFERENCE = 1e-4
BATCH, BATCHES = 32, 2
ROUNDS = 6
FRAME = Frame(160, 384, "trim")
OURS, TIMM = "ours", "timm"
SIDES = (OURS, TIMM, f"{TIMM}, memory settings", f"{TIMM}, memory settings, channels last")

Pixels = NDArray[np.uint8]


def plain(name: str, *, channels_last: bool) -> Callable[[Pixels], Tensor]:
    """The network of timm in evaluation mode."""
    import timm  # noqa: PLC0415 - slow to import, and ours does so itself

    architecture = get_architecture(name)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model, file = timm.create_model(architecture.library_name), find_packaged(architecture)
    assert file is not None, f"install {architecture.packaged_in}"
    load_weights(model, read_weights(file), file.name)
    model.eval().requires_grad_(requires_grad=False).to(memory_format=layout)
    spec = find_input_spec(architecture)
    mean, deviation = (torch.tensor(channels).reshape(1, 3, 1, 1) for channels in (spec.mean, spec.deviation))

    def compute(batch: Pixels) -> Tensor:
        images = (torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255 - mean) / deviation
        features: Tensor = model.forward_features(images.contiguous(memory_format=layout))  # type: ignore[operator]
        return pool(features)

    return compute


@cache
def build(side: str, name: str) -> Callable[[Pixels], Tensor]:
    """What a side computes; each calls it once, in its own process."""
    if side == OURS:
        extract = FeatureExtractor(load_backbone(name, "imagenet"), torch.device("cpu"))
        return lambda batch: extract(batch)[0]
    if "memory settings" in side:
        keep_freed_memory()
    return plain(name, channels_last="channels last" in side)


@torch.inference_mode()
def measure(side: str, name: str, batches: list[Pixels]) -> tuple[float, float, Pixels]:
    """Seconds, CPU seconds and features of one round."""
    compute = build(side, name)
    start, cpu = time.perf_counter(), time.process_time()
    features = [compute(batch) for batch in batches]
    return time.perf_counter() - start, time.process_time() - cpu, torch.cat(features).numpy()


def read_pixels(archive: Path | None) -> list[Pixels]:
    """Batches of decoded images."""
    n = BATCH * BATCHES
    if archive:
        paths = [UPath(path) for path in sorted((archive / "images").glob("stockx_*.jpg"))[:n]]
        return list(read_batches(paths, BATCH, FRAME))
    shoes = [product for product in generate_catalogue(2 * n) if not product.image_of][:n]
    size = FRAME.width, FRAME.height
    drawn = [Image.open(io.BytesIO(encode_jpeg(draw_shoe(shoe.design)))).convert("RGB").resize(size) for shoe in shoes]
    return list(np.stack([np.asarray(image) for image in drawn]).reshape(BATCHES, BATCH, *size[::-1], 3))


def main() -> None:
    """Measure all sides in turn and report."""
    options = command_line(__doc__)
    options.add_argument("--backbone", default="efficientnet_lite0", help="default: %(default)s")
    given = options.parse_args()
    batches = read_pixels(given.archive)
    seconds: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
    features: dict[str, Pixels] = {}
    with ExitStack() as stack:
        spawn = multiprocessing.get_context("spawn")
        processes = {side: stack.enter_context(ProcessPoolExecutor(1, spawn)) for side in SIDES}
        for _ in range(1 + ROUNDS):
            for side, process in processes.items():
                wall, cpu, features[side] = process.submit(measure, side, given.backbone, batches).result()
                seconds[side].append((wall, cpu))
    images = BATCH * BATCHES
    rates = {side: images / min(wall for wall, _ in rounds[1:]) for side, rounds in seconds.items()}
    per_core = {side: images / min(cpu for _, cpu in rounds[1:]) for side, rounds in seconds.items()}
    difference = float(np.linalg.norm(features[OURS] - features[TIMM]) / np.linalg.norm(features[TIMM]))
    print(f"{given.backbone} at {FRAME.height}x{FRAME.width}, {torch.get_num_threads()} threads, batches of {BATCH}")
    table(
        [
            {
                "side": side,
                "images/s": rates[side],
                "images/s of CPU time": per_core[side],
                "ours, times as fast": rates[OURS] / rates[side],
                "in CPU time": per_core[OURS] / per_core[side],
            }
            for side in SIDES
        ]
    )
    print(f"relative difference of the features: {difference:.1e}\n")
    conclude(
        "features",
        ours=rates[OURS],
        baseline=rates[TIMM],
        unit="images/s",
        claim=f"at least {MIN_RATIO:g} times as fast as timm in evaluation mode",
        holds=rates[OURS] >= MIN_RATIO * rates[TIMM] and difference <= MAX_DIFFERENCE,
        difference=difference,
        backbone=given.backbone,
        threads=torch.get_num_threads(),
        per_core={side: round(rate, 1) for side, rate in per_core.items()},
    )


if __name__ == "__main__":
    main()
