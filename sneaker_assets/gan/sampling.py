"""Sampling from a trained generator; needs the generator's folder only, not its checkpoints or training images."""

import math

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from
from torch import Tensor
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.gan.conditions import Conditions
from sneaker_assets.gan.images import UInt8Array, from_network
from sneaker_assets.gan.networks import Generator
from sneaker_assets.lake import read_json

BATCH = 64
GUTTER = 2
"""White pixels between the images of a grid."""


class GeneratorError(SneakerError, ValueError):
    """A folder holds no trained generator, or a damaged one; the message says what to do."""


def load_generator(folder: UPath) -> Generator:
    """Load a trained generator in evaluation mode, on the CPU.

    Args:
        folder: A folder with ``config.json`` and ``model.safetensors``, as written by ``run.publish``.

    Raises:
        GeneratorError: There is no finished generator in ``folder``, or its files are damaged.
    """
    try:
        config = read_json(folder / "config.json")
        weights = tensors_from((folder / "model.safetensors").read_bytes())
        conditions = Conditions.from_json(config["conditions"]) if config.get("conditions") else None
        generator = Generator(
            config["latent"] + (conditions.width if conditions else 0),
            config["generator_width"],
            config["size"],
            config.get("upsampling", "transposed"),
            config.get("convolutions", 1),
        )
        generator.load_state_dict(weights)
    except FileNotFoundError as error:
        raise GeneratorError(f"no trained generator in {folder}: train one first") from error
    except (KeyError, RuntimeError, SafetensorError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise GeneratorError(f"the generator in {folder} is damaged ({reason}): delete it and train again") from error
    return generator.eval()


def sample(
    generator: Generator, n: int, seed: int, device: torch.device, condition: Tensor | None = None
) -> UInt8Array:
    """Generate images from random noise; the same seed gives the same images.

    Args:
        generator: Moved to ``device`` and left in evaluation mode.
        n: Number of images.
        seed: Seed of the noise.
        device: Where to generate.
        condition: Encoded conditions [n, C] of a conditional generator.

    Returns:
        uint8 RGB [n, size, size, 3].
    """
    condition = torch.empty(n, 0) if condition is None else condition.cpu()
    noise = torch.randn(n, generator.latent - condition.shape[1], generator=torch.Generator().manual_seed(seed))
    return generate(generator.to(device), torch.cat([noise, condition], dim=1).to(device))


@torch.no_grad()
def generate(generator: Generator, noise: Tensor) -> UInt8Array:
    """Generate images from given noise.

    Args:
        generator: Left in evaluation mode.
        noise: [N, latent], on the generator's device.

    Returns:
        uint8 RGB [N, size, size, 3].
    """
    generator.eval()
    return np.concatenate([from_network(generator(batch)) for batch in torch.split(noise, BATCH)])


def image_grid(images: UInt8Array, columns: int) -> Image.Image:
    """Grid of images on white, filled row by row.

    Args:
        images: uint8 RGB [N, height, width, 3].
        columns: Images per row.
    """
    count, height, width, _ = images.shape
    rows = math.ceil(count / columns)
    size = columns * (width + GUTTER) - GUTTER, rows * (height + GUTTER) - GUTTER
    grid = Image.new("RGB", size, "white")
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        grid.paste(Image.fromarray(image), (column * (width + GUTTER), row * (height + GUTTER)))
    return grid
