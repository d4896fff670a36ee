"""Decoding of product images to the network's input size, compared with Pillow's full decode and resize; one thread.

Uses the StockX images of --archive (progressive JPEGs of up to 1400x1000), or drawn images of that size, and the same
images as baseline JPEGs with the same quantisation. Also measured: torchvision's decoder and resize, and decoding at an
eighth of the size, a lower bound since every byte has to be read. Claim: at least 3 times as fast as Pillow.

    python benchmarks/decode.py [--archive FOLDER]
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from report import arguments, conclude, table
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms.v2 import functional
from upath import UPath

from sneaker_assets.vision.imaging.decoding import WHITE, Frame, read_image

MIN_RATIO = 3.0
PICTURES = 150
ROUNDS = 3
FRAME = Frame(224, 224, "pad")

Decode = Callable[[Path], NDArray[np.uint8]]


def plain(path: Path) -> NDArray[np.uint8]:
    """Decode at full size, then resize and pad with Pillow."""
    with Image.open(path) as image:
        size = (FRAME.width, FRAME.height)
        return np.asarray(ImageOps.pad(image.convert("RGB"), size, Image.Resampling.BILINEAR, WHITE))


def ours(path: Path) -> NDArray[np.uint8]:
    """Decode as the pipeline does."""
    return read_image(UPath(path), FRAME)


def with_torchvision(path: Path) -> NDArray[np.uint8]:
    """Decode at full size and resize with torchvision, whose decoder gives the same pixels; without padding."""
    decoded = decode_jpeg(torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8), ImageReadMode.RGB)
    scale = min(FRAME.height / decoded.shape[1], FRAME.width / decoded.shape[2])
    size = [round(side * scale) for side in decoded.shape[1:]]
    return np.asarray(functional.resize(decoded, size, antialias=True).permute(1, 2, 0))


def decode_eighth(path: Path) -> NDArray[np.uint8]:
    """Decode at an eighth of the size, the smallest that JPEG decoders support."""
    with Image.open(path) as image:
        image.draft("RGB", (1, 1))
        return np.asarray(image)


def draw(folder: Path) -> list[Path]:
    """Draw JPEGs of 1400x1000 pixels."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(PICTURES // 5):
        noise = Image.fromarray(rng.integers(0, 256, (40, 56, 3), dtype=np.uint8))
        file = io.BytesIO()
        noise.resize((1400, 1000), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90, progressive=True)
        paths.append(folder / f"{number}.jpg")
        paths[-1].write_bytes(file.getvalue())
    return paths


def as_baseline(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Save the images as baseline JPEGs, with a single scan."""
    for path in paths:
        with Image.open(path) as image:
            image.save(folder / f"baseline-{path.name}", "JPEG", quality="keep", progressive=False)
    return [folder / f"baseline-{path.name}" for path in paths]


SIDES: dict[str, Decode] = {
    "ours": ours,
    "plain": plain,
    "torchvision": with_torchvision,
    "eighth of the size": decode_eighth,
}


def seconds(decode: Decode, paths: Sequence[Path]) -> float:
    """CPU seconds for all images, the best of several rounds; robust against load from other processes."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for path in paths:
            decode(path)
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    """Measure all decoders and report."""
    options = arguments(__doc__)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        if options.archive:
            paths = sorted((options.archive / "images").glob("stockx_*.jpg"))[:PICTURES]
        else:
            paths = draw(Path(scratch))
        kinds = {"as they are": paths, "baseline": as_baseline(paths, Path(scratch))}
        rates = {
            kind: {name: len(paths) / seconds(decode, pictures) for name, decode in SIDES.items()}
            for kind, pictures in kinds.items()
        }
        differences = [np.abs(ours(path).astype(int) - plain(path)).mean() for path in paths[:50]]
    print(f"images/s per core, {len(paths)} images")
    table([{"images": kind, **of_kind, "ratio": of_kind["ours"] / of_kind["plain"]} for kind, of_kind in rates.items()])
    print(f"mean absolute pixel difference: {np.mean(differences):.2f} of 255\n")
    conclude(
        "decode",
        ours=rates["as they are"]["ours"],
        baseline=rates["as they are"]["plain"],
        unit="images/s per core",
        claim=f"at least {MIN_RATIO:g} times as fast as Pillow",
        holds=rates["as they are"]["ours"] >= MIN_RATIO * rates["as they are"]["plain"],
        pixel_difference=round(float(np.mean(differences)), 3),
        images=len(paths),
        rates={kind: {name: round(rate, 1) for name, rate in of_kind.items()} for kind, of_kind in rates.items()},
    )


if __name__ == "__main__":
    main()
