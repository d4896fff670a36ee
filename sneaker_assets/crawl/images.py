"""Product images: read, proven to decode, and stored in the lake under the sha256 of their bytes.

Where the bytes come from (a site, a folder) is the caller's concern; so is any preprocessing for a model.

Pillow on hostile images: https://pillow.readthedocs.io/en/stable/handbook/security.html
"""

import hashlib
import io
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import pandas as pd
from PIL import Image, UnidentifiedImageError

from sneaker_assets.crawl.fetcher import Fetcher
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


def download_images(
    urls: Iterable[str], fetcher: Fetcher, lake: Lake, site: str, *, known: pd.DataFrame | None = None, threads: int = 8
) -> pd.DataFrame:
    """Fetch images over HTTP and store them; a table valid under :class:`~sneaker_assets.tables.Images`.

    Args:
        urls: image addresses; a repeated one is fetched once.
        fetcher: the polite client, which all threads share.
        lake: where the images are stored.
        site: the partition they belong to.
        known: the table of an earlier call; what it has and the lake still holds is not fetched again.
        threads: images in flight at once, within what the fetcher's gate lets through.

    Raises:
        CrawlStopped: the site asked us to go away, for now or altogether.
    """
    return collect_images(urls, fetcher.image, lake, site, known=known, threads=threads)


def collect_images(
    urls: Iterable[str],
    read: Callable[[str], bytes],
    lake: Lake,
    site: str,
    *,
    known: pd.DataFrame | None = None,
    threads: int = 8,
) -> pd.DataFrame:
    """Read, check and store every image; one row each, in the order given.

    Args:
        urls: image addresses; a repeated one is read once.
        read: gives the bytes at an address, or an OSError that becomes the row's ``problem``.
        lake: where the images are stored.
        site: the partition they belong to.
        known: the table of an earlier call; what it has and the lake still holds is not read again.
        threads: images in flight at once.
    """
    wanted = list(dict.fromkeys(urls))
    records = _already_stored(known, lake, site, wanted)
    progress = Progress(logger, f"{site} images", of=len(wanted))
    progress.add(len(records))

    def collect(url: str) -> ImageRecord:
        record = _collect_one(url, read, lake, site)
        progress.add()
        return record

    with ThreadPoolExecutor(threads, thread_name_prefix="images") as pool:
        try:
            for record in pool.map(collect, [url for url in wanted if url not in records]):
                records[record.image_url] = record
        finally:
            pool.shutdown(cancel_futures=True)
    progress.finish()
    return images_table(records[url] for url in wanted)


def images_table(records: Iterable[ImageRecord]) -> pd.DataFrame:
    """The records as a table valid under :class:`~sneaker_assets.tables.Images`."""
    columns = list(Images.to_schema().columns)
    return Images.validate(pd.DataFrame([asdict(record) for record in records], columns=columns))


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
        raise ValueError(f"does not decode: {_one_line(error)}") from error
    if width * height > MAX_PIXELS:
        raise ValueError(f"has {width}x{height}, more than {MAX_PIXELS:,} pixels")
    return width, height


def _collect_one(url: str, read: Callable[[str], bytes], lake: Lake, site: str) -> ImageRecord:
    try:
        data = read(url)
    except OSError as error:
        return ImageRecord(site, url, problem=_one_line(error))
    try:
        width, height = image_size(data)
    except ValueError as error:
        return ImageRecord(site, url, n_bytes=len(data), problem=_one_line(error))
    sha256 = hashlib.sha256(data).hexdigest()
    path = lake.image(sha256)
    if not path.exists():
        write_bytes(path, data)
    return ImageRecord(site, url, sha256, len(data), width, height)


def _already_stored(known: pd.DataFrame | None, lake: Lake, site: str, wanted: list[str]) -> dict[str, ImageRecord]:
    if known is None:
        return {}
    stored = known[known["image_url"].isin(wanted) & known["sha256"].notna()]
    columns = stored[["image_url", "sha256", "n_bytes", "width", "height"]]
    records = (ImageRecord(site, *row) for row in columns.itertuples(index=False, name=None))
    return {record.image_url: record for record in records if lake.image(record.sha256 or "").exists()}


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
