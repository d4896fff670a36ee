"""``sneaker-generate``: new shoes of a price band as PNGs, from the generator that its last training left; no Dagster.

sneaker-generate --band cheap -n 64 --seed 7 out/
"""

import argparse
import math
import sys
from collections.abc import Sequence

import torch
from PIL import Image
from upath import UPath

from sneaker_assets.cli import Parser
from sneaker_assets.gan.images import to_png
from sneaker_assets.gan.sampling import image_grid, load_generator, sample
from sneaker_assets.lake import Lake, read_json, write_bytes
from sneaker_assets.settings import load_settings

MOST = 10_000


def generator_of(lake: Lake, band: str) -> UPath:
    """The folder of the generator that the graph's last training of this band left.

    Raises:
        LookupError: no generator was trained for it; the message lists those that were.
    """
    reference = lake.table("gan_checkpoints", band).with_suffix(".json")
    if not reference.exists():
        there = sorted(path.stem for path in reference.parent.glob("*.json")) if reference.parent.exists() else []
        known = f"there are: {', '.join(there)}" if there else "there is none at all: materialize gan_checkpoints first"
        raise LookupError(f"no generator for the price band {band!r} in {lake.root}; {known}")
    return lake.root / str(read_json(reference)["folder"]) / "generator"


def generate(generator: UPath, n: int, seed: int, out: UPath) -> UPath:
    """Write ``n`` pictures, ``0001.png`` and so on, and ``grid.png`` of all; the same ones for the same seed.

    Returns:
        Where the grid lies.

    Raises:
        FileNotFoundError: there is no finished generator.
        ValueError: its files are damaged.
        LakeError: ``out`` cannot be written.
    """
    images = sample(load_generator(generator), n, seed, torch.device("cpu"))
    for number, image in enumerate(images, start=1):
        write_bytes(out / f"{number:04d}.png", to_png(Image.fromarray(image)))
    grid = out / "grid.png"
    write_bytes(grid, to_png(image_grid(images, columns=math.ceil(math.sqrt(n)))))
    return grid


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text} is no number of pictures from 1 to {MOST:,}")
    return int(text)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = Parser(prog="sneaker-generate", description="Draw new shoes with a price band's trained generator.")
    parser.add_argument("--band", required=True, help="price band, such as cheap or expensive")
    parser.add_argument("-n", type=_count, default=64, help="how many pictures; default: 64")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other shoes; default: 0")
    parser.add_argument("--lake", help="default: SNEAKER_LAKE, else data_lake/")
    parser.add_argument("out", help="folder for the pictures")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw from the command line; the exit status is 2 where that cannot be done."""
    options = parse(arguments)
    try:
        generator = generator_of(Lake.at(options.lake or load_settings().lake), options.band)
        grid = generate(generator, options.n, options.seed, UPath(options.out).absolute())
    except (LookupError, OSError, ValueError) as error:
        sys.stderr.write(f"sneaker-generate: {error.args[0] if isinstance(error, LookupError) else error}\n")
        return 2
    sys.stdout.write(f"{options.n} pictures, all in {grid}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
