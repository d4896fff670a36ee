"""Decodes the lake's images into frames of a fixed size.

JPEGs are decoded at the smallest of their eight scales that still fills the frame (Pillow's draft mode) and resized by
torch, whose antialiased bilinear filter matches Pillow's within one level of 255 in less than half the time.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional
from upath import UPath

from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.vision.imaging.crops import trim
from sneaker_assets.vision.imaging.opening import ImageDecodeError, Size, open_image
from sneaker_assets.vision.settings import Fit

Pixels = NDArray[np.uint8]
WHITE = (255, 255, 255)


class UnreadableImageError(SneakerError, ValueError):
    """An image is missing or cannot be decoded; the message says why."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The size of a network's input and how images are fitted into it.

    Attributes:
        height: Pixels.
        width: Pixels.
        fit: ``trim`` crops the white border and keeps the aspect ratio, ``pad`` keeps both, ``squash`` stretches; what
            remains of the frame is white.
    """

    height: int
    width: int
    fit: Fit = "trim"

    def min_size(self, size: Size) -> Size:
        """Smallest width and height at which an image of a size may be decoded without a visible loss."""
        if self.fit == "squash":
            return 2 * self.width, 2 * self.height
        # Twice the frame: closer to it, pixels differ by 2 of 255, and a trimmed image would be enlarged.
        width, height = size
        scale = 2 * min(self.width / width, self.height / height)
        return math.ceil(width * scale), math.ceil(height * scale)

    def apply(self, image: Image.Image) -> Pixels:
        """Fit an RGB image into the frame: uint8 [height, width, 3]."""
        if self.fit == "squash":
            return _resized(image, self.height, self.width)
        content = trim(image) if self.fit == "trim" else image
        scale = min(self.width / content.width, self.height / content.height)
        height, width = max(1, round(content.height * scale)), max(1, round(content.width * scale))
        framed = np.full((self.height, self.width, 3), 255, dtype=np.uint8)
        top, left = round((self.height - height) / 2), round((self.width - width) / 2)
        framed[top : top + height, left : left + width] = _resized(content, height, width)
        return framed


def _resized(image: Image.Image, height: int, width: int) -> Pixels:
    pixels = torch.from_numpy(np.array(image)).unsqueeze(0).permute(0, 3, 1, 2)
    resized = functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True)
    return np.asarray(resized[0].permute(1, 2, 0))


def read_image(path: UPath, frame: Frame) -> Pixels:
    """Decode an image of the lake into a frame.

    Args:
        path: A file in any format that ``opening`` reads.
        frame: The frame.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        UnreadableImageError: the file is missing or does not decode.
    """
    try:
        with path.open("rb") as file:
            image = open_image(file)
            return frame.apply(image.decode(frame.min_size(image.size)))
    except (OSError, ImageDecodeError) as error:
        raise UnreadableImageError(
            f"{path} cannot be read ({one_line(error)}): remove the file and materialize scraped_images again"
        ) from error


def read_batches(paths: Sequence[UPath], batch_size: int, frame: Frame) -> Iterator[Pixels]:
    """Decode images in batches, in threads and one batch ahead of the caller.

    Args:
        paths: The images.
        batch_size: Images per batch; the last one may be smaller.
        frame: The frame that they are fitted into.

    Yields:
        uint8 [n, height, width, 3], RGB, in the order of ``paths``.

    Raises:
        UnreadableImageError: an image is missing or does not decode.
    """

    def start_decoding(pool: ThreadPoolExecutor, start: int) -> Iterable[Pixels]:
        return pool.map(lambda path: read_image(path, frame), paths[start : start + batch_size])

    with ThreadPoolExecutor(max(2, torch.get_num_threads())) as pool:
        ahead = start_decoding(pool, 0)
        for start in range(0, len(paths), batch_size):
            batch, ahead = ahead, start_decoding(pool, start + batch_size)
            yield np.stack(list(batch))
