"""Generator and discriminator of a DCGAN, and their initialisation.

Radford, Metz, Chintala: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks (2015), https://arxiv.org/abs/1511.06434
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from sneaker_assets.gan.errors import GanError

MIN_SIDE = 4
"""Height and width in pixels of the generator's first feature map and of the discriminator's last."""


class Generator(nn.Module):
    """Maps noise to images; each block doubles the resolution and halves the channels.

    Args:
        latent: Length of a noise vector.
        width: Channels of the last hidden block; earlier blocks have 2, 4, 8, ... times as many.
        size: Height and width of the images in pixels, a power of two from 8.

    Raises:
        GanError: ``size`` is not a power of two from 8.
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
    """Maps each image to one logit, positive for real; each block halves the resolution and doubles the channels.

    The first block has no batch norm, so that it sees the original range of the images.

    Args:
        width: Channels of the first block.
        size: Height and width of the images in pixels, a power of two from 8.

    Raises:
        GanError: ``size`` is not a power of two from 8.
    """

    def __init__(self, width: int = 64, size: int = 64) -> None:
        super().__init__()
        widths = channels(width, size)
        self.blocks = nn.Sequential(
            nn.Conv2d(3, widths[0], kernel_size=4, stride=2, padding=1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            *(down_block(narrow, wide) for narrow, wide in pairwise(widths)),
            nn.Conv2d(widths[-1], 1, kernel_size=MIN_SIDE, bias=False),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, size, size] in [-1, 1] to logits [N], float32."""
        logits: Tensor = self.blocks(images)
        return logits.flatten().float()


def channels(width: int, size: int) -> list[int]:
    """Channels of the blocks from ``size / 2`` pixels a side down to 4, doubling with each halving of the side.

    Args:
        width: Channels at ``size / 2`` pixels.
        size: Height and width of the images in pixels.

    Raises:
        GanError: ``size`` is not a power of two from 8.
    """
    halvings = (size // MIN_SIDE).bit_length() - 1
    if halvings < 1 or size != MIN_SIDE << halvings:
        raise GanError(f"an image size of {size} pixels does not fit a DCGAN: use a power of two from 8, such as 64")
    return [width << block for block in range(halvings)]


def up_block(wide: int, narrow: int, stride: int = 2, padding: int = 1) -> nn.Module:
    """Transposed convolution, batch norm, ReLU.

    Args:
        wide: Input channels.
        narrow: Output channels.
        stride: Stride of the 4x4 convolution; 2 doubles height and width.
        padding: Padding of the convolution.
    """
    return nn.Sequential(
        nn.ConvTranspose2d(wide, narrow, kernel_size=4, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(narrow),
        nn.ReLU(inplace=True),
    )


def down_block(narrow: int, wide: int) -> nn.Module:
    """Strided convolution that halves height and width, batch norm, leaky ReLU.

    Args:
        narrow: Input channels.
        wide: Output channels.
    """
    return nn.Sequential(
        nn.Conv2d(narrow, wide, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(wide),
        nn.LeakyReLU(0.2, inplace=True),
    )


def apply_spectral_norm(network: nn.Module, seed: int) -> None:
    """Normalise every convolution of a network, in place, to a spectral norm of 1.

    Miyato, Kataoka, Koyama, Yoshida: Spectral Normalization for GANs (2018), https://arxiv.org/abs/1802.05957

    Args:
        network: The discriminator.
        seed: Seed of the power iteration's first vectors; the global random state is not changed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in list(network.modules()):
            if isinstance(module, nn.Conv2d):
                spectral_norm(module)


def initialise(network: nn.Module, rng: torch.Generator) -> None:
    """Initialise the weights in place as in the paper.

    Convolutions are drawn from N(0, 0.02), the scales of batch norm from N(1, 0.02); its offsets are zero.

    Args:
        network: The generator or the discriminator.
        rng: Random state that the weights are drawn from, on the CPU.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02, generator=rng)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02, generator=rng)
            nn.init.zeros_(module.bias)
