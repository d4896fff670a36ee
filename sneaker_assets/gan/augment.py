"""Differentiable augmentation, which lets a GAN learn from few images.

Real and generated images are augmented alike before the discriminator sees them, and the generator's gradients flow
through the augmentation. Translations and cutouts are filled with white, the background of product shots, since black
borders would leak into the samples. There are no horizontal flips, because product shots face one way.

Zhao, Liu, Lin, Zhu, Han: Differentiable Augmentation for Data-Efficient GAN Training (2020),
https://arxiv.org/abs/2006.10738
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

MAX_SHIFT = 1 / 8
"""Maximum translation along each axis, as a fraction of the image's side."""

CUTOUT = 1 / 2
"""Height and width of a cutout as a fraction of the image's."""

WHITE = 1.0


def augment(images: Tensor, policy: str, rng: torch.Generator) -> Tensor:
    """Apply random augmentations.

    Args:
        images: float [N, 3, H, W], white at 1 and black at -1; differentiable.
        policy: Names of augmentations, separated by commas, as in ``GanSettings.augment``.
        rng: A generator on the CPU even where the images are on a GPU, so that a run can resume on another device.

    Returns:
        Images of the same shape, dtype and device.
    """
    for name in policy.split(",") if policy else ():
        images = _AUGMENTATIONS[name](images, rng)
    return images


def random_shift(images: Tensor, rng: torch.Generator) -> Tensor:
    """Translate each image by a random whole number of pixels, at most an eighth of its side, padding with white.

    Args:
        images: float [N, 3, H, W], white at 1 and black at -1; differentiable.
        rng: A generator on the CPU even where the images are on a GPU, so that a run can resume on another device.

    Returns:
        Images of the same shape, dtype and device.
    """
    sides = torch.tensor([images.shape[3], images.shape[2]])
    pixels = (sides * MAX_SHIFT * (2 * torch.rand(len(images), 2, generator=rng) - 1)).round()
    transform = torch.eye(2, 3).repeat(len(images), 1, 1)
    transform[:, :, 2] = 2 * pixels / sides
    grid = functional.affine_grid(transform.to(images.device), list(images.shape), align_corners=False)
    # grid_sample pads with 0, so white is moved to 0 and back.
    return functional.grid_sample(images - WHITE, grid, mode="nearest", align_corners=False) + WHITE


def random_cutout(images: Tensor, rng: torch.Generator) -> Tensor:
    """Fill a rectangle of half the height and half the width of each image with white, centred at a random pixel.

    Args:
        images: float [N, 3, H, W], white at 1 and black at -1; differentiable.
        rng: A generator on the CPU.

    Returns:
        Images of the same shape, dtype and device.
    """
    centres = torch.rand(len(images), 2, generator=rng).to(images.device)
    inside = [
        ((torch.arange(side, device=images.device) + 0.5) / side - centre[:, None]).abs() < CUTOUT / 2
        for side, centre in zip(images.shape[2:], centres.T, strict=True)
    ]
    return torch.where((inside[0][:, :, None] & inside[1][:, None, :])[:, None], WHITE, images)


def random_colour(images: Tensor, rng: torch.Generator) -> Tensor:
    """Change brightness, saturation and contrast of each image at random, as in the paper.

    Args:
        images: float [N, 3, H, W], white at 1 and black at -1; differentiable.
        rng: A generator on the CPU.

    Returns:
        Images of the same shape, dtype and device; values can leave the range from -1 to 1.
    """
    brightness, saturation, contrast = torch.rand(3, len(images), 1, 1, 1, generator=rng).to(images.device)
    images = images + brightness - 0.5
    grey = images.mean(dim=1, keepdim=True)
    images = grey + 2 * saturation * (images - grey)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    changed: Tensor = mean + (contrast + 0.5) * (images - mean)
    return changed


_AUGMENTATIONS: Mapping[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "translation": random_shift,
    "cutout": random_cutout,
    "colour": random_colour,
}
