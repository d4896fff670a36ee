"""Download of images whose addresses stand in a table or saved page of the user, on any number of public hosts.

They are fetched by the rules of a live crawl. Unlike in the crawl of one site, a host that blocks the client or asks it
to wait stops only its own images: those of a blocked host are not requested again before the image cache is stale,
those of a paused one as soon as the pause, which is kept in the crawl state, is over.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pandas as pd

from sneaker_assets.crawl.database import open_database
from sneaker_assets.crawl.downloads import download_images
from sneaker_assets.crawl.errors import CrawlPaused, CrawlStopped, FetchError, SiteBlocked, UnreachableError
from sneaker_assets.crawl.frontier import Frontier
from sneaker_assets.crawl.http import NO_VALIDATORS, Response, Validators
from sneaker_assets.crawl.image_cache import ImageCache
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sites.base import Page, PageError, Site

if TYPE_CHECKING:
    from sneaker_assets.crawl.fetcher import Fetcher

MAX_SHOWN_CHARACTERS = 100
"""Number of characters of an invalid address that a message shows; a ``data:`` address holds a whole image."""

logger = logging.getLogger(__name__)


def download_listed_images(
    urls: Iterable[str], site: str, lake: Lake, settings: FetchSettings, known: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Download images of any public hosts into the lake, each once; an interrupted download is resumed.

    Redirects are followed to any public host that allows it in its robots.txt.

    Args:
        urls: Image addresses; missing ones are skipped, duplicates are fetched once.
        site: Name of the site whose crawl state in the lake holds the image cache.
        lake: Lake in which the images are stored.
        settings: Limits, delays and contact.
        known: Table of an earlier call, used for addresses that are not in the image cache.

    Returns:
        ``tables.Images``, one row per distinct address in the order given. An address that is invalid, or whose host
        does not allow, blocks or pauses the download, has a ``problem``.

    Raises:
        ContactMissing: There is something to fetch, and the settings have no contact.
        CrawlRunning: Another crawl or download of the site is running.
    """
    wanted = list(dict.fromkeys(url for url in urls if isinstance(url, str) and url.strip()))
    with open_database(lake, site) as database:
        client = _Client(site, settings, Frontier(database))
        cache = ImageCache(database, site, settings.recheck)
        table = download_images(_interleaved(wanted), client, lake, cache, known=known)
    return table.set_index("image_url").loc[wanted].reset_index()[list(table.columns)]


class _Client:
    """Client of many hosts, each of which is stopped separately; created with the first request, for the contact."""

    def __init__(self, site: str, settings: FetchSettings, frontier: Frontier) -> None:
        self.settings = settings
        self._site, self._frontier = site, frontier
        self._lock = Lock()
        self._fetcher: Fetcher | None = None
        self._stopped: set[str] = set()

    def image(self, url: str, known: Validators = NO_VALIDATORS) -> Response:
        _check_address(url)
        fetcher = self._open()
        try:
            return fetcher.image(url, known)
        except CrawlPaused as pause:
            self._frontier.hold(pause.host, pause.resume_at)
            fetcher.stop(pause.host, pause)
            self._warn(url, pause)
            raise UnreachableError(f"{url}: {pause}") from pause
        except SiteBlocked as block:
            self._warn(url, block)
            raise FetchError(f"{url}: {block}") from block

    def summary(self) -> str:
        return "nothing requested" if self._fetcher is None else self._fetcher.summary()

    def _open(self) -> "Fetcher":
        # An HTTP client takes long to import and is not needed to define assets.
        from sneaker_assets.crawl.fetcher import Fetcher  # noqa: PLC0415

        with self._lock:
            if self._fetcher is None:
                site = Site(self._site, "", "/", None, _no_page)
                self._fetcher = Fetcher(site, self.settings, any_image_host=True)
                for host, until in self._frontier.holds().items():
                    self._fetcher.hold(host, until)
                self._fetcher.on_hold = self._frontier.hold
            return self._fetcher

    def _warn(self, url: str, reason: CrawlStopped) -> None:
        """Log once per host why its images are left out."""
        host = urlsplit(url).netloc.lower()
        with self._lock:
            new = host not in self._stopped
            self._stopped.add(host)
        if new:
            logger.warning("%s: further images of %s are left out: %s", self._site, host, reason)


def _check_address(url: str) -> None:
    """Check the form of an address before anything is requested.

    Raises:
        FetchError: It is not an HTTP(S) address.
    """
    import requests

    try:
        requests.Request("GET", url).prepare()
        valid = urlsplit(url).scheme.lower() in ("http", "https")
    except (requests.RequestException, ValueError):
        valid = False
    if not valid:
        shown = url if len(url) <= MAX_SHOWN_CHARACTERS else f"{url[:MAX_SHOWN_CHARACTERS]}..."
        raise FetchError(f"{shown!r} is not a valid http or https address")


def _interleaved(urls: Iterable[str]) -> list[str]:
    """The addresses with those of different hosts in turn, so that no host keeps all threads waiting."""
    seen = Counter[str]()
    turns: list[tuple[int, str]] = []
    for url in urls:
        host = url.split("/", 3)[2].lower() if url.count("/") > 1 else ""
        turns.append((seen[host], url))
        seen[host] += 1
    return [url for _, url in sorted(turns, key=lambda turn: turn[0])]


def _no_page(_: bytes, url: str) -> Page:
    raise PageError(f"{url} was requested as an image, not as a page")
