"""Download of a site's images: each is fetched once and revalidated when it becomes stale."""

from collections.abc import Iterable
from typing import Protocol

import pandas as pd

from sneaker_assets.crawl.errors import FetchError, UnreachableError
from sneaker_assets.crawl.http import NO_VALIDATORS, Response, Validators
from sneaker_assets.crawl.image_cache import CachedImage, ImageCache
from sneaker_assets.crawl.images import ImageRecord, collect_images, store_image, stored_images
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.errors import one_line
from sneaker_assets.lake import Lake


class ImageClient(Protocol):
    """HTTP client of images, used by several threads."""

    settings: FetchSettings

    def image(self, url: str, known: Validators = NO_VALIDATORS) -> Response:
        """Fetch an image file, which may be unchanged since the stored version with the given validators."""
        ...

    def summary(self) -> str:
        """Number of requests and bytes so far, for a log line."""
        ...


def download_images(
    urls: Iterable[str],
    fetcher: ImageClient,
    lake: Lake,
    cache: ImageCache,
    *,
    known: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Download images into the lake.

    The file of each image and then its cache entry are written as soon as it arrives, so that a crawl killed at any
    time does not request it again. If an image changes, the new version replaces the old one in the table; the old file
    stays in the lake under its own name.

    Args:
        urls: Image URLs; duplicates are fetched once.
        fetcher: HTTP client, shared by all threads.
        lake: Lake in which the images are stored.
        cache: Image cache of the site.
        known: Table of an earlier call, used for URLs that are not in the cache.

    Returns:
        ``tables.Images``, one row per distinct URL in the order given.

    Raises:
        CrawlStopped: The site asks for a pause or blocks the client.
    """
    site = cache.site
    earlier = stored_images(known, lake, site)

    def collect(url: str) -> ImageRecord:
        cached = cache.get(url)
        if cached is None and url in earlier:
            return cache.adopt(earlier[url])
        stored = cached if cached is not None and _is_stored(cached, lake) else None
        if cached is not None and not cached.stale and (stored is not None or cached.record.sha256 is None):
            return cached.record
        return fetch(url, stored)

    def fetch(url: str, stored: CachedImage | None) -> ImageRecord:
        """Current version of an image; the stored one remains if the new one is unavailable or unusable."""
        try:
            response = fetcher.image(url, NO_VALIDATORS if stored is None else stored.validators)
        except FetchError as error:
            if stored is not None:
                return cache.confirm(stored)
            record = ImageRecord(site, url, problem=one_line(error))
            return cache.put_failure(record, answered=not isinstance(error, UnreachableError))
        if stored is not None and response.unchanged:
            return cache.confirm(stored, response.fresh_for)
        record = store_image(response.body, lake, site, url)
        if stored is not None and record.sha256 is None:
            return cache.confirm(stored)
        return cache.put(record, response)

    return collect_images(urls, collect, site, threads=fetcher.settings.threads, more=fetcher.summary)


def _is_stored(cached: CachedImage, lake: Lake) -> bool:
    return cached.record.sha256 is not None and lake.image(cached.record.sha256).exists()
