"""Pictures changed a little, as a shop's camera might have: mirrored, turned, in another light.

What is drawn depends on the seed, the epoch and the picture's place among the rows alone: it is the same however the
rows are spread over processes, and after a training went on from a checkpoint.

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
"""float64 [N, 5] in [0, 1): what is done to each picture."""


def draw(settings: FinetuneSettings, epoch: int, n: int) -> Draws:
    """What is done to each of ``n`` pictures in this epoch."""
    return np.random.default_rng((settings.seed, epoch)).random((n, 5))


def augment(images: Tensor, draws: Draws, settings: FinetuneSettings) -> Tensor:
    """Change each picture as was drawn for it.

    Args:
        images: uint8 [n, 3, height, width].
        draws: float64 [n, 5].
        settings: How much.

    Returns:
        uint8 [n, 3, height, width].
    """
    pairs = zip(images, draws, strict=True)
    return torch.stack([_changed(image, drawn, settings) for image, drawn in pairs]) if len(images) else images


def _changed(image: Tensor, drawn: Draws, settings: FinetuneSettings) -> Tensor:
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
