"""From an image file to pixels: decoded once, small enough for a network, fitted into its frame.

JPEGs are decoded at the smallest of their eight scales that still fills the frame (Pillow's draft mode), and resized by
torch, whose bilinear filter gives Pillow's pixels in less than half the time. Normalisation is the backbone's concern
and happens on its device.
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

from sneaker_assets.errors import SneakerError
from sneaker_assets.vision.imaging.crops import on_white, trim
from sneaker_assets.vision.settings import Fit

Pixels = NDArray[np.uint8]
WHITE = (255, 255, 255)


class UnreadableImageError(SneakerError, ValueError):
    """An image of the lake no longer decodes; the message names it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a network looks at: ``height`` by ``width`` pixels, and how a picture fills them."""

    height: int
    width: int
    fit: Fit = "trim"

    def min_size(self, image: Image.Image) -> tuple[int, int]:
        """Width and height in pixels from which the picture can be resized as sharply as from its full size."""
        if self.fit == "squash":
            return 2 * self.width, 2 * self.height
        # Half of what is decoded: nearer to the frame the pixels differ by 2 of 255, and trimming would lack some.
        scale = 2 * min(self.width / image.width, self.height / image.height)
        return math.ceil(image.width * scale), math.ceil(image.height * scale)

    def around(self, image: Image.Image) -> Pixels:
        """An RGB picture in this frame, uint8 [height, width, 3]."""
        if self.fit == "squash":
            return _resized(image, self.height, self.width)
        shoe = trim(image) if self.fit == "trim" else image
        scale = min(self.width / shoe.width, self.height / shoe.height)
        height, width = max(1, round(shoe.height * scale)), max(1, round(shoe.width * scale))
        framed = np.full((self.height, self.width, 3), 255, dtype=np.uint8)
        top, left = round((self.height - height) / 2), round((self.width - width) / 2)
        framed[top : top + height, left : left + width] = _resized(shoe, height, width)
        return framed


def _resized(image: Image.Image, height: int, width: int) -> Pixels:
    pixels = torch.from_numpy(np.array(image)).unsqueeze(0).permute(0, 3, 1, 2)
    resized = functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True)
    return np.asarray(resized[0].permute(1, 2, 0))


def read_image(path: UPath, frame: Frame) -> Pixels:
    """Decode an image into a frame.

    Args:
        path: A JPEG, PNG or anything else that Pillow reads.
        frame: What it is fitted into.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        UnreadableImageError: the file is missing or does not decode.
    """
    try:
        with path.open("rb") as file, Image.open(file) as image:
            image.draft("RGB", frame.min_size(image))
            return frame.around(on_white(image))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableImageError(
            f"{path} cannot be read ({error}): remove the file and materialize scraped_images again"
        ) from error


def read_batches(paths: Sequence[UPath], batch_size: int, frame: Frame) -> Iterator[Pixels]:
    """Decode images in order, on all cores, the next batch while the last one is in use.

    Returns:
        uint8 [n, height, width, 3] a batch, n at most ``batch_size``.
    """

    def decoded(pool: ThreadPoolExecutor, start: int) -> Iterable[Pixels]:
        return pool.map(lambda path: read_image(path, frame), paths[start : start + batch_size])

    with ThreadPoolExecutor(max(2, torch.get_num_threads())) as pool:
        coming = decoded(pool, 0)
        for start in range(0, len(paths), batch_size):
            batch, coming = coming, decoded(pool, start + batch_size)
            yield np.stack(list(batch))
