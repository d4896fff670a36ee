"""A site's images over HTTP: each downloaded once, and asked about again with its validators when that is due.

What makes an image usable is ``images``'s concern, what is known of it ``known_images``'s.
"""

from collections.abc import Iterable

import pandas as pd

from sneaker_assets.crawl.errors import FetchError, UnreachableError
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.http import NO_VALIDATORS
from sneaker_assets.crawl.image_cache import CachedImage, ImageCache
from sneaker_assets.crawl.images import ImageRecord, collect_images, store_image, stored_images
from sneaker_assets.errors import one_line
from sneaker_assets.lake import Lake


def download_images(
    urls: Iterable[str],
    fetcher: Fetcher,
    lake: Lake,
    known_images: ImageCache,
    *,
    known: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Fetch images and store them; a table valid under :class:`~sneaker_assets.tables.Images`.

    Each image's file and then its record are kept as soon as it has come, so that a crawl killed at any moment asks for
    nothing twice that it had kept. An image that the site changed replaces the old one in the table; the old one's
    bytes stay in the lake under their own name.

    Args:
        urls: image addresses; a repeated one is fetched once.
        fetcher: the polite client, which all threads share.
        lake: where the images are stored.
        known_images: what is known of them.
        known: the table of an earlier call, for addresses that nothing else is known of.

    Raises:
        CrawlStopped: the site asked us to go away, for now or altogether.
    """
    site = known_images.site
    earlier = stored_images(known, lake, site)

    def collect(url: str) -> ImageRecord:
        before = known_images.find(url)
        if before is None and url in earlier:
            return known_images.remember(earlier[url])
        ours = before if before is not None and _is_stored(before, lake) else None
        if before is not None and not before.due and (ours is not None or before.record.sha256 is None):
            return before.record
        return fetched(url, ours)

    def fetched(url: str, ours: CachedImage | None) -> ImageRecord:
        """The image as the site has it now; what we have stands where nothing better comes."""
        try:
            response = fetcher.image(url, NO_VALIDATORS if ours is None else ours.validators)
        except FetchError as error:
            if ours is not None:
                return known_images.stands(ours)
            record = ImageRecord(site, url, problem=one_line(error))
            return known_images.failed(record, answered=not isinstance(error, UnreachableError))
        if ours is not None and response.unchanged:
            return known_images.stands(ours, response.fresh_for)
        record = store_image(response.body, lake, site, url)
        if ours is not None and record.sha256 is None:
            return known_images.stands(ours)
        return known_images.found(record, response)

    return collect_images(urls, collect, site, threads=fetcher.settings.threads, more=fetcher.summary)


def _is_stored(known: CachedImage, lake: Lake) -> bool:
    return known.record.sha256 is not None and lake.image(known.record.sha256).exists()
