"""Differentiable augmentation, which lets a GAN learn from few images.

Real and generated images are augmented alike before the discriminator sees them, and the generator's gradients flow
through the augmentation. Translations are padded with white, the background of product shots, since black borders
would leak into the samples. Of the paper's augmentations, changes of colour are left out because the colours of shoes
are to be learned; horizontal flips are, because product shots face one way.

Zhao, Liu, Lin, Zhu, Han: Differentiable Augmentation for Data-Efficient GAN Training (2020),
https://arxiv.org/abs/2006.10738
"""

import torch
from torch import Tensor
from torch.nn import functional

MAX_SHIFT = 1 / 8
"""Maximum translation along each axis, as a fraction of the image's side."""

WHITE = 1.0


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
