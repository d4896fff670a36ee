"""The walk over a site's listing pages, from the first one to the last, and the table of what they showed.

Fetching is ``fetcher``'s concern, reading a page the site adapter's, remembering it ``frontier``'s.
"""

import hashlib
import logging
from urllib.parse import urldefrag, urljoin

from sneaker_assets.crawl.errors import FetchError
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.frontier import Frontier, PageKind, QueuedPage, Walk
from sneaker_assets.lake import Lake, write_bytes
from sneaker_assets.progress import Progress
from sneaker_assets.sites.base import PageError, Site

logger = logging.getLogger(__name__)


def walk_listings(
    site: Site,
    fetcher: Fetcher,
    frontier: Frontier,
    lake: Lake,
    *,
    kind: PageKind = "listings",
    start_path: str | None = None,
    max_pages: int | None = None,
) -> Walk:
    """Read the site's pages breadth first, each address once; a walk that was cut off goes on where it was.

    A page that did not change is taken as it was last read. A later page that cannot be fetched or read is named in the
    log, left out, and tried again by the next walk; the bytes of one that cannot be read are kept in the lake, in
    ``crawls/<site>/unreadable/``, for whoever mends the adapter.

    Args:
        site: whose adapter reads the pages.
        fetcher: the polite client.
        frontier: the memory of the site's pages.
        lake: where unreadable pages are kept.
        kind: which of the site's walks this is.
        start_path: the page to begin with, the site's own by default.
        max_pages: end after so many pages.

    Returns:
        The walk at its end.

    Raises:
        CrawlStopped: the site asked us to go away, for now or altogether.
        FetchError: the first page could not be fetched.
        PageError: the first page could not be read.
    """
    start = urljoin(site.home, start_path or site.start_path)
    walk = frontier.walk(kind, start)
    progress = Progress(
        logger,
        f"{site.name} pages",
        of=_at_most(max_pages, walk.previous_page_count()),
        more=lambda: f"{walk.products():,} listings, {fetcher.summary()}",
        done=walk.done(),
    )
    while max_pages is None or walk.done() < max_pages:
        page = walk.next()
        if page is None:
            break
        try:
            pages = _visit(page, site, fetcher, walk, lake, first=page.url == start)
            if pages is not None:
                progress.expect(_at_most(max_pages, pages))
        except FetchError as error:
            if page.url == start:
                raise
            logger.warning("page left out: %s", error)
            walk.failed(page.url, str(error))
        progress.add()
    walk.finish()
    progress.expect(None)
    progress.finish()
    return walk


def _visit(page: QueuedPage, site: Site, fetcher: Fetcher, walk: Walk, lake: Lake, *, first: bool) -> int | None:
    """Fetch a page and remember what it shows; gives how many pages there are, where it says so."""
    response = fetcher.page(page.url, page.validators)
    sha256 = hashlib.sha256(response.body).hexdigest()
    if response.unchanged or sha256 == page.sha256:
        walk.unchanged(page, response.fetched_at)
        return None
    try:
        read = site.parse_page(response.body, response.url)
    except PageError as error:
        kept = lake.folder("crawls", site.name, "unreadable") / f"{sha256}.html"
        write_bytes(kept, response.body)
        logger.warning("unreadable page kept as %s: %s", kept, error)
        if first:
            raise
        walk.failed(page.url, str(error), sha256)
        return None
    walk.read(page.url, response, sha256, read, [urldefrag(urljoin(response.url, url)).url for url in read.next_urls])
    return read.pages


def _at_most(limit: int | None, pages: int | None) -> int | None:
    return pages if limit is None or pages is None else min(limit, pages)
