"""Traversal of a site's listing pages: fetch each page, parse it with the site's adapter, record it in the frontier."""

import hashlib
import logging
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

from sneaker_assets.crawl.errors import FetchError
from sneaker_assets.crawl.frontier import Frontier, PageKind, QueuedPage, Walk
from sneaker_assets.lake import Lake, write_bytes
from sneaker_assets.progress import Progress
from sneaker_assets.sites.base import PageError, Site, with_response_currency

if TYPE_CHECKING:
    from sneaker_assets.crawl.fetcher import Fetcher

logger = logging.getLogger(__name__)


def walk_listings(
    site: Site,
    fetcher: "Fetcher",
    frontier: Frontier,
    lake: Lake,
    *,
    kind: PageKind = "listings",
    start_path: str | None = None,
    max_pages: int | None = None,
) -> Walk:
    """Crawl the pages of a site breadth first, each URL once; an interrupted walk is resumed.

    The listings of an unchanged page are taken from the last walk. A page other than the first that cannot be fetched
    or parsed is logged, skipped, and retried by the next walk; the body of a page that cannot be parsed is saved in the
    lake under ``crawls/<site>/unreadable/``.

    Args:
        site: Site to crawl.
        fetcher: HTTP client.
        frontier: State of the site's pages.
        lake: Lake in which pages that cannot be parsed are saved.
        kind: Kind of pages, which have separate walks.
        start_path: Path of the first page, by default that of the site.
        max_pages: Maximum number of pages, by default unlimited.

    Returns:
        The finished walk.

    Raises:
        CrawlStopped: The site asks for a pause or blocks the client.
        FetchError: The first page could not be fetched.
        PageError: The first page could not be parsed.
    """
    start = urljoin(site.home, start_path or site.start_path)
    walk = frontier.walk(kind, start)
    progress = Progress(
        logger,
        f"{site.name} pages",
        of=_min_or_none(max_pages, walk.previous_page_count()),
        more=lambda: f"{walk.n_products():,} listings, {fetcher.summary()}",
        done=walk.n_done(),
    )
    while max_pages is None or walk.n_done() < max_pages:
        page = walk.next_page()
        if page is None:
            break
        try:
            pages = _visit(page, site, fetcher, walk, lake, first=page.url == start)
            if pages is not None:
                progress.expect(_min_or_none(max_pages, pages))
        except FetchError as error:
            if page.url == start:
                raise
            logger.warning("page skipped: %s", error)
            walk.record_failure(page.url, str(error))
        progress.add()
    walk.finish()
    progress.expect(None)
    progress.finish()
    return walk


def _visit(page: QueuedPage, site: Site, fetcher: "Fetcher", walk: Walk, lake: Lake, *, first: bool) -> int | None:
    """Fetch, parse and record a page; returns the total number of pages if the page states it.

    Raises:
        PageError: The first page could not be parsed.
    """
    response = fetcher.page(page.url, page.validators)
    sha256 = hashlib.sha256(response.body).hexdigest()
    if response.unchanged or sha256 == page.sha256:
        walk.record_unchanged(page, response.fetched_at)
        return None
    try:
        parsed = site.parse_page(response.body, response.url)
        if site.response_currency is not None:
            parsed = with_response_currency(parsed, site.response_currency(response.headers))
    except PageError as error:
        file = lake.folder("crawls", site.name, "unreadable") / f"{sha256}.html"
        write_bytes(file, response.body)
        logger.warning("page could not be parsed and was saved as %s: %s", file, error)
        if first:
            raise
        walk.record_failure(page.url, str(error), sha256)
        return None
    links = [urldefrag(urljoin(response.url, url)).url for url in parsed.next_urls]
    walk.record_page(page.url, response, sha256, parsed, links)
    return parsed.pages


def _min_or_none(limit: int | None, pages: int | None) -> int | None:
    return pages if limit is None or pages is None else min(limit, pages)
