"""The walk over a site's listing pages, from the first one to the last, and the table of what they showed.

Fetching is ``fetcher``'s concern, reading a page the site adapter's.
"""

import logging
from collections import deque
from datetime import datetime
from urllib.parse import urldefrag, urljoin

import pandas as pd

from sneaker_assets.crawl.errors import FetchError
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.observations import observations
from sneaker_assets.progress import Progress
from sneaker_assets.sites.base import Listing, Page, PageError, Site

logger = logging.getLogger(__name__)


def crawl_listings(
    site: Site, fetcher: Fetcher, home: str, start_path: str | None = None, max_pages: int | None = None
) -> pd.DataFrame:
    """Every price on the site's listing pages, breadth first; each address is read once, each product kept once.

    Args:
        site: whose adapter reads the pages.
        fetcher: the polite client.
        home: where the site is found.
        start_path: the page to begin with, the site's own by default.
        max_pages: end after so many pages.

    Returns:
        A table valid under :class:`~sneaker_assets.tables.Observations`.

    Raises:
        CrawlStopped: the site asked us to go away, for now or altogether.
        FetchError: the first page could not be fetched; a later one is named in the log and left out.
        PageError: the first page could not be read; likewise.
    """
    start = urljoin(home, start_path or site.start_path)
    ahead, visited = deque([start]), {start}
    seen: dict[str, tuple[Listing, datetime]] = {}
    progress = Progress(logger, f"{site.name} pages", more=lambda: f"{len(seen):,} listings, {fetcher.summary()}")
    pages = 0
    while ahead and (max_pages is None or pages < max_pages):
        url = ahead.popleft()
        pages += 1
        try:
            response = fetcher.page(url)
            page = site.read_page(response.body, response.url)
        except (FetchError, PageError) as error:
            if url == start:
                raise
            logger.warning("page left out: %s", error)
            continue
        for listing in page.listings:
            seen.setdefault(listing.product_id, (listing, response.fetched_at))
        for next_url in _next_urls(page, response.url):
            if next_url not in visited:
                visited.add(next_url)
                ahead.append(next_url)
        progress.add()
    progress.finish()
    return observations(seen.values())


def _next_urls(page: Page, url: str) -> list[str]:
    return [urldefrag(urljoin(url, next_url)).url for next_url in page.next_urls]
