"""Evaluation of a trained generator against its training images and against held-out real images.

The same metrics are computed for samples and for held-out images, so that the latter show what real images score. The
distance to the nearest training image shows whether the generator memorises: samples of one that generalises are no
closer to the training images than other real shoes are.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sneaker_assets.gan.colours import mean_colours
from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.networks import Generator
from sneaker_assets.gan.precision_recall import nearest_neighbours
from sneaker_assets.gan.quality import MIN_IMAGES, Embed, compare
from sneaker_assets.gan.sampling import sample

CLOSE_QUANTILE = 0.05
"""An image is close to the training images if it is closer than this quantile of the held-out images."""


@dataclass(frozen=True)
class Evaluation:
    """Result of :func:`evaluate`.

    Attributes:
        table: One row each for the generated, the held-out and the training images: ``population``, ``n``, the columns
            of ``colours.mean_colours`` and, except for the training images, the fields of ``quality.Quality`` and
            ``close``, the share of images that are close to a training image.
        samples: The evaluated samples, uint8 RGB [n, size, size, 3].
        nearest: Nearest training images of the first samples, nearest first, uint8 RGB [shown, 3, size, size, 3].
        distances: Euclidean distances to them in feature space, float32 [shown, 3].
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
    """Compare samples of a generator, and held-out images, with the training images.

    Args:
        generator: The trained generator.
        training: The images it was trained on, uint8 RGB [N, size, size, 3].
        held_out: Real images of the same price band that it was not trained on, uint8 RGB [M, size, size, 3].
        embed: The feature extractor.
        n: Number of samples, at most the number of training images.
        shown: Number of samples whose nearest training images are returned.
        seed: Seed of the noise.
        device: Where to generate.

    Raises:
        TooFewImagesError: There are fewer than eight training images.
    """
    samples = sample(generator, min(n, max(len(training), MIN_IMAGES)), seed, device)
    features = {"generated": embed(samples), "training": embed(training)}
    if len(held_out) >= MIN_IMAGES:
        features["held_out"] = embed(held_out)
    real = _subset(features["training"], n)
    rows = []
    for population, images in {"generated": samples, "held_out": held_out, "training": training}.items():
        row = {"population": population, "n": len(images), **mean_colours(images)}
        if population in features and population != "training":
            row |= asdict(compare(real, features[population], features["training"]))
            row["close"] = _share_close(features, population)
        rows.append(row)
    distances, indices = nearest_neighbours(features["generated"][:shown], features["training"], count=3)
    return Evaluation(pd.DataFrame(rows), samples, training[indices.numpy()], distances.numpy())


def _subset(features: Tensor, n: int) -> Tensor:
    return features[torch.randperm(len(features), generator=torch.Generator().manual_seed(0))[:n]]


def _share_close(features: dict[str, Tensor], population: str) -> float:
    """Share of a population that is close to a training image; NaN without held-out images to set the threshold."""
    if "held_out" not in features:
        return float("nan")
    reference, _ = nearest_neighbours(features["held_out"], features["training"])
    distances, _ = nearest_neighbours(features[population], features["training"])
    return float((distances < reference.quantile(CLOSE_QUANTILE)).float().mean())
