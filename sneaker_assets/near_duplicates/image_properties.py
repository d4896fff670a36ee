"""What a picture is, whichever listings show it: its white border, its mean colour, its perceptual hash.

Each image is decoded once, at a fraction of its size, and never again. Where the shoe is, ``borders`` finds; which
pictures are twins is ``twins``'s concern; pixels for a network are ``vision``'s.

The hash is Zauner's pHash ("Implementation and Benchmarking of Perceptual Image Hash Functions", 2010) with 16x16
coefficients in place of 8x8, since product shots are all much alike; ``twins`` says how well that tells them apart.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.lake import Lake
from sneaker_assets.tables import ImageProperties
from sneaker_assets.vision.imaging.crops import MARGIN, TOLERANCE, Box, enlarge, find_content_box, on_white

_LEAST_SIZE = (200, 100)
"""Pixels that an image keeps at least when it is decoded smaller; the hash looks at 64x64 of them."""
_SIDE, _WAVES = 64, 16
_FLAT = 2.0
"""Grey levels of deviation below which a picture shows nothing that a hash could tell."""
_ANGLES = np.outer(np.arange(_WAVES), np.arange(_SIDE) + 0.5) * np.pi / _SIDE
_COSINES: NDArray[np.float32] = np.cos(_ANGLES).astype(np.float32)


class PictureError(SneakerError, OSError):
    """An image of the lake is missing or no longer decodes; the message names it."""


@dataclass(frozen=True, slots=True)
class ImagePropertySettings:
    """What counts as border: pixels whose channels all lie within ``tolerance`` (of 255) of white.

    A smaller tolerance keeps more of a soft shadow, whose edge moves when the image is encoded again, and with it the
    box and the hash. ``margin`` is what is left around the shoe, as a share of the longer side of its box.
    """

    tolerance: int = TOLERANCE
    margin: float = MARGIN

    @property
    def recipe(self) -> str:
        """The settings in one word: a picture computed with others is computed again."""
        return f"trim{self.tolerance}-margin{self.margin:g}-phash{_WAVES}of{_SIDE}"


def describe_images(
    lake: Lake,
    seen: pd.DataFrame,
    known: pd.DataFrame | None = None,
    settings: ImagePropertySettings | None = None,
    threads: int = 2,
) -> pd.DataFrame:
    """The properties of every image ever seen; only those of new ones are computed.

    Args:
        lake: Where the images lie.
        seen: Columns ``sha256`` (each once) and ``first_seen``.
        known: ``tables.ImageProperties`` of an earlier call; its images stay, whether seen again or not.
        settings: What counts as border.
        threads: Images decoded at a time; Pillow lets go of the interpreter's lock while it decodes.

    Returns:
        ``tables.ImageProperties``, ordered by ``first_seen`` and ``sha256``.

    Raises:
        PictureError: an image is missing or does not decode.
    """
    settings = settings or ImagePropertySettings()
    columns = list(ImageProperties.to_schema().columns)
    known = pd.DataFrame(columns=columns) if known is None else known
    kept = known[known["recipe"] == settings.recipe]
    stale = known[known["recipe"] != settings.recipe]
    dated = pd.concat([part[["sha256", "first_seen"]] for part in (seen, known) if len(part)] or [seen])
    first = dated.groupby("sha256", as_index=False).agg(first_seen=("first_seen", "min"))
    missing = set(seen["sha256"]) | set(stale["sha256"])
    new = sorted(missing - set(kept["sha256"]))
    with ThreadPoolExecutor(threads) as pool:
        described = pool.map(partial(_describe, settings=settings), (lake.image(sha256) for sha256 in new))
        rows = [{"sha256": sha256, **properties} for sha256, properties in zip(new, described, strict=True)]
    parts = [part for part in (kept.drop(columns="first_seen"), pd.DataFrame(rows)) if len(part)]
    if not parts:
        return pd.DataFrame(columns=columns)
    pictures = pd.concat(parts, ignore_index=True)
    return pictures.merge(first, on="sha256").sort_values(["first_seen", "sha256"], ignore_index=True)[columns]


def hash_words(hashes: Iterable[str]) -> NDArray[np.uint64]:
    """Hashes in hex as numbers: uint64 [n, 4]."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), dtype=">u8").astype(np.uint64).reshape(-1, 4)


def _describe(path: UPath, settings: ImagePropertySettings) -> dict[str, object]:
    """The columns of one image."""
    try:
        with path.open("rb") as file, Image.open(file) as opened:
            size = opened.size
            image = _shrunk(opened)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PictureError(
            f"{path} cannot be read ({error}): remove the file and materialize scraped_images again"
        ) from error
    shoe = find_content_box(image, settings.tolerance)
    box = enlarge(shoe, settings.margin, image.size, size)
    red, green, blue = np.asarray(image.resize((1, 1), Image.Resampling.BOX, box=shoe)).ravel().tolist()
    return {
        **dict(zip(("left", "top", "right", "bottom"), box, strict=True)),
        "red": float(red),
        "green": float(green),
        "blue": float(blue),
        "picture_hash": _picture_hash(image, shoe),
        "recipe": settings.recipe,
    }


def _shrunk(image: Image.Image) -> Image.Image:
    """The image in RGB on white, no larger than it needs to be."""
    image.draft("RGB", _LEAST_SIZE)
    factor = max(1, min(side // least for side, least in zip(image.size, _LEAST_SIZE, strict=True)))
    return on_white(image).reduce(factor)


def _picture_hash(image: Image.Image, box: Box) -> str | None:
    """Which of the lowest 16x16 waves of the box's grey are stronger than their median, in hex."""
    grey = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS, box=box)
    levels = np.asarray(grey, dtype=np.float32)
    if levels.std() < _FLAT:
        return None
    waves = (_COSINES @ levels @ _COSINES.T).ravel()
    return np.packbits(waves > np.median(waves)).tobytes().hex()
