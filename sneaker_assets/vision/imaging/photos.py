"""Decodes pictures supplied by users and makes them look like product shots: upright, RGB, on white.

Images of the lake were validated when they were crawled and are read by ``decoding``.

Pillow on hostile images: https://pillow.readthedocs.io/en/stable/handbook/security.html
"""

import io
import os
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from upath import UPath

from sneaker_assets.errors import one_line
from sneaker_assets.vision.imaging.crops import TOLERANCE, on_white
from sneaker_assets.vision.imaging.decoding import Frame, Pixels, UnreadableImageError

Picture = str | os.PathLike[str] | UPath | bytes | Pixels
"""The path of an image file, its content, or pixels uint8 [height, width, 3] in RGB."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MIN_SIDE = 16
"""Pixels; smaller pictures show too little of a shoe."""

MAX_PIXELS = 60_000_000
"""Larger pictures are refused before they are decoded: twice a good camera's resolution, and 240 MB in memory."""

_ORIENTATION = 0x0112
"""EXIF tag."""


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
    pixels = _fit(_from_array(source), frame) if isinstance(source, np.ndarray) else _decode(source, frame)
    if (pixels >= 255 - TOLERANCE).all():
        raise UnreadableImageError("is blank: there is no shoe on it")
    return pixels


def _decode(source: str | os.PathLike[str] | UPath | bytes, frame: Frame) -> Pixels:
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else UPath(source).open("rb") as file:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                image = Image.open(file, formats=FORMATS)
            return _fit(image, frame)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImageError(f"has more than {MAX_PIXELS:,} pixels: make it smaller") from error
    except UnidentifiedImageError as error:
        raise UnreadableImageError(f"is not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture") from error
    except IsADirectoryError as error:
        raise UnreadableImageError("is a folder") from error
    except FileNotFoundError as error:
        raise UnreadableImageError("does not exist") from error
    except UnreadableImageError:
        raise
    except Exception as error:  # a decoder may fail on hostile bytes in any way
        raise UnreadableImageError(f"does not decode: {one_line(error, max_length=200)}") from error


def _from_array(pixels: Pixels) -> Image.Image:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UnreadableImageError(
            f"has shape {list(pixels.shape)} and type {pixels.dtype}: pass uint8 [height, width, 3] in RGB"
        )
    return Image.fromarray(pixels)


def _fit(image: Image.Image, frame: Frame) -> Pixels:
    _check_size(image)
    image.draft("RGB", _min_size(image, frame))
    return frame.apply(on_white(_eight_bits(ImageOps.exif_transpose(image))))


def _min_size(image: Image.Image, frame: Frame) -> tuple[int, int]:
    """Smallest width and height to decode; those of a picture on its side are swapped afterwards."""
    on_its_side = image.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
    return (2 * max(frame.height, frame.width),) * 2 if on_its_side else frame.min_size(image)


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise UnreadableImageError(f"has more than {MAX_PIXELS:,} pixels: make it smaller")
    if min(image.size) < MIN_SIDE:
        raise UnreadableImageError(f"has {image.width}x{image.height} pixels: too few to show a shoe")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16 bits per channel to 8; Pillow's own conversion clips at 255, which leaves a white image."""
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    return Image.fromarray((np.asarray(image).clip(0, 65_535) // 257).astype(np.uint8))
