"""Colour statistics of shoes, computed alike on real images and on samples to compare price bands.

The background is excluded, since otherwise the size of a shoe in its image would count as brightness.
"""

import colorsys
from bisect import bisect_right

import numpy as np
import pandas as pd

from sneaker_assets.gan.images import UInt8Array, background_colour
from sneaker_assets.gan.settings import COLOURS

_MIN_CHROMA = 0.1
"""Chroma (maximum minus minimum channel, 0 to 1) of a mean colour below which it is black, grey or white."""

_GREYS = (0.3, 0.6)
"""Lightness (mean of maximum and minimum channel, 0 to 1) at which grey and white begin."""

_HUES = {20: "red", 45: "orange", 70: "yellow", 165: "green", 255: "blue", 345: "purple", 360: "red"}
"""Upper ends of the hues, in degrees on the colour circle; purple includes pink, and orange brown and tan."""

BACKGROUND_TOLERANCE = 24
"""A pixel belongs to the shoe if some channel differs by more than this (of 255) from the background colour."""


def shoe_colours(images: UInt8Array) -> pd.DataFrame:
    """Mean colour of each shoe without its background.

    Args:
        images: uint8 RGB [N, height, width, 3].

    Returns:
        One row per image: ``red``, ``green``, ``blue`` (0 to 255); ``brightness``, their mean, and ``saturation``, the
        mean chroma (maximum minus minimum channel of a pixel), both scaled to 0 to 1. Chroma is used because the HSV
        saturation of dark pixels is mostly noise. Images of a single colour have no row.
    """
    rows = [_mean_colour(image) for image in images]
    columns = ["red", "green", "blue", "brightness", "saturation"]
    return pd.DataFrame([row for row in rows if row is not None], columns=columns, dtype=float)


def _mean_colour(image: UInt8Array) -> list[float] | None:
    distance = np.abs(image.astype(np.int16) - background_colour(image)).max(axis=2)
    shoe = image[distance > BACKGROUND_TOLERANCE]
    if not len(shoe):
        return None
    saturation = (shoe.max(axis=1) - shoe.min(axis=1)).mean() / 255
    return [*shoe.mean(axis=0).tolist(), shoe.mean() / 255, saturation]


def mean_colours(images: UInt8Array) -> dict[str, float]:
    """Mean of each column of :func:`shoe_colours`, with the standard errors of brightness and saturation.

    Args:
        images: uint8 RGB [N, height, width, 3].

    Returns:
        ``red``, ``green``, ``blue``, ``brightness``, ``saturation``, ``brightness_error`` and ``saturation_error``;
        NaN if no image shows a shoe.
    """
    colours = shoe_colours(images)
    errors = colours[["brightness", "saturation"]].sem().add_suffix("_error")
    return {str(name): float(value) for name, value in pd.concat([colours.mean(), errors]).items()}


def name_colours(images: UInt8Array) -> list[str | None]:
    """Name of the mean colour of each shoe.

    Args:
        images: uint8 RGB [N, height, width, 3].

    Returns:
        One of ``settings.COLOURS`` for each image; None for images of a single colour.
    """
    means = (_mean_colour(image) for image in images)
    return [None if mean is None else _name(mean[:3]) for mean in means]


def _name(colour: list[float]) -> str:
    red, green, blue = (channel / 255 for channel in colour)
    low, high = min(red, green, blue), max(red, green, blue)
    if high - low < _MIN_CHROMA:
        return COLOURS[bisect_right(_GREYS, (high + low) / 2)]
    hue = 360 * colorsys.rgb_to_hsv(red, green, blue)[0]
    return next(name for end, name in _HUES.items() if hue < end)
