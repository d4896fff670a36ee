"""The white border of a product shot: where the shoe is, for whoever describes a picture and whoever learns from it.

Pixels in, a box out; which files these pixels come from is the caller's concern.
"""

import math

from PIL import Image, ImageChops

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, as Pillow counts them."""

TOLERANCE = 24
"""White are pixels whose channels all lie within this (of 255) of white."""

MARGIN = 0.02
"""What is left around the shoe, as a share of the longer side of its box."""


def on_white(image: Image.Image) -> Image.Image:
    """The image in RGB, on white where it is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def find_content_box(image: Image.Image, tolerance: int = TOLERANCE) -> Box:
    """The smallest box that holds everything that is not white; the whole image where all of it is.

    Args:
        image: RGB.
        tolerance: How far from white border may be, of 255.
    """
    red, green, blue = image.split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    ink = darkest.point([255 if level < 255 - tolerance else 0 for level in range(256)])
    return ink.getbbox() or (0, 0, *image.size)


def enlarge(box: Box, margin: float, found_in: tuple[int, int], full: tuple[int, int]) -> Box:
    """A box with its margin, rounded outwards and cut at the image's edge.

    Args:
        box: Found in an image of the size ``found_in``.
        margin: As a share of the box's longer side.
        found_in: Width and height in pixels.
        full: Width and height of the same image at the size in which the box is wanted.
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
    """An RGB image without its white border."""
    return image.crop(enlarge(find_content_box(image, tolerance), margin, image.size, image.size))
