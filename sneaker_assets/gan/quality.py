"""Sample quality: KID, FID, precision, recall and diversity on features of one of the project's frozen backbones.

The backbone replaces the Inception network of the papers, so values are comparable only for the same backbone and
weights.

KID: Bińkowski, Sutherland, Arbel, Gretton: Demystifying MMD GANs (2018), https://arxiv.org/abs/1801.01401
FID: Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter: GANs Trained by a Two Time-Scale Update Rule (2017),
https://arxiv.org/abs/1706.08500
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

from sneaker_assets.gan.images import TooFewImagesError, UInt8Array
from sneaker_assets.gan.precision_recall import median_neighbour_distance, nearest_neighbours, precision_and_recall
from sneaker_assets.vision.backbones.backbone import Backbone
from sneaker_assets.vision.features.extractor import FeatureExtractor

SIDE = 128
"""Height and width in pixels to which real images and samples are resized for the backbone."""

MIN_IMAGES = 8
"""Number of images below which a distribution cannot be compared."""

SUBSETS, SUBSET_SIZE = 20, 500
"""KID is the mean over this many random subsets of at most this many images."""

BATCH = 32

Embed = Callable[[UInt8Array], Tensor]
"""Feature extractor: images, uint8 RGB [N, size, size, 3], to features, float32 [N, D], on the CPU."""


@dataclass(frozen=True)
class Quality:
    """Comparison of a set of images with the training images.

    Attributes:
        kid: Kernel Inception Distance, 0 for equal distributions; unbiased, so estimates may be negative.
        kid_deviation: Its standard deviation over the subsets.
        fid: Fréchet Inception Distance; NaN unless there are more images than features, when it is unreliable.
        precision: Share of the images inside the manifold of the training images.
        recall: Share of the training images inside the manifold of the images.
        diversity: Median distance between nearest neighbours, relative to that of the training images.
        nearest_train: Median distance to the nearest training image.
    """

    kid: float
    kid_deviation: float
    fid: float
    precision: float
    recall: float
    diversity: float
    nearest_train: float


@dataclass(frozen=True)
class QualityMonitor:
    """Measures sample quality during training, always against the same subset of the training images.

    Attributes:
        embed: The feature extractor.
        real: Features [N, D] of the subset.
    """

    embed: Embed
    real: Tensor

    @classmethod
    def from_images(cls, images: UInt8Array, embed: Embed, max_images: int = 1000) -> "QualityMonitor":
        """Monitor that compares with at most ``max_images`` of the training images.

        Args:
            images: The training images, uint8 RGB [N, size, size, 3].
            embed: The feature extractor.
            max_images: Size of the subset, which is the same for the same N.

        Raises:
            TooFewImagesError: There are fewer than eight images.
        """
        if len(images) < MIN_IMAGES:
            raise TooFewImagesError(
                f"{len(images)} images are too few to measure sample quality against: at least {MIN_IMAGES} are needed"
            )
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        return cls(embed, embed(images[order[:max_images].sort().values.numpy()]))

    def __call__(self, samples: UInt8Array) -> dict[str, float]:
        """Quality of samples.

        Args:
            samples: uint8 RGB [M, size, size, 3].

        Returns:
            The finite fields of :class:`Quality` by name.
        """
        quality = asdict(compare(self.real, self.embed(samples)))
        return {name: value for name, value in quality.items() if math.isfinite(value)}


def embedding(backbone: Backbone, device: torch.device) -> Embed:
    """Feature extractor that returns the backbone's average-pooled last feature map, as FID and KID use Inception's.

    Args:
        backbone: The network.
        device: Where to compute.

    Returns:
        Function from images, uint8 RGB [N, size, size, 3], to features, float32 [N, C], on the CPU.
    """
    extract = FeatureExtractor(backbone, device)

    def embed(images: UInt8Array) -> Tensor:
        batches = (_resize(images[start : start + BATCH]) for start in range(0, len(images), BATCH))
        features = [extract(batch)[0].cpu() for batch in batches]
        averages, _maxima = torch.cat(features).chunk(2, dim=1)
        return averages

    return embed


def _resize(images: UInt8Array) -> UInt8Array:
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    if pixels.shape[-1] != SIDE:
        pixels = functional.interpolate(pixels, (SIDE, SIDE), mode="bicubic", antialias=True)
    array: UInt8Array = pixels.permute(0, 2, 3, 1).contiguous().numpy()
    return array


def compare(real: Tensor, images: Tensor, training: Tensor | None = None) -> Quality:
    """Compare images with training images.

    Args:
        real: Features [N, D] of training images.
        images: Features [M, D] of the images to evaluate.
        training: Features of all training images if ``real`` is a subset; used for the nearest training image.

    Raises:
        TooFewImagesError: There are fewer than eight of either.
    """
    kid, deviation = kernel_distance(real, images)
    precision, recall = precision_and_recall(real, images)
    size = min(len(real), len(images))
    distances, _ = nearest_neighbours(images, real if training is None else training)
    diversity = median_neighbour_distance(images[:size]) / max(median_neighbour_distance(real[:size]), 1e-12)
    return Quality(
        kid=kid,
        kid_deviation=deviation,
        fid=frechet_distance(real, images),
        precision=precision,
        recall=recall,
        diversity=diversity,
        nearest_train=float(distances.median()),
    )


def kernel_distance(real: Tensor, images: Tensor) -> tuple[float, float]:
    """KID and its standard deviation over subsets; deterministic, and the global random state is not changed.

    Args:
        real: Features, float32 [N, D].
        images: Features, float32 [M, D].

    Returns:
        Mean and standard deviation over the subsets.

    Raises:
        TooFewImagesError: There are fewer than eight of either.
    """
    count = min(len(real), len(images))
    if count < MIN_IMAGES:
        raise TooFewImagesError(f"{count} images are too few to compare: at least {MIN_IMAGES} are needed")
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save all extracted features")
        metric = KernelInceptionDistance(nn.Identity(), subsets=SUBSETS, subset_size=min(SUBSET_SIZE, count // 2))
        metric.update(real, real=True)
        metric.update(images, real=False)
        torch.manual_seed(0)
        mean, deviation = metric.compute()
    return float(mean), float(deviation)


def frechet_distance(real: Tensor, images: Tensor) -> float:
    """Fréchet distance between Gaussians fitted to two sets of features (Heusel et al. 2017, equation 6): the FID.

    Args:
        real: Features, float32 [N, D].
        images: Features, float32 [M, D].

    Returns:
        The squared distance; NaN unless N and M exceed D, since the covariance matrices are singular otherwise.
    """
    features = real.shape[1]
    if min(len(real), len(images)) <= features:
        return math.nan
    identity = nn.Identity()
    identity.num_features = features  # type: ignore[assignment]
    metric = FrechetInceptionDistance(identity)
    metric.update(real, real=True)
    metric.update(images, real=False)
    return float(metric.compute())
