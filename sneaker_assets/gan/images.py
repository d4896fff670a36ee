"""Pictures to arrays and back: square, small, all in one array.

A shoe keeps its shape: its picture is padded to a square on its own background colour, never squashed. What the
networks do with the pixels, and random changes while training (``augment``), live elsewhere.
"""

import io
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.vision.imaging.opening import open_image

UInt8Array = npt.NDArray[np.uint8]
Picture = str | os.PathLike[str] | UPath
"""Where a picture lies, on this machine or in a bucket."""


class TooFewImagesError(SneakerError, ValueError):
    """There are not enough images to learn from or to compare; the message says how many there are and it takes."""


def load_square_images(paths: Sequence[Picture], size: int) -> UInt8Array:
    """Decode pictures, each padded to a square and scaled to ``size`` pixels a side.

    Returns:
        uint8 RGB [N, size, size, 3], in the order of the paths.

    Raises:
        ValueError: a picture is missing or does not decode; the message names its path.
    """
    images = np.empty((len(paths), size, size, 3), dtype=np.uint8)
    with ThreadPoolExecutor(max_workers=min(8, 2 * (os.cpu_count() or 1))) as pool:
        for row, image in enumerate(pool.map(lambda path: _load(path, size), paths)):
            images[row] = image
    return images


def square(picture: Image.Image, size: int) -> UInt8Array:
    """Fit an RGB picture into a square of ``size`` pixels, centred on its background: uint8 [size, size, 3]."""
    background = background_colour(np.asarray(picture))
    return np.asarray(ImageOps.pad(picture, (size, size), Image.Resampling.BICUBIC, color=background))


def background_colour(image: UInt8Array) -> tuple[int, int, int]:
    """The commonest colour of an image's rim, to a thirty-second of the range.

    The median would not do: where a shoe fills its picture, toe, heel and shadow make up half of the rim.

    Args:
        image: uint8 RGB [height, width, 3].
    """
    rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    red, green, blue = (rim >> 3).astype(np.int64).T
    kinds = (red << 10) | (green << 5) | blue
    commonest = rim[kinds == np.bincount(kinds).argmax()]
    red, green, blue = np.median(commonest, axis=0).round().astype(int).tolist()
    return red, green, blue


def to_network(images: Tensor) -> Tensor:
    """Pixels as the networks take them: uint8 [N, H, W, 3] to float32 [N, 3, H, W] in [-1, 1], channels last."""
    return images.permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


def from_network(images: Tensor) -> UInt8Array:
    """Pixels as everyone else takes them: float [N, 3, H, W] in [-1, 1] to uint8 [N, H, W, 3]."""
    pixels = images.float().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    array: UInt8Array = pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return array


def _load(path: Picture, size: int) -> UInt8Array:
    try:
        picture = open_image(io.BytesIO(UPath(path).read_bytes()))
        # A JPEG decodes at a half, a quarter or an eighth for little; antialiasing wants twice the size.
        scale = 2 * size / max(picture.size)
        width, height = picture.size
        return square(picture.decode((math.ceil(scale * width), math.ceil(scale * height))), size)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no picture that decodes ({error})") from error
