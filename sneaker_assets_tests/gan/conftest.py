"""Drawn shoes, and settings small enough to train in a second."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.settings import GanSettings

CPU = torch.device("cpu")
SMALL = GanSettings(epochs=4, batch_size=8, generator_width=8, discriminator_width=8, latent=16, checkpoint_every=2)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Run torch on one thread: small networks are faster, and the order of floating-point sums is deterministic."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def draw_images(count: int = 24, size: int = 64) -> UInt8Array:
    """Ellipses with the proportions of a shoe on white, in random colours: uint8 [count, size, size, 3]."""
    rng = np.random.default_rng(0)
    images = []
    for _ in range(count):
        image = Image.new("RGB", (size, size), "white")
        left, top = rng.integers(2, size // 8, 2).tolist()
        colour = tuple(rng.integers(20, 200, 3).tolist())
        ImageDraw.Draw(image).ellipse((left, size // 3 + top, size - left, 2 * size // 3 + top), fill=colour)
        images.append(np.asarray(image))
    return np.stack(images)
