"""Any picture that a person may hand over, made what the models have learned from: upright, RGB, on white.

Pictures of the lake were checked when they were crawled; ``images`` reads those.

Pillow on hostile images: https://pillow.readthedocs.io/en/stable/handbook/security.html
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sneaker_assets.errors import one_line
from sneaker_assets.vision.imaging.crops import TOLERANCE, on_white
from sneaker_assets.vision.imaging.decoding import Frame, Pixels, UnreadableImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_ORIENTATION = 0x0112
LEAST_SIDE = 16
"""Pixels; below it nobody could tell a shoe."""

MOST_PIXELS = 60_000_000
"""Above it a picture is refused before it is decoded: twice a good camera's, and 240 MB in memory."""


def read_photo(source: Path | bytes, frame: Frame) -> Pixels:
    """Decode a picture into a frame: its first one where it moves, turned as its EXIF says, white behind what is clear.

    Args:
        source: A file, or its content.
        frame: What it is fitted into.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        UnreadableImageError: it is no picture, broken, blank, too large or too small; the message names no file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
        with opened as image:
            _check_size(image)
            image.draft("RGB", _least_size(image, frame))
            pixels = frame.around(on_white(_eight_bits(ImageOps.exif_transpose(image))))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImageError(f"has more than {MOST_PIXELS:,} pixels: make it smaller") from error
    except UnidentifiedImageError as error:
        raise UnreadableImageError(f"is no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture") from error
    except IsADirectoryError as error:
        raise UnreadableImageError("is a folder") from error
    except FileNotFoundError as error:
        raise UnreadableImageError("is not there") from error
    except UnreadableImageError:
        raise
    except Exception as error:  # a decoder may fail on hostile bytes in any way
        raise UnreadableImageError(f"does not decode: {one_line(error, max_length=200)}") from error
    if (pixels >= 255 - TOLERANCE).all():
        raise UnreadableImageError("is blank: there is no shoe on it")
    return pixels


def _least_size(image: Image.Image, frame: Frame) -> tuple[int, int]:
    """What it is decoded to at least; one that lies on its side may need either length for the other."""
    on_its_side = image.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
    return (2 * max(frame.height, frame.width),) * 2 if on_its_side else frame.min_size(image)


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise Image.DecompressionBombError
    if min(image.size) < LEAST_SIDE:
        raise UnreadableImageError(f"has {image.width}x{image.height} pixels: too few to show a shoe")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Sixteen bits a pixel made eight, where Pillow would cut them off at 255 and leave a white page."""
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    return Image.fromarray((np.asarray(image).clip(0, 65_535) // 257).astype(np.uint8))
