"""The price model on one GPU: features of all images with VGG16 at 224x336, training of the head, evaluation.

Then, without a claim, features of the same images with efficientnet_lite0 at 160x384, and optimizer steps that
fine-tune the last stage of each backbone. A network runs in bfloat16 only where that is known to change its features by
less than 1 %: VGG16 does, efficientnet_lite0 does not.

The 12,897 images of the offline shop are first drawn and encoded as JPEGs; the measurement starts with decoding. The
weights are random, which does not affect the duration. Claims: less than 60 s in total, and feature extraction at 50 %
or more of the GPU's measured bfloat16 matrix multiplication throughput.

Needs torch, torchvision, timm, numpy, pandas, pyarrow, pillow, pydantic, scikit-learn and safetensors only:

    PYTHONPATH=. python benchmarks/gpu.py [--images 12897] [--batch 256] [--compile] [--json FILE]
    PYTHONPATH=. python benchmarks/gpu.py --device cpu --images 64    # dry run, no valid measurement

Exits with status 2 if there is no GPU.
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import argparse
import hashlib
import io
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

try:
    import upath  # noqa: F401
except ModuleNotFoundError:
    # The package uses UPath for paths, which are all local in this benchmark.
    sys.modules["upath"] = ModuleType("upath")
    sys.modules["upath"].UPath = Path  # type: ignore[attr-defined]

from sneaker_assets.demo_shop.catalogue import Product, generate_catalogue
from sneaker_assets.demo_shop.shoes import draw_shoe, encode_jpeg
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone, pool
from sneaker_assets.vision.backbones.blocks import default_unfreeze_from, split_at
from sneaker_assets.vision.evaluation.metrics import bootstrap_intervals, regression_metrics
from sneaker_assets.vision.features.extractor import Normalise
from sneaker_assets.vision.heads.conformal import Interval, conformal_interval
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.imaging.decoding import Frame
from sneaker_assets.vision.settings import HeadSettings

IMAGES = 12_897
FRAMES = {"vgg16": Frame(224, 336), "efficientnet_lite0": Frame(160, 384)}
STEPS, ROWS = 20, 64
"""Measured optimizer steps, and images per step."""

MAX_SECONDS, MIN_SHARE = 60.0, 0.5
COULD_NOT_RUN = 2

Result = TypeVar("Result")


def main() -> int:
    """Draw the images, then measure every stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="cpu: dry run")
    parser.add_argument("--images", type=int, default=IMAGES, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=256, help="batch size; default: %(default)s")
    parser.add_argument(
        "--compile", action="store_true", help="compile the network first, not included in the measurement"
    )
    parser.add_argument("--json", type=Path, help="file to which the result is also written")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("not run: no GPU available (--device cpu --images 64 for a dry run)")
        return COULD_NOT_RUN
    logging.basicConfig(stream=sys.stdout, format="  %(message)s", level=logging.WARNING)
    device = torch.device(options.device)
    torch.backends.cudnn.benchmark = True
    start = time.monotonic()
    products, jpegs = draw(options.images)
    drawing = time.monotonic() - start
    print(f"{len(jpegs):,} images drawn in {drawing:.1f} s (not included)", flush=True)
    backbone = load_backbone("vgg16", "none")
    rate = matrix_throughput(device)
    network = prepare(backbone, device, options)

    clock = Clock(device)
    frames = clock("decode", lambda: decode(jpegs, FRAMES["vgg16"]))
    on_device = clock("upload", lambda: torch.from_numpy(frames).to(device))
    features = clock("features", lambda: extract(network, on_device, options.batch))
    predicted, factor, prices, sides = clock("head", lambda: fit(features, products))
    metrics = clock("evaluation", lambda: evaluate(predicted, factor, prices, sides))
    flops = flops_an_image(backbone)
    others = measure_others(jpegs, device, options)
    return report(options, clock, metrics, rate=rate, flops=flops, drawing=drawing, others=others)


def measure_others(jpegs: Sequence[bytes], device: torch.device, options: argparse.Namespace) -> dict[str, float]:
    """Throughput of efficientnet_lite0's features, and of fine-tuning each backbone, images per second."""
    clock, measured = Clock(device), dict[str, float]()
    steps = STEPS if device.type == "cuda" else 1
    for name, frame in FRAMES.items():
        backbone = load_backbone(name, "none")
        frames = torch.from_numpy(decode(jpegs, frame)).to(device)
        if name != "vgg16":
            network, stage = prepare(backbone, device, options), f"features {name}"
            clock(stage, partial(extract, network, frames, options.batch))
            measured[stage] = len(frames) / clock.seconds[stage]
        step, stage = finetuning_step(backbone, device, frames[:ROWS]), f"fine-tune {name}"
        step()
        clock(stage, partial(repeat, step, steps))
        measured[stage] = steps * len(frames[:ROWS]) / clock.seconds[stage]
    return measured


