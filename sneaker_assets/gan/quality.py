"""How good samples are, on the features of one of the project's own frozen backbones: no download of an Inception.

A figure is only worth what the backbone's weights are: whoever shows one says which they were. Distances inside the
feature space are ``manifold``'s concern.

KID: Bińkowski, Sutherland, Arbel, Gretton: Demystifying MMD GANs (2018), https://arxiv.org/abs/1801.01401
FID: Heusel and others: GANs Trained by a Two Time-Scale Update Rule (2017), https://arxiv.org/abs/1706.08500
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from sneaker_assets.gan import precision_recall as manifold
from sneaker_assets.gan.images import TooFewImagesError, UInt8Array
from sneaker_assets.vision.backbones.backbone import Backbone
from sneaker_assets.vision.features.extractor import FeatureExtractor

SIDE = 128
"""Pixels a side at which the backbone sees real images and samples alike."""

LEAST = 8
"""Images below which nothing can be said of a distribution."""

SUBSETS, SUBSET = 20, 500
"""KID is the mean over so many subsets of at most so many images; its deviation is theirs."""

BATCH = 32

Embed = Callable[[UInt8Array], Tensor]
"""Images uint8 [N, size, size, 3] to features float32 [N, D], on the CPU."""


@dataclass(frozen=True)
class Quality:
    """How a set of images compares to the training images.

    Attributes:
        kid: kernel distance, unbiased, so it may fall below 0; 0 for the same distribution.
        kid_deviation: its standard deviation over subsets.
        fid: Fréchet distance; NaN where there are not more images than features, since it would mean little.
        precision: share of the images that look like training images.
        recall: share of the training images that the images can look like.
        diversity: how far apart the images are, as a share of how far apart the training images are.
        nearest_train: median distance to the nearest training image.
    """

    kid: float
    kid_deviation: float
    fid: float
    precision: float
    recall: float
    diversity: float
    nearest_train: float


@dataclass(frozen=True)
class Judge:
    """Compares samples with a part of the training images, again and again while a generator learns.

    Attributes:
        embed: what turns images into features.
        real: features [N, D] of training images.
    """

    embed: Embed
    real: Tensor

    @classmethod
    def of(cls, images: UInt8Array, embed: Embed, most: int = 1000) -> "Judge":
        """A judge by at most ``most`` of these training images uint8 [N, size, size, 3], the same ones each time.

        Raises:
            TooFewImagesError: there are fewer than eight.
        """
        if len(images) < LEAST:
            raise TooFewImagesError(f"{len(images)} images are too few to judge samples by: it takes {LEAST}")
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        return cls(embed, embed(images[order[:most].sort().values.numpy()]))

    def __call__(self, samples: UInt8Array) -> dict[str, float]:
        """The quality of samples by name, as far as it can be told."""
        quality = asdict(compare(self.real, self.embed(samples)))
        return {name: value for name, value in quality.items() if math.isfinite(value)}


def embedding(backbone: Backbone, device: torch.device) -> Embed:
    """What turns images into the backbone's average-pooled features, as FID and KID have them of Inception."""
    extract = FeatureExtractor(backbone, device)

    def embed(images: UInt8Array) -> Tensor:
        batches = (_enlarged(images[start : start + BATCH]) for start in range(0, len(images), BATCH))
        features = [extract(batch)[0].cpu() for batch in batches]
        averages, _maxima = torch.cat(features).chunk(2, dim=1)
        return averages

    return embed


def _enlarged(images: UInt8Array) -> UInt8Array:
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    if pixels.shape[-1] != SIDE:
        pixels = functional.interpolate(pixels, (SIDE, SIDE), mode="bicubic", antialias=True)
    array: UInt8Array = pixels.permute(0, 2, 3, 1).contiguous().numpy()
    return array


def compare(real: Tensor, images: Tensor, training: Tensor | None = None) -> Quality:
    """Compare images with training images.

    Args:
        real: features [N, D] of training images.
        images: features [M, D] of the images to judge.
        training: features of all training images, where ``real`` is a part of them.

    Raises:
        TooFewImagesError: fewer than eight of either.
    """
    kid, deviation = kernel_distance(real, images)
    precision, recall = manifold.precision_and_recall(real, images)
    size = min(len(real), len(images))
    distances, _ = manifold.nearest(images, real if training is None else training)
    return Quality(
        kid=kid,
        kid_deviation=deviation,
        fid=frechet_distance(real, images),
        precision=precision,
        recall=recall,
        diversity=manifold.spread(images[:size]) / max(manifold.spread(real[:size]), 1e-12),
        nearest_train=float(distances.median()),
    )


def kernel_distance(real: Tensor, images: Tensor) -> tuple[float, float]:
    """KID and its standard deviation over subsets, the same for the same features.

    Args:
        real: features [N, D].
        images: features [M, D].

    Raises:
        TooFewImagesError: fewer than eight of either.
    """
    fewest = min(len(real), len(images))
    if fewest < LEAST:
        raise TooFewImagesError(f"{fewest} images are too few to compare: it takes at least {LEAST}")
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save all extracted features")
        metric = KernelInceptionDistance(nn.Identity(), subsets=SUBSETS, subset_size=min(SUBSET, fewest // 2))
        metric.update(real, real=True)
        metric.update(images, real=False)
        torch.manual_seed(0)
        mean, deviation = metric.compute()
    return float(mean), float(deviation)


def frechet_distance(real: Tensor, images: Tensor) -> float:
    """FID of features [N, D] and [M, D]; NaN where there are not more images than features."""
    features = real.shape[1]
    if min(len(real), len(images)) <= features:
        return math.nan
    identity = nn.Identity()
    identity.num_features = features  # type: ignore[assignment]
    metric = FrechetInceptionDistance(identity)
    metric.update(real, real=True)
    metric.update(images, real=False)
    return float(metric.compute())
