"""Source of listings that crawls sites over HTTP."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pandas as pd

from sneaker_assets.crawl.database import Database, open_database
from sneaker_assets.crawl.downloads import download_images
from sneaker_assets.crawl.errors import CrawlPaused
from sneaker_assets.crawl.frontier import Frontier, PageKind
from sneaker_assets.crawl.image_cache import ImageCache
from sneaker_assets.crawl.listings import walk_listings
from sneaker_assets.crawl.observations import observations
from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sites import SITES, get_site
from sneaker_assets.sites.base import Site

if TYPE_CHECKING:
    from sneaker_assets.crawl.fetcher import Fetcher


@dataclass(frozen=True)
class WebSource:
    """Sites accessed over HTTP: real ones or the offline shop.

    The crawl state is kept in the lake under ``crawls/<site>/``: an interrupted crawl is resumed, and a later one
    fetches only what has changed. Only one crawl of a site runs at a time.

    Attributes:
        lake: Lake that holds images and crawl states.
        settings: Limits, delays and contact.
        homes: Addresses to use instead of the homes of sites, such as ``{"stockx": "http://127.0.0.1:40123"}``. Such a
            site is stored under the permanent name ``http://<site>.localhost``, since its port may change.
        max_pages: Maximum number of pages per crawl, by default unlimited.
        sites_by_name: The sites that can be crawled.
    """

    lake: Lake
    settings: FetchSettings
    homes: Mapping[str, str] | None = None
    max_pages: int | None = None
    sites_by_name: Mapping[str, Site] = field(default_factory=lambda: SITES)
    _fetchers: "dict[str, Fetcher]" = field(default_factory=dict, init=False, repr=False, compare=False)
    _reports: dict[str, CrawlReport] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def sites(self) -> Sequence[str]:
        """Names of the sites that can be crawled."""
        return sorted(self.sites_by_name)

    def release_sites(self) -> Sequence[str]:
        """Names of the sites that have a page of upcoming releases."""
        return [name for name in self.sites() if self.sites_by_name[name].releases_path is not None]

    def observe(self, site: str) -> pd.DataFrame:
        """Crawl the listing pages of a site.

        Returns:
            ``tables.Observations`` of the crawl.

        Raises:
            CrawlStopped: The site asks for a pause or blocks the client, or another crawl of it is running.
            FetchError: The first page could not be fetched.
            PageError: The first page could not be parsed.
        """
        return self._walk(site, "listings", self._site(site).start_path)

    def images(self, site: str, image_urls: Iterable[str], known: pd.DataFrame | None = None) -> pd.DataFrame:
        """Download new and changed images.

        Args:
            site: Name of the site.
            image_urls: Image URLs returned by :meth:`observe`.
            known: Table of an earlier call, used for URLs that are not in the image cache.

        Returns:
            ``tables.Images``.

        Raises:
            CrawlStopped: The site asks for a pause or blocks the client, or another crawl of it is running.
        """
        with self._crawl(site) as (fetcher, database):
            cache = ImageCache(database, site, self.settings.recheck)
            return download_images(image_urls, fetcher, self.lake, cache, known=known)

    def releases(self, site: str) -> pd.DataFrame:
        """Crawl the page of upcoming releases; empty if the site has none.

        Raises:
            CrawlStopped: The site asks for a pause or blocks the client, or another crawl of it is running.
            FetchError: The page could not be fetched.
            PageError: The page could not be parsed.
        """
        path = self._site(site).releases_path
        return observations([]) if path is None else self._walk(site, "releases", path)

    def report(self, site: str) -> CrawlReport:
        """Totals of the last crawl of a site by this source.

        Raises:
            KeyError: The source has not crawled the site.
        """
        return self._reports[site]

    def _walk(self, site: str, kind: PageKind, start_path: str) -> pd.DataFrame:
        with self._crawl(site) as (fetcher, database):
            frontier = Frontier(database)
            walk = walk_listings(
                self._site(site),
                fetcher,
                frontier,
                self.lake,
                kind=kind,
                start_path=start_path,
                max_pages=self.max_pages,
            )
            self._reports[site] = CrawlReport.from_stats(walk.stats(), fetcher)
            return observations(walk.listings())

    @contextmanager
    def _crawl(self, site: str) -> "Iterator[tuple[Fetcher, Database]]":
        """HTTP client and state of a site, locked for this crawl; holds are restored from and saved to the state.

        Raises:
            CrawlPaused: The site asks for a longer pause than the settings allow.
        """
        fetcher = self._fetcher(site)
        with open_database(self.lake, site) as database:
            frontier = Frontier(database)
            for host, until in frontier.holds().items():
                fetcher.hold(host, until)
            fetcher.on_hold = frontier.hold
            try:
                yield fetcher, database
            except CrawlPaused as pause:
                frontier.hold(pause.host, pause.resume_at)
                raise

    def _site(self, name: str) -> Site:
        site = get_site(name, self.sites_by_name)
        return replace(site, home=f"http://{name}.localhost") if name in (self.homes or {}) else site

    def _fetcher(self, name: str) -> "Fetcher":
        """One fetcher per site, since its rate limiter and circuit breaker have state."""
        # An HTTP client takes long to import and is not needed to define assets.
        from sneaker_assets.crawl.fetcher import Fetcher  # noqa: PLC0415

        with self._lock:
            if name not in self._fetchers:
                homes = {site: urlsplit(home) for site, home in (self.homes or {}).items()}
                host_overrides = {
                    f"{site}.localhost": (home.hostname or "", home.port or 80) for site, home in homes.items()
                }
                self._fetchers[name] = Fetcher(self._site(name), self.settings, host_overrides)
            return self._fetchers[name]
