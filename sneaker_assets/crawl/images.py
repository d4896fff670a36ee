"""Product images: read, proven to decode, and stored in the lake under the sha256 of their bytes.

Where the bytes come from (a site, a folder) is the caller's concern; so is any preprocessing for a model.

Pillow on hostile images: https://pillow.readthedocs.io/en/stable/handbook/security.html
"""

import hashlib
import io
import logging
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import pandas as pd
from PIL import Image, UnidentifiedImageError

from sneaker_assets.errors import one_line
from sneaker_assets.lake import Lake, write_bytes
from sneaker_assets.progress import Progress
from sneaker_assets.tables import Images

MAX_PIXELS = 24_000_000
"""Pixels above which an image is refused before it is decoded: 72 MB a thread at three bytes each."""

FORMATS = ("JPEG", "PNG", "WEBP")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One row of the Images table."""

    site: str
    image_url: str
    sha256: str | None = None
    n_bytes: int = 0
    width: int = 0
    height: int = 0
    problem: str | None = None


def collect_images(
    urls: Iterable[str],
    collect: Callable[[str], ImageRecord],
    site: str,
    *,
    threads: int = 8,
    more: Callable[[], str] | None = None,
) -> pd.DataFrame:
    """What ``collect`` makes of each address, each asked for once, in the order given.

    Args:
        urls: image addresses; empty ones stand for none and are left out.
        collect: gives an address's record, from any thread; what it raises ends the collection.
        site: the partition they belong to.
        threads: images in work at once.
        more: further words for the progress line.

    Returns:
        A table valid under :class:`~sneaker_assets.tables.Images`.
    """
    wanted = list(dict.fromkeys(url for url in urls if url))
    waiting, records = deque(wanted), dict[str, ImageRecord]()
    progress = Progress(logger, f"{site} images", of=len(wanted), more=more)

    def work() -> None:
        while True:
            try:
                url = waiting.popleft()
            except IndexError:
                return
            records[url] = collect(url)
            progress.add()

    with ThreadPoolExecutor(threads, thread_name_prefix="images") as pool:
        try:
            for worker in as_completed([pool.submit(work) for _ in range(threads)]):
                worker.result()
        finally:
            waiting.clear()  # where one thread failed, the others end with what they have in hand
    progress.finish()
    return images_table(records[url] for url in wanted)


def store_image(data: bytes, lake: Lake, site: str, url: str) -> ImageRecord:
    """Check an image and store it in the lake, unless it is there already."""
    try:
        width, height = image_size(data)
    except ValueError as error:
        return ImageRecord(site, url, n_bytes=len(data), problem=one_line(error))
    sha256 = hashlib.sha256(data).hexdigest()
    path = lake.image(sha256)
    if not path.exists():
        write_bytes(path, data)
    return ImageRecord(site, url, sha256, len(data), width, height)


def stored_images(table: pd.DataFrame | None, lake: Lake, site: str) -> dict[str, ImageRecord]:
    """The records of an earlier table whose images the lake still holds, by address."""
    if table is None:
        return {}
    stored = table[table["sha256"].notna()]
    columns = stored[["image_url", "sha256", "n_bytes", "width", "height"]]
    records = (ImageRecord(site, *row) for row in columns.itertuples(index=False, name=None))
    return {record.image_url: record for record in records if lake.image(record.sha256 or "").exists()}


def images_table(records: Iterable[ImageRecord]) -> pd.DataFrame:
    """The records as a table valid under :class:`~sneaker_assets.tables.Images`."""
    columns = list(Images.to_schema().columns)
    rows = [[getattr(record, name) for name in columns] for record in records]
    return Images.validate(pd.DataFrame(rows, columns=columns))


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of an image that decodes from its first to its last byte.

    Raises:
        ValueError: it does not, or it is larger than ``MAX_PIXELS``; the message says so in one line.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height <= MAX_PIXELS:
                # A draft reads every byte too, and computes an eighth of the pixels.
                image.draft("RGB", (max(1, width // 8), max(1, height // 8)))
                image.load()
    except UnidentifiedImageError:
        raise ValueError(f"is no {', '.join(FORMATS)} image") from None
    except Exception as error:  # a decoder may fail on hostile bytes in any way
        raise ValueError(f"does not decode: {one_line(error)}") from error
    if width * height > MAX_PIXELS:
        raise ValueError(f"has {width}x{height}, more than {MAX_PIXELS:,} pixels")
    return width, height
