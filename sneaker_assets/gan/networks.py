"""The two networks of a DCGAN, readable from top to bottom.

Only their architecture and initialisation live here; what they are trained on and how is ``training``'s concern.

Radford, Metz, Chintala: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks (2015), https://arxiv.org/abs/1511.06434
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

SMALLEST = 4
"""Pixels a side where the generator starts and the discriminator ends."""


class Generator(nn.Module):
    """Noise in, images out: each block doubles the side and halves the channels.

    Args:
        latent: length of a noise vector.
        width: channels of the last hidden block; those before have 2, 4, 8 … times as many.
        size: side of the image in pixels, a power of two from 8.

    Raises:
        ValueError: ``size`` is no power of two from 8.
    """

    def __init__(self, latent: int = 100, width: int = 64, size: int = 64) -> None:
        super().__init__()
        widths = channels(width, size)[::-1]
        self.latent = latent
        self.blocks = nn.Sequential(
            up_block(latent, widths[0], stride=1, padding=0),
            *(up_block(wide, narrow) for wide, narrow in pairwise(widths)),
            nn.ConvTranspose2d(widths[-1], 3, kernel_size=4, stride=2, padding=1, bias=False),
            nn.Tanh(),
        )

    def forward(self, noise: Tensor) -> Tensor:
        """Noise [N, latent] to images [N, 3, size, size] in [-1, 1]."""
        images: Tensor = self.blocks(noise[:, :, None, None])
        return images


class Discriminator(nn.Module):
    """Images in, one logit each out, positive for real: each block halves the side and doubles the channels.

    The first block has no batch norm, so that it sees the images' true range.

    Args:
        width: channels of the first block.
        size: side of the image in pixels, a power of two from 8.

    Raises:
        ValueError: ``size`` is no power of two from 8.
    """

    def __init__(self, width: int = 64, size: int = 64) -> None:
        super().__init__()
        widths = channels(width, size)
        self.blocks = nn.Sequential(
            nn.Conv2d(3, widths[0], kernel_size=4, stride=2, padding=1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            *(down_block(narrow, wide) for narrow, wide in pairwise(widths)),
            nn.Conv2d(widths[-1], 1, kernel_size=SMALLEST, bias=False),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, size, size] in [-1, 1] to logits [N], float32."""
        logits: Tensor = self.blocks(images)
        return logits.flatten().float()


def channels(width: int, size: int) -> list[int]:
    """Channels from the block at ``size / 2`` down to the one at 4 pixels: doubled with each halving of the side."""
    halvings = (size // SMALLEST).bit_length() - 1
    if halvings < 1 or size != SMALLEST << halvings:
        raise ValueError(f"images of {size} pixels: a DCGAN's size is a power of two from 8, such as 64 or 128")
    return [width << block for block in range(halvings)]


def up_block(wide: int, narrow: int, stride: int = 2, padding: int = 1) -> nn.Module:
    """Transposed convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.ConvTranspose2d(wide, narrow, kernel_size=4, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(narrow),
        nn.ReLU(inplace=True),
    )


def down_block(narrow: int, wide: int) -> nn.Module:
    """Convolution, batch norm, leaky ReLU."""
    return nn.Sequential(
        nn.Conv2d(narrow, wide, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(wide),
        nn.LeakyReLU(0.2, inplace=True),
    )


def bound(network: nn.Module, seed: int) -> None:
    """Keep each convolution's largest singular value at 1, so that the discriminator cannot run away.

    Miyato, Kataoka, Koyama, Yoshida: Spectral Normalization for GANs (2018), https://arxiv.org/abs/1802.05957
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in list(network.modules()):
            if isinstance(module, nn.Conv2d):
                spectral_norm(module)


def initialise(network: nn.Module, rng: torch.Generator) -> None:
    """Draw the weights as the paper does: normal with deviation 0.02, around 0, or around 1 for batch norm's scale."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02, generator=rng)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02, generator=rng)
            nn.init.zeros_(module.bias)
