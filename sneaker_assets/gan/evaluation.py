"""What a finished generator is worth: beside the images it learned from, and beside real ones it never saw.

The same figures are computed of samples and of held-out images, which say how good is as good as real. Nearness to the
training images tells whether it copies: a generator that has learned shoes keeps the distance that other shoes keep.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sneaker_assets.gan import precision_recall as manifold
from sneaker_assets.gan.colours import mean_colours
from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.networks import Generator
from sneaker_assets.gan.quality import LEAST, Embed, compare
from sneaker_assets.gan.sampling import sample

CLOSE = 0.05
"""An image is close to the training images if it is closer than this share of the held-out ones."""


@dataclass(frozen=True)
class Evaluation:
    """What was found.

    Attributes:
        table: a row each for the generated, the held-out and the training images; the first two with the fields of
            ``quality.Quality`` and ``close``, the share of images that are close to a training image.
        samples: the samples that were judged, uint8 [n, size, size, 3].
        nearest: the training images nearest to each of the first samples, uint8 [shown, count, size, size, 3].
        distances: how far they are, in features, float [shown, count].
    """

    table: pd.DataFrame
    samples: UInt8Array
    nearest: UInt8Array
    distances: np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def evaluate(
    generator: Generator,
    training: UInt8Array,
    held_out: UInt8Array,
    embed: Embed,
    *,
    n: int = 2000,
    shown: int = 8,
    seed: int = 1,
    device: torch.device,
) -> Evaluation:
    """Judge a generator.

    Args:
        generator: ready to draw.
        training: the images it was trained on, uint8 [N, size, size, 3].
        held_out: real images of the same kind that it was not, uint8 [M, size, size, 3].
        embed: what turns images into features.
        n: how many samples to judge; not more than there are training images.
        shown: for how many samples the nearest training images are handed back.
        seed: of the noise.
        device: where to draw.

    Raises:
        TooFewImagesError: fewer than eight training images.
    """
    samples = sample(generator, min(n, max(len(training), LEAST)), seed, device)
    features = {"generated": embed(samples), "training": embed(training)}
    if len(held_out) >= LEAST:
        features["held_out"] = embed(held_out)
    real = _part(features["training"], n)
    rows = []
    for population, images in {"generated": samples, "held_out": held_out, "training": training}.items():
        row = {"population": population, "n": len(images), **mean_colours(images)}
        if population in features and population != "training":
            row |= asdict(compare(real, features[population], features["training"]))
            row["close"] = _close(features, population)
        rows.append(row)
    distances, places = manifold.nearest(features["generated"][:shown], features["training"], count=3)
    return Evaluation(pd.DataFrame(rows), samples, training[places.numpy()], distances.numpy())


def _part(features: Tensor, n: int) -> Tensor:
    return features[torch.randperm(len(features), generator=torch.Generator().manual_seed(0))[:n]]


def _close(features: dict[str, Tensor], population: str) -> float:
    """The share of a population that is close to a training image; NaN without held-out images to measure it by."""
    if "held_out" not in features:
        return float("nan")
    usual, _ = manifold.nearest(features["held_out"], features["training"])
    found, _ = manifold.nearest(features[population], features["training"])
    return float((found < usual.quantile(CLOSE)).float().mean())
