"""Colour statistics of shoes, computed alike on real images and on samples to compare price bands.

The background is excluded, since otherwise the size of a shoe in its image would count as brightness.
"""

import numpy as np
import pandas as pd

from sneaker_assets.gan.images import UInt8Array, background_colour

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