def finetuning_step(backbone: Backbone, device: torch.device, frames: Tensor) -> Callable[[], None]:
    """Optimizer step of the backbone's last stage and a head on uint8 frames; the stages below are computed too."""
    parts, precision = split_at(backbone, default_unfreeze_from(backbone)), precision_of(backbone)
    normalise, lower, upper = (part.to(device) for part in (Normalise(backbone), parts.lower, parts.upper))
    head = build_head(HeadSettings(), 2 * backbone.channels[-1]).to(device)
    optimizer = torch.optim.AdamW([*upper.parameters(), *head.parameters()], lr=1e-5, fused=True)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
            with torch.no_grad():
                below = lower(normalise(frames.permute(0, 3, 1, 2)))
            loss = head.predict_standardized(pool(upper(below).float())).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def repeat(step: Callable[[], None], times: int) -> None:
    """Run a step several times."""
    for _ in range(times):
        step()


def precision_of(backbone: Backbone) -> torch.dtype:
    """bfloat16 for networks that are known to stand it, else float32."""
    return torch.bfloat16 if backbone.architecture.bfloat16_safe else torch.float32


class Clock:
    """Measures the duration of stages, with the device synchronised after each."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}

    def __call__(self, stage: str, work: Callable[[], Result]) -> Result:
        """Run a stage, record its duration and return its result."""
        start = time.monotonic()
        result = work()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds[stage] = time.monotonic() - start
        print(f"  {stage}: {self.seconds[stage]:.2f} s", flush=True)
        return result


def draw(images: int) -> tuple[list[Product], list[bytes]]:
    """Products of the offline shop and their images as JPEGs, drawn on all cores."""
    products = list(generate_catalogue(images))
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores) as processes:
        return products, list(processes.map(draw_jpeg, products, chunksize=max(1, images // (8 * cores))))


def draw_jpeg(product: Product) -> bytes:
    """JPEG of one product."""
    return encode_jpeg(draw_shoe(product.design))


def decode(jpegs: Sequence[bytes], frame: Frame) -> np.ndarray:
    """Decode the JPEGs, trim them and fit them into the frame: uint8 [N, height, width, 3]."""
    frames = np.empty((len(jpegs), frame.height, frame.width, 3), np.uint8)

    def decode_one(number: int) -> None:
        with Image.open(io.BytesIO(jpegs[number])) as image:
            frames[number] = frame.apply(image.convert("RGB"))

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(decode_one, range(len(jpegs))))
    return frames


def prepare(backbone: Backbone, device: torch.device, options: argparse.Namespace) -> nn.Module:
    """Network from uint8 frames to pooled features, normalisation included, after a warm-up."""
    precision, frame = precision_of(backbone), FRAMES[backbone.architecture.name]
    stages, normalise = backbone.ready(device, precision), Normalise(backbone).to(device)

    class Whole(nn.Module):
        """Normalisation, backbone and pooling."""

        def __init__(self) -> None:
            super().__init__()
            self.normalise, self.stages = normalise, stages

        def forward(self, frames: Tensor) -> Tensor:
            """uint8 [n, height, width, 3] to float32 [n, D]."""
            images = self.normalise(frames.permute(0, 3, 1, 2)).to(precision)
            return pool(self.stages(images).float())

    whole: nn.Module = Whole().eval()
    if options.compile:
        whole.compile(mode="max-autotune-no-cudagraphs")
    with torch.inference_mode():
        left = options.images % options.batch
        for size in {min(options.batch, options.images), left or options.batch}:
            whole(torch.zeros(size, frame.height, frame.width, 3, dtype=torch.uint8, device=device))
    return whole


@torch.inference_mode()
def extract(network: nn.Module, frames: Tensor, batch: int) -> np.ndarray:
    """Features, float32 [N, D], of frames on the device."""
    return torch.cat([network(part) for part in frames.split(batch)]).cpu().numpy()


def fit(features: np.ndarray, products: Sequence[Product]) -> tuple[np.ndarray, Interval, np.ndarray, np.ndarray]:
    """Train the default head on splits by image; return predictions, interval, prices and splits of all rows."""
    sold = np.array([product.price is not None for product in products])
    prices = np.array([float(product.price or 0) for product in products])[sold]
    groups = [product.image_of or product.product_id for product in products]
    position = np.array([int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) / 2**32 for group in groups])[sold]
    sides = np.array(["train", "validation", "test"])[np.searchsorted([0.7, 0.85], position)]
    head = train_head(features[None, sold], prices, sides, HeadSettings()).head
    with torch.inference_mode():
        predicted = head(torch.from_numpy(features[sold])).double().numpy()
    held_out = sides == "validation"
    return predicted, conformal_interval(prices[held_out], predicted[held_out]), prices, sides


def evaluate(predicted: np.ndarray, interval: Interval, prices: np.ndarray, sides: np.ndarray) -> dict[str, float]:
    """Test metrics with bootstrap intervals, the coverage, and the RMSE of the mean."""
    test = sides == "test"
    mean = np.full(test.sum(), prices[sides == "train"].mean())
    return {
        **regression_metrics(prices[test], predicted[test]),
        **bootstrap_intervals(prices[test], predicted[test]),
        "coverage": float(interval.covers(prices[test], predicted[test]).mean()),
        "mean_rmse": regression_metrics(prices[test], mean)["rmse"],
    }


def flops_an_image(backbone: Backbone) -> int:
    """Floating-point operations of the network per frame, counted on the meta device."""
    network, frame = backbone.ready(torch.device("cpu"), torch.bfloat16).to("meta"), FRAMES[backbone.architecture.name]
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, frame.height, frame.width, dtype=torch.bfloat16, device="meta"))
    return int(counter.get_total_flops())


def matrix_throughput(device: torch.device) -> float:
    """Operations per second of square bfloat16 matrix multiplications, the best of several sizes."""
    sizes, runs = ((8192, 12288, 16384), 20) if device.type == "cuda" else ((512,), 2)
    best = 0.0
    for size in sizes:
        one, other = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
        for _ in range(3):
            one @ other
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(runs):
            one @ other
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2 * size**3 * runs / (time.perf_counter() - start))
    return best


def report(
    options: argparse.Namespace,
    clock: Clock,
    metrics: dict[str, float],
    *,
    rate: float,
    flops: int,
    drawing: float,
    others: dict[str, float],
) -> int:
    """Print the result as text and JSON; return 0 if both claims hold or it was a dry run, else 1."""
    total = sum(clock.seconds.values())
    achieved = flops * options.images / clock.seconds["features"]
    share = achieved / rate
    print(f"total {total:.1f} s; features {options.images / clock.seconds['features']:,.0f} images/s")
    print(f"{achieved / 1e12:,.1f} of {rate / 1e12:,.1f} TFLOP/s in bfloat16: {share:.0%}")
    print(f"test RMSE ${metrics['rmse']:.0f} (mean predictor ${metrics['mean_rmse']:.0f}), random weights")
    print("".join(f"{stage}: {images:,.0f} images/s\n" for stage, images in others.items()))
    measured = options.device == "cuda"
    summary = {
        "name": "gpu",
        "ours": total,
        "baseline": MAX_SECONDS,
        "ratio": total / MAX_SECONDS,
        "unit": "seconds in total, and the limit",
        "claim": f"under {MAX_SECONDS:g} s, and at least {MIN_SHARE:.0%} of the matrix multiplication throughput",
        "holds": bool(measured and total < MAX_SECONDS and share >= MIN_SHARE),
        "device": torch.cuda.get_device_name() if measured else "cpu (dry run)",
        "images": options.images,
        "batch": options.batch,
        "compiled": options.compile,
        "seconds": {stage: round(seconds, 2) for stage, seconds in clock.seconds.items()},
        "drawing_seconds": round(drawing, 1),
        "images_per_second": {stage: round(images, 1) for stage, images in others.items()},
        "teraflops": round(achieved / 1e12, 1),
        "matrix_teraflops": round(rate / 1e12, 1),
        "share": round(share, 3),
        "test_rmse": round(metrics["rmse"], 1),
        "torch": torch.__version__,
    }
    if options.json:
        options.json.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(summary))
    return 0 if summary["holds"] or not measured else 1


if __name__ == "__main__":
    sys.exit(main())
