"""Differentiable augmentation: what lets a GAN learn from few images.

Real and generated images are changed alike before the discriminator sees them, and the generator learns through the
change. A shift fills up with white, since product shots are white around: a black border would end up in the samples.
The paper's changes of colour are left out, since a shoe's colours are learned too, and so is a mirror: product shots
face one way.

Zhao, Liu, Lin, Zhu, Han: Differentiable Augmentation for Data-Efficient GAN Training (2020),
https://arxiv.org/abs/2006.10738
"""

import torch
from torch import Tensor
from torch.nn import functional

SHIFT = 1 / 8
"""The furthest shift either way, as a share of the image's side."""

WHITE = 1.0


def shifted(images: Tensor, rng: torch.Generator) -> Tensor:
    """Move each image by up to an eighth of its side, in whole pixels, filling up with white.

    Args:
        images: [N, 3, H, W], white at 1 and black at -1; gradients flow through.
        rng: a generator of the CPU, whatever the images' device is: runs then go on on another device.

    Returns:
        Images of the same shape.
    """
    sides = torch.tensor([images.shape[3], images.shape[2]])
    pixels = (sides * SHIFT * (2 * torch.rand(len(images), 2, generator=rng) - 1)).round()
    move = torch.eye(2, 3).repeat(len(images), 1, 1)
    move[:, :, 2] = 2 * pixels / sides
    grid = functional.affine_grid(move.to(images.device), list(images.shape), align_corners=False)
    # Outside the image the sampler finds 0, so white is made 0 meanwhile.
    return functional.grid_sample(images - WHITE, grid, mode="nearest", align_corners=False) + WHITE
