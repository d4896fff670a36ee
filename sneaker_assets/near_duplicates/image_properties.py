"""Properties of each image: the box of its content, its mean colour, and its perceptual hash.

Each image is decoded once, at reduced resolution.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import tables
from sneaker_assets.code_versions import IMAGE_PROPERTIES
from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.lake import Lake
from sneaker_assets.near_duplicates.perceptual_hash import N_FREQUENCIES, SIDE, perceptual_hash
from sneaker_assets.settings.model import SettingsModel
from sneaker_assets.vision.imaging.crops import MARGIN, TOLERANCE, enlarge, find_content_box

if TYPE_CHECKING:
    from PIL import Image

_MIN_SIZE = (200, 100)
"""Minimum width and height in pixels when an image is decoded at reduced resolution; the hash uses 64x64."""


class StoredImageError(SneakerError, OSError):
    """An image of the lake is missing or cannot be decoded; the message names it."""


class ImagePropertySettings(SettingsModel):
    """How the content box of an image is found.

    A smaller tolerance includes more of a soft shadow, whose edge changes when the image is re-encoded, and with it the
    box and the hash.
    """

    tolerance: int = Field(
        default=TOLERANCE,
        ge=0,
        le=254,
        description="Maximum difference from white, of 255 in each channel, of a pixel that counts as border.",
    )
    margin: float = Field(
        default=MARGIN,
        ge=0,
        le=1,
        description="Margin kept around the shoe, as a share of the longer side of its bounding box.",
    )

    @property
    def recipe(self) -> str:
        """Identifier of settings, code version and columns; properties with another recipe are recomputed."""
        version = f"v{IMAGE_PROPERTIES}-{_columns_digest()}"
        return f"trim{self.tolerance}-margin{self.margin:g}-phash{N_FREQUENCIES}of{SIDE}-{version}"


def describe_images(
    lake: Lake,
    seen: pd.DataFrame,
    known: pd.DataFrame | None = None,
    settings: ImagePropertySettings | None = None,
    threads: int = 2,
) -> pd.DataFrame:
    """Properties of all images observed so far; only those of new images are computed.

    Args:
        lake: Lake that holds the images.
        seen: Columns ``sha256`` (unique) and ``first_seen`` (UTC).
        known: ``tables.ImageProperties`` of an earlier call; its images are kept even if they are not in ``seen``.
        settings: How the content box is found.
        threads: Number of images decoded at once; Pillow releases the GIL while decoding.

    Returns:
        ``tables.ImageProperties``, sorted by ``first_seen`` and ``sha256``.

    Raises:
        StoredImageError: An image is missing or cannot be decoded.
    """
    settings = settings or ImagePropertySettings()
    columns = list(tables.ImageProperties.to_schema().columns)
    known = pd.DataFrame(columns=columns) if known is None else known
    kept = reusable_rows(known, settings)
    stale = known.drop(index=kept.index)
    dated = pd.concat([part[["sha256", "first_seen"]] for part in (seen, known) if len(part)] or [seen])
    first = dated.groupby("sha256", as_index=False).agg(first_seen=("first_seen", "min"))
    missing = set(seen["sha256"]) | set(stale["sha256"])
    new = sorted(missing - set(kept["sha256"]))
    with ThreadPoolExecutor(threads) as pool:
        described = pool.map(partial(_describe, settings=settings), (lake.image(sha256) for sha256 in new))
        rows = [{"sha256": sha256, **properties} for sha256, properties in zip(new, described, strict=True)]
    computed = pd.DataFrame(rows).assign(recipe=settings.recipe)
    parts = [part for part in (kept.drop(columns="first_seen"), computed) if len(part)]
    if not parts:
        return pd.DataFrame(columns=columns)
    pictures = pd.concat(parts, ignore_index=True)
    dated_pictures = pictures.merge(first, on="sha256", validate="one_to_one")
    return dated_pictures.sort_values(["first_seen", "sha256"], ignore_index=True)[columns]


def reusable_rows(known: pd.DataFrame, settings: ImagePropertySettings) -> pd.DataFrame:
    """Rows of an earlier table that need not be recomputed.

    Args:
        known: ``tables.ImageProperties`` as an earlier version of the code may have written it.
        settings: Settings of the required properties.

    Returns:
        Rows with the same recipe; none if the table lacks a column.
    """
    columns = list(tables.ImageProperties.to_schema().columns)
    if not set(columns) <= set(known.columns):
        return known.iloc[:0].reindex(columns=columns)
    return known.loc[known["recipe"] == settings.recipe, columns]


def _columns_digest() -> str:
    """Hash of the names and types of the columns, six hexadecimal digits."""
    columns = {name: str(column.dtype) for name, column in tables.ImageProperties.to_schema().columns.items()}
    return hashlib.sha256(repr(columns).encode()).hexdigest()[:6]


def _describe(path: UPath, settings: ImagePropertySettings) -> dict[str, object]:
    """Columns of one image that are computed from its file.

    Raises:
        StoredImageError: The image is missing or cannot be decoded.
    """
    # Unused by most processes that import this module.
    from PIL import Image  # noqa: PLC0415

    from sneaker_assets.vision.imaging.opening import ImageDecodeError, open_image  # noqa: PLC0415

    try:
        with path.open("rb") as file:
            encoded = open_image(file)
            image = _reduced(encoded.decode(_MIN_SIZE))
            size = encoded.size
    except (OSError, ImageDecodeError) as error:
        raise StoredImageError(
            f"{path} cannot be read ({one_line(error)}): remove the file and materialize scraped_images again"
        ) from error
    content = find_content_box(image, settings.tolerance)
    box = enlarge(content, settings.margin, image.size, size)
    red, green, blue = np.asarray(image.resize((1, 1), Image.Resampling.BOX, box=content)).ravel().tolist()
    return {
        **dict(zip(("left", "top", "right", "bottom"), box, strict=True)),
        "red": float(red),
        "green": float(green),
        "blue": float(blue),
        "picture_hash": perceptual_hash(image, content),
    }


def _reduced(image: "Image.Image") -> "Image.Image":
    """The image reduced by an integer factor to no less than ``_MIN_SIZE``."""
    factor = max(1, min(side // minimum for side, minimum in zip(image.size, _MIN_SIZE, strict=True)))
    return image.reduce(factor)
