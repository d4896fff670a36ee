"""Decode product pictures into a network's frame: ours against a plain decode and resize with Pillow, one thread each.

With --archive on its StockX pictures (up to 1400x1000, progressive JPEGs), else on drawn ones of that size; and on the
same pictures written as baseline JPEGs, with the same quantisation. Beside both: torchvision's decoder and resize, and
what it takes to read a picture at an eighth of its size, which no decoder can save. Asked for: at least 3 times.

    python benchmarks/decode.py [--archive FOLDER]
"""

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

LEAST_RATIO = 3.0
PICTURES = 150
ROUNDS = 3
FRAME = Frame(224, 224, "pad")

Decode = Callable[[Path], NDArray[np.uint8]]


def plain(path: Path) -> NDArray[np.uint8]:
    """Decode at full size, then fit."""
    with Image.open(path) as image:
        size = (FRAME.width, FRAME.height)
        return np.asarray(ImageOps.pad(image.convert("RGB"), size, Image.Resampling.BILINEAR, WHITE))


def ours(path: Path) -> NDArray[np.uint8]:
    """What the pipeline does."""
    return read_image(UPath(path), FRAME)


def with_torchvision(path: Path) -> NDArray[np.uint8]:
    """Decode at full size and resize with torchvision, which is pixel-equal to Pillow; without the padding."""
    decoded = decode_jpeg(torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8), ImageReadMode.RGB)
    scale = min(FRAME.height / decoded.shape[1], FRAME.width / decoded.shape[2])
    size = [round(side * scale) for side in decoded.shape[1:]]
    return np.asarray(functional.resize(decoded, size, antialias=True).permute(1, 2, 0))


def reading_alone(path: Path) -> NDArray[np.uint8]:
    """Read every byte, and compute as few pixels as the format allows."""
    with Image.open(path) as image:
        image.draft("RGB", (1, 1))
        return np.asarray(image)


def draw(folder: Path) -> list[Path]:
    """JPEGs of 1400x1000 with something on them."""
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
    """The same pictures in one scan each."""
    for path in paths:
        with Image.open(path) as image:
            image.save(folder / f"baseline-{path.name}", "JPEG", quality="keep", progressive=False)
    return [folder / f"baseline-{path.name}" for path in paths]


SIDES: dict[str, Decode] = {
    "ours": ours,
    "plain": plain,
    "torchvision": with_torchvision,
    "reading alone": reading_alone,
}


def seconds(decode: Decode, paths: Sequence[Path]) -> float:
    """Processor seconds for all pictures, the best of some rounds: what a core is busy with, whoever else runs."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for path in paths:
            decode(path)
        best = min(best, time.process_time() - began)
    return best


def main() -> None:
    """Time both and report."""
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
    print(f"images a second and core, {len(paths)} pictures")
    table(
        [{"pictures": kind, **of_kind, "times": of_kind["ours"] / of_kind["plain"]} for kind, of_kind in rates.items()]
    )
    print(f"mean difference of the pixels: {np.mean(differences):.2f} of 255\n")
    conclude(
        "decode",
        ours=rates["as they are"]["ours"],
        theirs=rates["as they are"]["plain"],
        unit="images a second and core",
        asked=f"at least {LEAST_RATIO:g} times",
        holds=rates["as they are"]["ours"] >= LEAST_RATIO * rates["as they are"]["plain"],
        pixel_difference=round(float(np.mean(differences)), 3),
        images=len(paths),
        rates={kind: {name: round(rate, 1) for name, rate in of_kind.items()} for kind, of_kind in rates.items()},
    )


if __name__ == "__main__":
    main()
