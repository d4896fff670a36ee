"""Visualisations of a generator: latent interpolations, titled grids, and an animation of its training."""

import io
from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sneaker_assets.gan.errors import GanError
from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.networks import Generator
from sneaker_assets.gan.sampling import generate

TITLE_SIZE = 14
"""Height of a title's letters in pixels."""

MAX_BYTES = 3_000_000
LAST_FRAME = 2_000
"""Milliseconds for which an animation shows its last frame."""


def interpolation(
    generator: Generator, device: torch.device, seed: int, rows: int = 4, columns: int = 10
) -> UInt8Array:
    """Images along paths between pairs of random noise vectors.

    Abrupt changes along a path suggest memorised images; gradual ones suggest that the generator interpolates.

    Args:
        generator: The trained generator; moved to ``device``.
        device: Where to generate.
        seed: Seed of the noise vectors.
        rows: Number of paths.
        columns: Images per path, both ends included.

    Returns:
        uint8 RGB [rows * columns, size, size, 3], path by path.
    """
    rng = torch.Generator().manual_seed(seed)
    starts, ends = torch.randn(2, rows, generator.latent, generator=rng)
    paths = [slerp(start, end, columns) for start, end in zip(starts, ends, strict=True)]
    return generate(generator.to(device), torch.cat(paths).to(device))


def slerp(start: Tensor, end: Tensor, count: int) -> Tensor:
    """Spherical linear interpolation between two vectors, which keeps the norm typical of Gaussian noise.

    White: Sampling Generative Networks (2016), https://arxiv.org/abs/1609.04468

    Args:
        start: [D].
        end: [D].
        count: Number of points, both ends included.

    Returns:
        [count, D].
    """
    angle = torch.acos(torch.cosine_similarity(start, end, dim=0).clamp(-1, 1))
    fraction = torch.linspace(0, 1, count)[:, None]
    return (torch.sin((1 - fraction) * angle) * start + torch.sin(fraction * angle) * end) / torch.sin(angle)


def titled(image: Image.Image, title: str) -> Image.Image:
    """An image below a title on white.

    Args:
        image: The image.
        title: One line; it is cut off where the image is too narrow.
    """
    font = ImageFont.load_default(TITLE_SIZE)
    framed = Image.new("RGB", (image.width, image.height + 2 * TITLE_SIZE), "white")
    framed.paste(image.convert("RGB"), (0, 2 * TITLE_SIZE))
    ImageDraw.Draw(framed).text((2, TITLE_SIZE // 2), title, fill="black", font=font)
    return framed


def animation(frames: Sequence[Image.Image], milliseconds: int = 200, max_bytes: int = MAX_BYTES) -> bytes:
    """Animated WebP of at most ``max_bytes``; resolution and quality are reduced where necessary.

    Args:
        frames: Images of one size.
        milliseconds: Duration of each frame but the last, which stays for two seconds.
        max_bytes: Size limit.

    Raises:
        GanError: There are no frames, or they do not fit even at the lowest quality.
    """
    if not frames:
        raise GanError("an animation needs at least one image")
    for factor in (1, 2, 4):
        reduced = [frame.convert("RGB").reduce(factor) for frame in frames]
        for quality in (85, 60, 30):
            file = io.BytesIO()
            reduced[0].save(
                file,
                format="WEBP",
                save_all=True,
                append_images=reduced[1:],
                duration=[milliseconds] * (len(reduced) - 1) + [LAST_FRAME],
                loop=0,
                quality=quality,
            )
            if file.tell() <= max_bytes:
                return file.getvalue()
    raise GanError(f"{len(frames)} images do not fit into an animation of {max_bytes:,} bytes: use fewer")
