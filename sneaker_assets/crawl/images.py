"""Validation of product images, and their storage in the lake under the SHA-256 of their bytes."""

import hashlib
import io
import logging
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import pandas as pd

from sneaker_assets import tables
from sneaker_assets.errors import one_line
from sneaker_assets.lake import Lake, write_bytes
from sneaker_assets.progress import Progress

MAX_PIXELS = 24_000_000
"""Maximum number of pixels of an image that is decoded; 72 MB per thread at three bytes per pixel."""

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
    """Table of the records of distinct image URLs, collected concurrently.

    Args:
        urls: Image URLs; empty ones are skipped.
        collect: Returns the record of a URL. It is called from several threads; an exception ends the collection.
        site: Name of the site.
        threads: Number of threads.
        more: Returns additional text for the progress line.

    Returns:
        ``tables.Images``, one row per distinct URL in the order given.
    """
    wanted = list(dict.fromkeys(url for url in urls if url))
    queue, records = deque(wanted), dict[str, ImageRecord]()
    progress = Progress(logger, f"{site} images", of=len(wanted), more=more)

    def work() -> None:
        while True:
            try:
                url = queue.popleft()
            except IndexError:
                return
            records[url] = collect(url)
            progress.add()

    with ThreadPoolExecutor(threads, thread_name_prefix="images") as pool:
        try:
            for worker in as_completed([pool.submit(work) for _ in range(threads)]):
                worker.result()
        finally:
            queue.clear()  # if one thread has failed, the others stop after their current image
    progress.finish()
    return images_table(records[url] for url in wanted)


def store_image(data: bytes, lake: Lake, site: str, url: str) -> ImageRecord:
    """Validate an image and store it in the lake if it is new.

    Args:
        data: Content of the file.
        lake: Lake in which it is stored.
        site: Name of the site.
        url: URL of the image.

    Returns:
        Record of the image; an invalid image has a ``problem`` and no ``sha256``.
    """
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
    """Records of an earlier table whose files are still in the lake.

    Args:
        table: ``tables.Images`` of an earlier call, None if there is none.
        lake: Lake that holds the files.
        site: Name of the site.

    Returns:
        Records by image URL.
    """
    if table is None:
        return {}
    stored = table[table["sha256"].notna()]
    columns = stored[["image_url", "sha256", "n_bytes", "width", "height"]]
    records = (ImageRecord(site, *row) for row in columns.itertuples(index=False, name=None))
    return {
        record.image_url: record
        for record in records
        if record.sha256 is not None and lake.image(record.sha256).exists()
    }


def images_table(records: Iterable[ImageRecord]) -> pd.DataFrame:
    """Records as a table (``tables.Images``)."""
    columns = list(tables.Images.to_schema().columns)
    rows = [[getattr(record, name) for name in columns] for record in records]
    return tables.Images.validate(pd.DataFrame(rows, columns=columns))


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of a valid image, upright.

    Raises:
        ValueError: The image does not decode completely, has a format that is not supported, or has more than
            ``MAX_PIXELS`` pixels; the message is one line.
    """
    from sneaker_assets.vision.imaging.opening import open_image  # noqa: PLC0415 - unused by most importing processes

    image = open_image(io.BytesIO(data), MAX_PIXELS)
    width, height = image.size
    # An eighth of the resolution is enough: all of the data is decoded.
    image.decode((max(1, width // 8), max(1, height // 8)))
    return image.size
