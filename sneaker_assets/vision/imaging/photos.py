"""Decodes pictures supplied by users and makes them look like product shots: upright, RGB, on white.

Images of the lake were validated when they were crawled and are read by ``decoding``; both use ``opening``.
"""

import io
import os
import warnings

import numpy as np
from PIL import Image
from upath import UPath

from sneaker_assets.errors import one_line
from sneaker_assets.vision.imaging.crops import TOLERANCE
from sneaker_assets.vision.imaging.decoding import Frame, Pixels, UnreadableImageError
from sneaker_assets.vision.imaging.opening import ImageDecodeError, Size, open_image

Picture = str | os.PathLike[str] | UPath | bytes | Pixels
"""The path of an image file, its content, or pixels uint8 [height, width, 3] in RGB."""

MIN_SIDE = 16
"""Pixels; smaller pictures show too little of a shoe."""

MAX_PIXELS = 60_000_000
"""Larger pictures are refused before they are decoded: twice a good camera's resolution, and 240 MB in memory."""


def read_photo(source: Picture, frame: Frame) -> Pixels:
    """Decode a picture into a frame.

    Of an animation the first image is taken; the EXIF orientation is applied; transparency becomes white.

    Args:
        source: The picture.
        frame: The frame that it is fitted into.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        UnreadableImageError: the picture is missing, broken, blank, too large or too small; the message continues a
            sentence that begins with the picture's name.
    """
    pixels = frame.apply(_from_array(source)) if isinstance(source, np.ndarray) else _decode(source, frame)
    if (pixels >= 255 - TOLERANCE).all():
        raise UnreadableImageError("is blank: there is no shoe on it")
    return pixels


def _decode(source: str | os.PathLike[str] | UPath | bytes, frame: Frame) -> Pixels:
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else UPath(source).open("rb") as file:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                image = open_image(file, MAX_PIXELS)
            _check_size(image.size)
            return frame.apply(image.decode(frame.min_size(image.size)))
    except ImageDecodeError as error:
        raise UnreadableImageError(str(error)) from error
    except IsADirectoryError as error:
        raise UnreadableImageError("is a folder") from error
    except FileNotFoundError as error:
        raise UnreadableImageError("does not exist") from error
    except OSError as error:
        raise UnreadableImageError(f"cannot be read: {one_line(error, max_length=200)}") from error


def _from_array(pixels: Pixels) -> Image.Image:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UnreadableImageError(
            f"has shape {list(pixels.shape)} and type {pixels.dtype}: pass uint8 [height, width, 3] in RGB"
        )
    image = Image.fromarray(pixels)
    _check_size(image.size)
    return image


def _check_size(size: Size) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise UnreadableImageError(f"has more than {MAX_PIXELS:,} pixels: make it smaller")
    if min(size) < MIN_SIDE:
        raise UnreadableImageError(f"has {width}x{height} pixels: too few to show a shoe")
