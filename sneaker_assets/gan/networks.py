"""Generator and discriminator of a DCGAN, and their initialisation.

Radford, Metz, Chintala: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks (2015), https://arxiv.org/abs/1511.06434

The paper's transposed convolutions leave a pattern of single pixels in the images. Upsampling to the nearest pixel
before a convolution avoids it.

Odena, Dumoulin, Olah: Deconvolution and Checkerboard Artifacts (2016), https://distill.pub/2016/deconv-checkerboard/
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, pad
from torch.nn.utils.parametrizations import spectral_norm

from sneaker_assets.gan.errors import GanError
from sneaker_assets.gan.settings import Upsampling

MIN_SIDE = 4
"""Height and width in pixels of the generator's first feature map and of the discriminator's last."""


class ResizeConvolution(nn.Conv2d):
    """Upsampling to the nearest pixel that doubles height and width, then a 3x3 convolution.

    Both are computed as one transposed 4x4 convolution of stride 2, which gives the same result with 4 instead of 9
    multiplications per weight and pixel: each of its 2x2 taps per output pixel is a sum of the 3x3 kernel's weights
    that see the same input pixel.

    Args:
        wide: Input channels.
        narrow: Output channels.
    """

    def __init__(self, wide: int, narrow: int) -> None:
        super().__init__(wide, narrow, kernel_size=3, padding=1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps [N, wide, H, W] to [N, narrow, 2 H, 2 W]."""
        kernel = self.weight.flip(2, 3).transpose(0, 1)
        kernel = pad(kernel, (0, 0, 0, 1)) + pad(kernel, (0, 0, 1, 0))
        kernel = pad(kernel, (0, 1)) + pad(kernel, (1, 0))
        return conv_transpose2d(maps, kernel, stride=2, padding=1)


class Generator(nn.Module):
    """Maps noise to images; each block doubles the resolution and halves the channels.

    A conditional generator takes the noise and the encoded condition as one vector.

    Args:
        latent: Length of a noise vector, the condition included.
        width: Channels of the last hidden block; earlier blocks have 2, 4, 8, ... times as many.
        size: Height and width of the images in pixels, a power of two from 8.
        upsampling: ``nearest`` (:class:`ResizeConvolution`) or ``transposed`` (the paper's transposed convolutions).
        convolutions: Convolutions in each block; those after the first keep the resolution.

    Raises:
        GanError: ``size`` is not a power of two from 8.
    """

    def __init__(
        self,
        latent: int = 100,
        width: int = 64,
        size: int = 64,
        upsampling: Upsampling = "nearest",
        convolutions: int = 1,
    ) -> None:
        super().__init__()
        widths = channels(width, size)[::-1]
        self.latent = latent
        first = nn.ConvTranspose2d(latent, widths[0], kernel_size=MIN_SIDE, bias=False)
        self.blocks = nn.Sequential(
            generator_block(first, widths[0], convolutions),
            *(
                generator_block(upsample(wide, narrow, upsampling), narrow, convolutions)
                for wide, narrow in pairwise(widths)
            ),
            upsample(widths[-1], 3, upsampling),
            nn.Tanh(),
        )

    def forward(self, noise: Tensor) -> Tensor:
        """Noise, and condition where there is one, [N, latent] to images [N, 3, size, size] in [-1, 1]."""
        images: Tensor = self.blocks(noise[:, :, None, None])
        return images


class Discriminator(nn.Module):
    """Maps each image to one logit, positive for real; each block halves the resolution and doubles the channels.

    The first block has no batch norm, so that it sees the original range of the images. A conditional discriminator
    adds the inner product of the averaged last feature map with a projection of the condition.

    Miyato, Koyama: cGANs with Projection Discriminator (2018), https://arxiv.org/abs/1802.05637

    Args:
        width: Channels of the first block.
        size: Height and width of the images in pixels, a power of two from 8.
        condition: Length of an encoded condition; 0: unconditional.

    Raises:
        GanError: ``size`` is not a power of two from 8.
    """

    def __init__(self, width: int = 64, size: int = 64, condition: int = 0) -> None:
        super().__init__()
        widths = channels(width, size)
        self.blocks = nn.Sequential(
            nn.Conv2d(3, widths[0], kernel_size=4, stride=2, padding=1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            *(down_block(narrow, wide) for narrow, wide in pairwise(widths)),
            nn.Conv2d(widths[-1], 1, kernel_size=MIN_SIDE, bias=False),
        )
        self.projection = nn.Linear(condition, widths[-1], bias=False) if condition else None

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """Images [N, 3, size, size] in [-1, 1], and their conditions [N, C] if conditional, to logits [N], float32."""
        maps: Tensor = self.blocks[:-1](images)
        logits: Tensor = self.blocks[-1](maps).flatten().float()
        if self.projection is None or condition is None:
            return logits
        projected: Tensor = self.projection(condition) * maps.mean(dim=(2, 3))
        return logits + projected.sum(dim=1).float()


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


def generator_block(first: nn.Module, width: int, convolutions: int) -> nn.Module:
    """A convolution and 3x3 convolutions of the same resolution, each followed by batch norm and ReLU.

    Args:
        first: The first convolution, which has ``width`` output channels.
        width: Channels.
        convolutions: Number of convolutions, ``first`` included.
    """
    more = (nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False) for _ in range(convolutions - 1))
    layers = [[layer, nn.BatchNorm2d(width), nn.ReLU(inplace=True)] for layer in (first, *more)]
    return nn.Sequential(*(module for layer in layers for module in layer))


def upsample(wide: int, narrow: int, upsampling: Upsampling) -> nn.Module:
    """Convolution that doubles height and width.

    Args:
        wide: Input channels.
        narrow: Output channels.
        upsampling: How.
    """
    if upsampling == "nearest":
        return ResizeConvolution(wide, narrow)
    return nn.ConvTranspose2d(wide, narrow, kernel_size=4, stride=2, padding=1, bias=False)


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
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02, generator=rng)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02, generator=rng)
            nn.init.zeros_(module.bias)
