"""Perceptual hash of images: 256 bits, of which near duplicates differ in few.

The hash is the pHash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, with 16x16
instead of 8x8 coefficients, since product shots resemble one another; see ``grouping.NearDuplicateSettings`` for how
well it separates them.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

SIDE = 64
"""Width and height in pixels to which an image is resized."""

N_FREQUENCIES = 16
"""Number of frequencies of the cosine transform per axis."""

N_BITS = N_FREQUENCIES**2

_MIN_DEVIATION = 2.0
"""Standard deviation of grey levels below which an image is considered blank."""

_ANGLES = np.outer(np.arange(N_FREQUENCIES), np.arange(SIDE) + 0.5) * np.pi / SIDE
_COSINES: NDArray[np.float32] = np.cos(_ANGLES).astype(np.float32)


def perceptual_hash(image: "Image.Image", box: tuple[int, int, int, int]) -> str | None:
    """Hash of a region of an image: which low-frequency DCT coefficients are above their median.

    Args:
        image: Image of any mode.
        box: Left, top, right and bottom of the region, in pixels.

    Returns:
        64 hexadecimal digits, or None if the region is blank.
    """
    from PIL import Image  # noqa: PLC0415 - not needed to compare hashes

    grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box)
    levels = np.asarray(grey, dtype=np.float32)
    if levels.std() < _MIN_DEVIATION:
        return None
    coefficients = (_COSINES @ levels @ _COSINES.T).ravel()
    return np.packbits(coefficients > np.median(coefficients)).tobytes().hex()


def hash_words(hashes: Iterable[str]) -> NDArray[np.uint64]:
    """Hexadecimal hashes as an array of 64-bit words, uint64 [n, 4]."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), dtype=">u8").astype(np.uint64).reshape(-1, 4)
