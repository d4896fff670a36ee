"""Random augmentation of product pictures: mirroring, small rotations, colour jitter.

The random numbers depend only on the seed, the epoch and the row of a picture, so that the result is the same for any
number of processes and after resuming from a checkpoint.

torchvision: https://docs.pytorch.org/vision/stable/transforms.html
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from sneaker_assets.vision.settings import FinetuneSettings

WHITE = [255.0, 255.0, 255.0]

Draws = NDArray[np.float64]
"""float64 [N, 5] in [0, 1): per picture mirroring, rotation, brightness, contrast and saturation."""


def draw(settings: FinetuneSettings, epoch: int, n: int) -> Draws:
    """The random numbers of an epoch, float64 [n, 5] in [0, 1).

    Args:
        settings: For their seed.
        epoch: The epoch.
        n: Number of pictures.
    """
    return np.random.default_rng((settings.seed, epoch)).random((n, 5))


def augment(images: Tensor, draws: Draws, settings: FinetuneSettings) -> Tensor:
    """Apply the augmentation that was drawn for each picture.

    Args:
        images: uint8 [n, 3, height, width], RGB.
        draws: float64 [n, 5] of :func:`draw`.
        settings: Which augmentations to apply, and their strength.

    Returns:
        uint8 [n, 3, height, width]; corners that a rotation uncovers are white.
    """
    pairs = zip(images, draws, strict=True)
    return torch.stack([_augmented(image, drawn, settings) for image, drawn in pairs]) if len(images) else images


def _augmented(image: Tensor, drawn: Draws, settings: FinetuneSettings) -> Tensor:
    if settings.flip and drawn[0] < 0.5:
        image = functional.horizontal_flip(image)
    if settings.rotation:
        angle = (2 * drawn[1] - 1) * settings.rotation
        image = functional.rotate(image, angle, interpolation=InterpolationMode.BILINEAR, fill=WHITE)
    if settings.colour:
        brightness, contrast, saturation = 1 + (2 * drawn[2:5] - 1) * settings.colour
        image = functional.adjust_brightness(image, brightness)
        image = functional.adjust_contrast(image, contrast)
        image = functional.adjust_saturation(image, saturation)
    return image
