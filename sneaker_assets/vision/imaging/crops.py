"""Finds and removes the white border of product shots."""

import math

from PIL import Image, ImageChops

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, as Pillow counts them: right and bottom are exclusive."""

TOLERANCE = 24
"""A pixel counts as white if no channel differs from white by more than this, of 255."""

MARGIN = 0.02
"""Margin left around the content, as a fraction of the longer side of its box."""


def on_white(image: Image.Image) -> Image.Image:
    """The image in RGB, composited on white where it is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def find_content_box(image: Image.Image, tolerance: int = TOLERANCE) -> Box:
    """Bounding box of the pixels that are not white; the whole image where all of them are.

    Args:
        image: RGB.
        tolerance: Largest difference from white per channel, of 255, at which a pixel counts as white.
    """
    red, green, blue = image.split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    ink = darkest.point([255 if level < 255 - tolerance else 0 for level in range(256)])
    return ink.getbbox() or (0, 0, *image.size)


def enlarge(box: Box, margin: float, found_in: tuple[int, int], full: tuple[int, int]) -> Box:
    """Scale a box to another size of the same image and add a margin, rounded outwards and clipped to the image.

    Args:
        box: Box in an image of size ``found_in``.
        margin: Fraction of the box's longer side to add on each side.
        found_in: Width and height in pixels.
        full: Width and height in pixels of the image that the result refers to.
    """
    left, top, right, bottom = box
    extra = margin * max(right - left, bottom - top)
    across, down = full[0] / found_in[0], full[1] / found_in[1]
    return (
        max(0, int((left - extra) * across)),
        max(0, int((top - extra) * down)),
        min(full[0], math.ceil((right + extra) * across)),
        min(full[1], math.ceil((bottom + extra) * down)),
    )


def trim(image: Image.Image, tolerance: int = TOLERANCE, margin: float = MARGIN) -> Image.Image:
    """Crop the white border of an RGB image.

    Args:
        image: RGB.
        tolerance: As for :func:`find_content_box`.
        margin: As for :func:`enlarge`.
    """
    return image.crop(enlarge(find_content_box(image, tolerance), margin, image.size, image.size))
