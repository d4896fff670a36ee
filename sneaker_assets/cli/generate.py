"""``sneaker-generate``: images of new shoes from the last trained generator; runs without Dagster.

sneaker-generate --band cheap -n 64 --seed 7 out/
sneaker-generate --band cheap --colour red out/
"""

import argparse
import math
import sys
from collections.abc import Sequence

from PIL import Image
from upath import UPath

from sneaker_assets.cli import BAD_INPUT, MAX_SEED, Parser, whole_number
from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.gan.settings import COLOURS
from sneaker_assets.lake import Lake, write_bytes
from sneaker_assets.market.bands import price_bands
from sneaker_assets.settings.environment import load_settings

MAX_COUNT = 10_000


def generate(lake: Lake, n: int, seed: int, out: UPath, *, band: str | None, colour: str | None = None) -> UPath:
    """Write ``n`` generated images, ``0001.png`` and so on, and ``grid.png`` with all of them.

    Args:
        lake: The lake that holds the generator.
        n: Number of images.
        seed: Seed of the noise; the same seed gives the same images.
        out: Folder for the images.
        band: Price band; may be None with a colour.
        colour: Colour, for the conditional generator; None uses the band's own generator.

    Returns:
        Path of the grid.

    Raises:
        NoGeneratorError: No such generator has been trained, or it was trained on another price range.
        ConditionError: No training image has that colour, or there is none in the band.
        GeneratorError: The generator's files are missing or damaged.
        LakeError: ``out`` cannot be written.
    """
    from sneaker_assets.gan.generator import Generator
    from sneaker_assets.gan.sampling import image_grid
    from sneaker_assets.vision.imaging.encoding import png_bytes

    if colour is not None:
        generator = Generator.conditional(lake, device="cpu")
    else:
        generator = Generator.of_band(lake, str(band), device="cpu")
    generator.check_bands(price_bands(load_settings().bands), band)
    images = generator.sample(n, seed) if colour is None else generator.sample(n, seed, band=band, colour=colour)
    for number, image in enumerate(images, start=1):
        write_bytes(out / f"{number:04d}.png", png_bytes(Image.fromarray(image)))
    grid = out / "grid.png"
    write_bytes(grid, png_bytes(image_grid(images, columns=math.ceil(math.sqrt(n)))))
    return grid


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; exits with status 2 where it is wrong."""
    parser = Parser(
        prog="sneaker-generate",
        description="Generate shoes with the generator of a price band, or with the one that knows colours.",
    )
    parser.add_argument("--band", help="price band, such as cheap or expensive; may be left out with --colour")
    parser.add_argument("--colour", help=f"{', '.join(COLOURS)}; needs a trained conditional_gan_checkpoints")
    parser.add_argument("-n", type=whole_number(1, MAX_COUNT), default=64, help="number of images; default: 64")
    parser.add_argument("--seed", type=whole_number(0, MAX_SEED), default=0, help="random seed; default: 0")
    parser.add_argument("--lake", help="default: SNEAKER_LAKE, else data_lake/")
    parser.add_argument("out", help="folder for the images")
    options = parser.parse_args(arguments)
    if options.band is None and options.colour is None:
        parser.error("--band or --colour is needed")
    return options


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
            options.n,
            options.seed,
            UPath(options.out).absolute(),
            band=options.band,
            colour=options.colour,
        )
    except (SneakerError, OSError, ValueError) as error:
        sys.stderr.write(f"sneaker-generate: {one_line(error)}\n")
        return BAD_INPUT
    sys.stdout.write(f"wrote {options.n} images; grid: {grid}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
