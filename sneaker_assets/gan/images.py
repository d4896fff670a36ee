"""Conversion of image files to arrays of small square images, and of arrays to network inputs and back.

Images are padded to a square with their own background colour, so that shoes keep their proportions. Random
augmentation during training is in ``augment``.
"""

import io
import math
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.vision.imaging.decoding import UnreadableImageError
from sneaker_assets.vision.imaging.opening import open_image

UInt8Array = npt.NDArray[np.uint8]
ImagePath = str | os.PathLike[str] | UPath
"""Path of an image file, local or in a bucket."""


MAX_IN_MEMORY = 2 << 30
"""Bytes of pixels up to which images are kept in memory; beyond it they are in a memory-mapped temporary file."""


class TooFewImagesError(SneakerError, ValueError):
    """There are too few images to train on or to compare; the message says how many are needed."""


def load_square_images(paths: Sequence[ImagePath], size: int) -> UInt8Array:
    """Decode images, pad each to a square and scale it to ``size`` pixels a side.

    Args:
        paths: The image files.
        size: Height and width of the result in pixels.

    Returns:
        uint8 RGB [N, size, size, 3], in the order of the paths; in memory up to :data:`MAX_IN_MEMORY` bytes.

    Raises:
        UnreadableImageError: An image is missing or cannot be decoded; the message names its path.
    """
    images = _allocate((len(paths), size, size, 3))
    with ThreadPoolExecutor(max_workers=min(8, 2 * (os.cpu_count() or 1))) as pool:
        for row, image in enumerate(pool.map(lambda path: _load(path, size), paths)):
            images[row] = image
    return images


def _allocate(shape: tuple[int, ...]) -> UInt8Array:
    """An array of the shape; the file of a large one is deleted together with it."""
    if math.prod(shape) <= MAX_IN_MEMORY:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


def pad_to_square(image: Image.Image, size: int) -> UInt8Array:
    """Scale an image to fit a square, centred and padded with its own background colour.

    Args:
        image: An RGB image.
        size: Height and width of the result in pixels.

    Returns:
        uint8 RGB [size, size, 3].
    """
    background = background_colour(np.asarray(image))
    return np.asarray(ImageOps.pad(image, (size, size), Image.Resampling.BICUBIC, color=background))


def background_colour(image: UInt8Array) -> tuple[int, int, int]:
    """Most frequent colour along the border of an image, found in bins of 8 levels per channel.

    The median would fail where a shoe fills its image: toe, heel and shadow then cover half of the border.

    Args:
        image: uint8 RGB [height, width, 3].

    Returns:
        Red, green and blue, 0 to 255.
    """
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    red, green, blue = (border >> 3).astype(np.int64).T
    bins = (red << 10) | (green << 5) | blue
    mode = border[bins == np.bincount(bins).argmax()]
    red, green, blue = np.median(mode, axis=0).round().astype(int).tolist()
    return red, green, blue


def to_network(images: Tensor) -> Tensor:
    """Network input from pixels.

    Args:
        images: uint8 [N, H, W, 3].

    Returns:
        float32 [N, 3, H, W] in [-1, 1], channels last in memory.
    """
    return images.permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


def from_network(images: Tensor) -> UInt8Array:
    """Pixels from network output.

    Args:
        images: float [N, 3, H, W] in [-1, 1].

    Returns:
        uint8 [N, H, W, 3], rounded and clipped.
    """
    pixels = images.float().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    array: UInt8Array = pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return array


def _load(path: ImagePath, size: int) -> UInt8Array:
    try:
        image = open_image(io.BytesIO(UPath(path).read_bytes()))
        # libjpeg decodes cheaply at 1/2, 1/4 or 1/8; twice the target size leaves room for antialiasing.
        scale = 2 * size / max(image.size)
        width, height = image.size
        return pad_to_square(image.decode((math.ceil(scale * width), math.ceil(scale * height))), size)
    except (OSError, ValueError) as error:
        raise UnreadableImageError(f"{path} cannot be decoded as an image ({error})") from error
