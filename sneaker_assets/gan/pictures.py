"""Pictures of what a generator does: a walk through its noise, its learning as an animation.

What goes into a grid, ``sampling`` draws; figures with axes live in ``figures``.
"""

import io
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.networks import Generator
from sneaker_assets.gan.sampling import draw

MOST_BYTES = 3_000_000
LAST_FRAME = 2_000
"""Milliseconds for which the animation shows where the training ended."""


def interpolation(
    generator: Generator, device: torch.device, seed: int, rows: int = 4, columns: int = 10
) -> UInt8Array:
    """Walks from one noise vector to another, a row each: uint8 [rows * columns, size, size, 3].

    A generator that has learned by heart jumps on the way; one that has learned shoes passes through shoes.
    """
    rng = torch.Generator().manual_seed(seed)
    starts, ends = torch.randn(2, rows, generator.latent, generator=rng)
    walks = [between(start, end, columns) for start, end in zip(starts, ends, strict=True)]
    return draw(generator.to(device), torch.cat(walks).to(device))


def between(start: Tensor, end: Tensor, count: int) -> Tensor:
    """Points from one noise vector [D] to another along a great circle, where noise lies: [count, D].

    White: Sampling Generative Networks (2016), https://arxiv.org/abs/1609.04468
    """
    angle = torch.acos(torch.cosine_similarity(start, end, dim=0).clamp(-1, 1))
    share = torch.linspace(0, 1, count)[:, None]
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / torch.sin(angle)


def animation(frames: Sequence[Image.Image], milliseconds: int = 200, max_bytes: int = MOST_BYTES) -> bytes:
    """Pictures of one size as an animated WebP of at most ``max_bytes``, coarser where it has to be.

    Raises:
        ValueError: there is no picture, or even the coarsest animation is larger.
    """
    if not frames:
        raise ValueError("an animation needs a picture")
    for shrunk in (1, 2, 4):
        small = [frame.convert("RGB").reduce(shrunk) for frame in frames]
        for quality in (85, 60, 30):
            file = io.BytesIO()
            small[0].save(
                file,
                format="WEBP",
                save_all=True,
                append_images=small[1:],
                duration=[milliseconds] * (len(small) - 1) + [LAST_FRAME],
                loop=0,
                quality=quality,
            )
            if file.tell() <= max_bytes:
                return file.getvalue()
    raise ValueError(f"{len(frames)} pictures do not fit into an animation of {max_bytes:,} bytes: show fewer")
