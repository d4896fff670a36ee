"""``sneaker-generate``: images of new shoes from the last generator trained for a price band; runs without Dagster.

sneaker-generate --band cheap -n 64 --seed 7 out/
"""

import argparse
import math
import sys
from collections.abc import Sequence

from PIL import Image
from upath import UPath

from sneaker_assets.cli import BAD_INPUT, MAX_SEED, Parser, whole_number
from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.lake import Lake, write_bytes
from sneaker_assets.settings.environment import load_settings

MAX_COUNT = 10_000


def generate(lake: Lake, band: str, n: int, seed: int, out: UPath) -> UPath:
    """Write ``n`` generated images, ``0001.png`` and so on, and ``grid.png`` with all of them.

    Args:
        lake: The lake that holds the generator.
        band: Price band.
        n: Number of images.
        seed: Seed of the noise; the same seed gives the same images.
        out: Folder for the images.

    Returns:
        Path of the grid.

    Raises:
        NoGeneratorError: No generator has been trained for the band.
        GeneratorError: The generator's files are missing or damaged.
        LakeError: ``out`` cannot be written.
    """
    from sneaker_assets.gan.generator import Generator
    from sneaker_assets.gan.sampling import image_grid
    from sneaker_assets.vision.imaging.encoding import png_bytes

    images = Generator.of_band(lake, band, device="cpu").sample(n, seed)
    for number, image in enumerate(images, start=1):
        write_bytes(out / f"{number:04d}.png", png_bytes(Image.fromarray(image)))
    grid = out / "grid.png"
    write_bytes(grid, png_bytes(image_grid(images, columns=math.ceil(math.sqrt(n)))))
    return grid


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; exits with status 2 where it is wrong."""
    parser = Parser(prog="sneaker-generate", description="Generate shoes with the trained generator of a price band.")
    parser.add_argument("--band", required=True, help="price band, such as cheap or expensive")
    parser.add_argument("-n", type=whole_number(1, MAX_COUNT), default=64, help="number of images; default: 64")
    parser.add_argument("--seed", type=whole_number(0, MAX_SEED), default=0, help="random seed; default: 0")
    parser.add_argument("--lake", help="default: SNEAKER_LAKE, else data_lake/")
    parser.add_argument("out", help="folder for the images")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The command line's arguments; by default the process's own.

    Returns:
        The exit status: 0, or 2 where the images cannot be generated.
    """
    options = parse(arguments)
    try:
        grid = generate(
            Lake.at(options.lake or load_settings().lake),
            options.band,
            options.n,
            options.seed,
            UPath(options.out).absolute(),
        )
    except (SneakerError, OSError, ValueError) as error:
        sys.stderr.write(f"sneaker-generate: {one_line(error)}\n")
        return BAD_INPUT
    sys.stdout.write(f"wrote {options.n} images; grid: {grid}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
