"""Evaluation of a conditional generator: the colours of its samples, and its price bands on the same noise."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from sneaker_assets.gan.colours import name_colours, shoe_colours
from sneaker_assets.gan.conditions import ConditionError, Conditions
from sneaker_assets.gan.generator import Generator
from sneaker_assets.gan.images import UInt8Array

SHOWN = 8
"""Samples of each condition that are returned."""


@dataclass(frozen=True)
class BandPairs:
    """Samples of the price bands from the same noise.

    Attributes:
        saturation: One row per noise vector and one column per band: saturation of the sample, 0 to 1, NaN where it is
            of a single colour.
        examples: Band to its first samples, uint8 RGB [8, size, size, 3].
    """

    saturation: pd.DataFrame
    examples: Mapping[str, UInt8Array]


def samples_by_condition(
    generator: Generator, n: int, seed: int
) -> tuple[pd.DataFrame, dict[tuple[str, str], UInt8Array]]:
    """Samples of every price band and colour, all from the same noise.

    Args:
        generator: A generator with the conditions ``band`` and ``colour``.
        n: Number of samples of each.
        seed: Seed of the noise.

    Returns:
        One row per combination that occurs among the training images, with ``band``, ``colour``, ``training_images``,
        ``n``, ``matching`` (share of the samples whose mean colour has that name), ``brightness`` and ``saturation``;
        and the first samples of each combination, uint8 RGB [8, size, size, 3].

    Raises:
        ConditionError: The generator is not conditional.
    """
    rows, examples = [], {}
    for counted in _conditions(generator).counts.to_dict("records"):
        band, colour = str(counted["band"]), str(counted["colour"])
        images = generator.sample(n, seed, band=band, colour=colour)
        measured = shoe_colours(images)[["brightness", "saturation"]].mean()
        matching = sum(name == colour for name in name_colours(images)) / n
        rows.append(
            {"band": band, "colour": colour, "training_images": counted["images"], "n": n, "matching": matching}
            | {str(name): float(value) for name, value in measured.items()}
        )
        examples[band, colour] = images[:SHOWN]
    return pd.DataFrame(rows), examples


def compare_bands(generator: Generator, n: int, seed: int) -> BandPairs:
    """Saturation of samples of each price band from the same noise, with colours as they are distributed in the band.

    Args:
        generator: A generator with the conditions ``band`` and ``colour``.
        n: Number of noise vectors.
        seed: Their seed.

    Raises:
        ConditionError: The generator is not conditional.
    """
    samples = {band: generator.sample(n, seed, band=band) for band in _conditions(generator).names["band"]}
    saturation = {
        band: [float(shoe_colours(image[None])["saturation"].mean()) for image in images]
        for band, images in samples.items()
    }
    return BandPairs(pd.DataFrame(saturation), {band: images[:SHOWN] for band, images in samples.items()})


def _conditions(generator: Generator) -> Conditions:
    if generator.conditions is None:
        raise ConditionError("the generator is not conditional: materialize conditional_gan_checkpoints")
    return generator.conditions
