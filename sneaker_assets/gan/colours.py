"""What colours shoes have, measured on real images and on samples alike, so that price bands can be compared.

The article said that cheap shoes are the more colourful ones. The background is left out, or the size of a shoe in its
picture would be taken for its brightness.
"""

import numpy as np
import pandas as pd

from sneaker_assets.gan.images import UInt8Array, background_colour

NOT_BACKGROUND = 24
"""How far some channel of a shoe's pixel is from the background's, of 255."""


def shoe_colours(images: UInt8Array) -> pd.DataFrame:
    """The mean colour of each shoe.

    Args:
        images: uint8 RGB [N, height, width, 3].

    Returns:
        ``red``, ``green``, ``blue`` (0 to 255); ``brightness``, their mean, and ``saturation``, the greatest less the
        smallest channel of a pixel, both 0 to 1: black and grey have none, however noisy. One row an image; those of
        one colour all over have no row.
    """
    rows = [_colours_of(image) for image in images]
    columns = ["red", "green", "blue", "brightness", "saturation"]
    return pd.DataFrame([row for row in rows if row is not None], columns=columns, dtype=float)


def _colours_of(image: UInt8Array) -> list[float] | None:
    away = np.abs(image.astype(np.int16) - background_colour(image)).max(axis=2)
    shoe = image[away > NOT_BACKGROUND]
    if not len(shoe):
        return None
    saturation = (shoe.max(axis=1) - shoe.min(axis=1)).mean() / 255
    return [*shoe.mean(axis=0).tolist(), shoe.mean() / 255, saturation]


def mean_colours(images: UInt8Array) -> dict[str, float]:
    """The means of ``shoe_colours``, with the standard errors of brightness and saturation; NaN without a shoe."""
    colours = shoe_colours(images)
    errors = colours[["brightness", "saturation"]].sem().add_suffix("_error")
    return {str(name): float(value) for name, value in pd.concat([colours.mean(), errors]).items()}
