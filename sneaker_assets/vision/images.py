"""From an image file to pixels: decoded once, small enough for a network, the shoe's shape kept.

Normalisation is the backbone's concern and happens on its device.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from upath import UPath

Pixels = NDArray[np.uint8]
WHITE = (255, 255, 255)


class UnreadableImageError(ValueError):
    """An image of the lake no longer decodes; the message names it."""


def read_image(path: UPath, height: int, width: int) -> Pixels:
    """Decode an image, fit it into the frame with its aspect kept, and pad it with white.

    Args:
        path: A JPEG, PNG or anything else that Pillow reads.
        height: Frame height in pixels.
        width: Frame width in pixels.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        UnreadableImageError: the file is missing or does not decode.
    """
    try:
        with path.open("rb") as file, Image.open(file) as image:
            image.draft("RGB", (width, height))
            framed = ImageOps.pad(image.convert("RGB"), (width, height), Image.Resampling.BILINEAR, WHITE)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableImageError(f"{path} cannot be read ({error}): materialize scraped_images again") from error
    return np.asarray(framed)


def read_batches(
    paths: Sequence[UPath], batch_size: int, height: int, width: int, threads: int = 2
) -> Iterator[Pixels]:
    """Decode images in order, the next batch while the last one is in use.

    Returns:
        uint8 [n, height, width, 3] a batch, n at most ``batch_size``.
    """

    def decoded(pool: ThreadPoolExecutor, start: int) -> Iterable[Pixels]:
        return pool.map(lambda path: read_image(path, height, width), paths[start : start + batch_size])

    with ThreadPoolExecutor(threads) as pool:
        coming = decoded(pool, 0)
        for start in range(0, len(paths), batch_size):
            batch, coming = coming, decoded(pool, start + batch_size)
            yield np.stack(list(batch))
