"""Opens image files: whatever the format, an upright RGB image with 8 bits per channel, on white, in sRGB.

Every reader of image files uses this module, so that a file has the same pixels in training, in near-duplicate
detection and when a price is asked for.

Pillow on hostile images: https://pillow.readthedocs.io/en/stable/handbook/security.html
"""

import importlib
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import IO

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.vision.imaging.crops import on_white

Size = tuple[int, int]
"""Width and height in pixels."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Formats that Pillow reads; HEIC needs the extra ``sneaker-assets[heic]``."""

MAX_PROFILE_DIFFERENCE = 8
"""Levels of 255; a colour profile that changes no colour by more is sRGB, and its pixels are kept as they are."""

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Major brands of HEIF files; the brand is at byte 8. https://github.com/strukturag/libheif/issues/83"""

_EXIF_KEYS = frozenset({"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"})
"""Entries of ``Image.info`` that can hold an orientation."""

_TOO_MANY_PIXELS = "has more than {:,} pixels: make it smaller"
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to the operation that reverses it."""


class ImageDecodeError(SneakerError, ValueError):
    """An image cannot be opened or decoded; the message continues a sentence that begins with the image's name."""


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image whose header was read and whose pixels are not decoded yet; see :func:`open_image`."""

    _image: Image.Image
    _encoded_size: Size

    @property
    def size(self) -> Size:
        """Width and height in pixels of the upright image."""
        width, height = self._encoded_size
        return (height, width) if self._on_its_side else (width, height)

    @property
    def _on_its_side(self) -> bool:
        return _orientation(self._image) >= 5

    def decode(self, min_size: Size | None = None) -> Image.Image:
        """Decode the image, of an animation the first frame.

        Args:
            min_size: Width and height in pixels that suffice. A JPEG is decoded at the smallest of its eight scales
                that is not smaller; other formats have one scale. By default the full size.

        Returns:
            RGB, upright.

        Raises:
            ImageDecodeError: The data is broken.
        """
        image = self._image
        try:
            if min_size is not None:
                image.draft("RGB", min_size[::-1] if self._on_its_side else min_size)
            image.load()
            turn = _UPRIGHT.get(_orientation(image))
            rgb = on_white(_in_srgb(_eight_bits(image)))
            return rgb if turn is None else rgb.transpose(turn)
        except Exception as error:  # decoders raise arbitrary errors on malformed data
            raise ImageDecodeError(f"does not decode: {one_line(error, max_length=200)}") from error


def open_image(file: IO[bytes], max_pixels: int | None = None) -> EncodedImage:
    """Read the header of an image.

    Args:
        file: The image, which must stay open until it is decoded.
        max_pixels: Maximum number of pixels, by default Pillow's limit against decompression bombs.

    Raises:
        ImageDecodeError: The file is not an image of a supported format, or has too many pixels.
    """
    try:
        image = _identify(file)
    except Image.DecompressionBombError as error:
        limit = max_pixels or 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise ImageDecodeError(_TOO_MANY_PIXELS.format(limit)) from error
    except ImageDecodeError:
        raise
    except Exception as error:  # decoders raise arbitrary errors on malformed data
        raise ImageDecodeError(f"does not decode: {one_line(error, max_length=200)}") from error
    if max_pixels is not None and image.width * image.height > max_pixels:
        raise ImageDecodeError(_TOO_MANY_PIXELS.format(max_pixels))
    return EncodedImage(image, image.size)


def _identify(file: IO[bytes]) -> Image.Image:
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        file.seek(0)
        header = file.read(12)
        file.seek(0)
        if header[4:8] != b"ftyp" or header[8:] not in _HEIC_BRANDS:
            raise ImageDecodeError(f"is not a {', '.join(FORMATS[:-1])}, {FORMATS[-1]} or HEIC picture") from None
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        raise ImageDecodeError(
            "is a HEIC picture, which needs pillow-heif: pip install 'sneaker-assets[heic]'"
        ) from None
    try:
        return Image.open(file, formats=("HEIF",))
    except UnidentifiedImageError:
        raise ImageDecodeError("does not decode: it begins like a HEIC picture and is damaged") from None


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; a PNG may have it behind its pixels, so that it is known after decoding only."""
    if image.format == "TIFF" or not _EXIF_KEYS & image.info.keys():
        return 1  # Pillow turns a TIFF while decoding, and states the size of the upright image before
    try:
        value = Image.Image.getexif(image).get(_ORIENTATION, 1)  # that of a PNG would decode it
    except Exception:  # noqa: BLE001 - malformed metadata raise arbitrary errors, and the pixels are usable without
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale grey images of 16 or 32 bits and of floats to 8 bits; Pillow's own conversion clips at 255.

    The white level of 16-bit images is 65,535; the other modes do not state theirs, which is the lowest of 1 (floats
    only), 255, 65,535 and the maximum that no level exceeds.
    """
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    levels = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)
    white = 65_535.0
    if image.mode in ("I", "F"):
        brightest = float(levels.max())
        scales = ([1.0] if image.mode == "F" else []) + [255.0, 65_535.0]
        white = next((scale for scale in scales if brightest <= scale), brightest)
    grey = Image.fromarray(np.floor(levels.clip(0, white) * (255 / white) + 1e-9).astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(levels == clear, 0, 255).astype(np.uint8)))
    return grey


def _in_srgb(image: Image.Image) -> Image.Image:
    """Convert an image with an embedded colour profile to sRGB; others, and those with a broken profile, are kept."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    transform = _transform(profile, image.mode)
    return image if transform is None else transform.apply(image)


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Transform of a profile to sRGB; None if it changes little or does not fit the mode.

    LittleCMS: https://www.littlecms.com
    """
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGBA" if mode == "RGBA" else "RGB",
            flags=ImageCms.Flags.NOCACHE,  # the transform is shared by threads
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if mode == "CMYK":
        return transform
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(64, 64, 3)
    before = Image.fromarray(grid).convert(mode)
    changed = np.asarray(transform.apply(before).convert("RGB")).astype(int) - np.asarray(before.convert("RGB"))
    return transform if np.abs(changed).max() > MAX_PROFILE_DIFFERENCE else None
