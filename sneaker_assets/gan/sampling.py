"""A trained generator at work: loading it, drawing from it, laying pictures out in a grid.

It needs a generator's folder alone, no training state and no images.
"""

import math

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from
from torch import Tensor
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.gan.images import UInt8Array, from_network
from sneaker_assets.gan.networks import Generator
from sneaker_assets.lake import read_json

BATCH = 64
GUTTER = 2
"""White pixels between the pictures of a grid."""


class GeneratorError(SneakerError, ValueError):
    """A folder holds no trained generator, or a damaged one; the message says what to do."""


def load_generator(folder: UPath) -> Generator:
    """The generator that a training left in ``folder`` (``config.json``, ``model.safetensors``), ready to draw.

    Raises:
        GeneratorError: there is no finished generator in ``folder``, or its files are damaged.
    """
    try:
        config = read_json(folder / "config.json")
        weights = tensors_from((folder / "model.safetensors").read_bytes())
        generator = Generator(config["latent"], config["generator_width"], config["size"])
        generator.load_state_dict(weights)
    except FileNotFoundError as error:
        raise GeneratorError(f"no trained generator in {folder}: train one first") from error
    except (KeyError, RuntimeError, SafetensorError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise GeneratorError(f"the generator in {folder} is damaged ({why}): delete it and train again") from error
    return generator.eval()


def sample(generator: Generator, n: int, seed: int, device: torch.device) -> UInt8Array:
    """Draw ``n`` pictures, the same ones for the same seed: uint8 [n, size, size, 3].

    The generator is moved to ``device`` and left in evaluation mode.
    """
    noise = torch.randn(n, generator.latent, generator=torch.Generator().manual_seed(seed))
    return draw(generator.to(device), noise.to(device))


@torch.no_grad()
def draw(generator: Generator, noise: Tensor) -> UInt8Array:
    """The pictures of given noise [N, latent], on the generator's own device: uint8 [N, size, size, 3]."""
    generator.eval()
    return np.concatenate([from_network(generator(batch)) for batch in torch.split(noise, BATCH)])


def image_grid(images: UInt8Array, columns: int) -> Image.Image:
    """Pictures side by side on white, row by row.

    Args:
        images: uint8 RGB [N, height, width, 3].
        columns: pictures a row.
    """
    count, height, width, _ = images.shape
    rows = math.ceil(count / columns)
    size = columns * (width + GUTTER) - GUTTER, rows * (height + GUTTER) - GUTTER
    grid = Image.new("RGB", size, "white")
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        grid.paste(Image.fromarray(image), (column * (width + GUTTER), row * (height + GUTTER)))
    return grid
