"""Where listings come from: the one seam between the pipeline and the world.

A source gives tables and stores images in the lake; it never writes a table. The pipeline picks one by its setting:
the offline shop (``demo_source``), a folder (``ArchiveSource``) or the real sites (``WebSource``).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from threading import Lock
from typing import Protocol
from urllib.parse import urlsplit

import pandas as pd

from sneaker_assets.crawl.archive import ArchiveError, ArchiveSource
from sneaker_assets.crawl.database import Database, open_database
from sneaker_assets.crawl.downloads import download_images
from sneaker_assets.crawl.errors import CrawlPaused
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.frontier import Frontier, PageKind
from sneaker_assets.crawl.image_cache import ImageCache
from sneaker_assets.crawl.listings import walk_listings
from sneaker_assets.crawl.observations import observations
from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sites import SITES, get_site
from sneaker_assets.sites.base import Site

__all__ = ["ArchiveError", "ArchiveSource", "ListingSource", "WebSource", "demo_source"]


class ListingSource(Protocol):
    """What the pipeline asks of any source of listings."""

    def observe(self, site: str) -> pd.DataFrame:
        """Every price the site shows now (Observations)."""
        ...

    def images(self, site: str, image_urls: Iterable[str], known: pd.DataFrame | None = None) -> pd.DataFrame:
        """What became of each image address (Images); the files lie in the lake afterwards.

        Args:
            site: the site they belong to.
            image_urls: addresses as ``observe`` gave them.
            known: the table of an earlier call, whose images are not fetched again.
        """
        ...

    def releases(self, site: str) -> pd.DataFrame:
        """Products announced and not yet released (Observations); empty where the source has none."""
        ...

    def report(self, site: str) -> CrawlReport:
        """What the last ``observe`` of the site came to."""
        ...


@dataclass(frozen=True)
class WebSource:
    """Sites behind HTTP, the real ones or the offline shop.

    What was crawled is kept in the lake's ``crawls/<site>/``: a crawl that was cut off goes on where it was, and a
    later one asks only for what changed. One crawl of a site runs at a time.

    ``homes`` says where a site is found in place of its own home, such as ``{"stockx": "http://127.0.0.1:40123"}``. The
    port may be another one next time, so such a site is known by the lasting name ``http://<site>.localhost``.
    ``max_pages`` ends a crawl early, for a first look; ``sites`` are those known, by name.
    """

    lake: Lake
    settings: FetchSettings
    homes: Mapping[str, str] | None = None
    max_pages: int | None = None
    sites: Mapping[str, Site] = field(default_factory=lambda: SITES)
    _fetchers: dict[str, Fetcher] = field(default_factory=dict, init=False, repr=False, compare=False)
    _reports: dict[str, CrawlReport] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def observe(self, site: str) -> pd.DataFrame:
        """Crawl the site's listing pages.

        Raises:
            CrawlStopped: the site asked us to go away, for now or altogether, or another crawl of it is running.
            FetchError: its first page could not be fetched.
            PageError: its first page could not be read.
        """
        return self._walk(site, "listings", self._site(site).start_path)

    def images(self, site: str, image_urls: Iterable[str], known: pd.DataFrame | None = None) -> pd.DataFrame:
        """Fetch the images that are new or have changed.

        Raises:
            CrawlStopped: as for :meth:`observe`.
        """
        with self._crawl(site) as (fetcher, database):
            known_images = ImageCache(database, site, self.settings.recheck)
            return download_images(image_urls, fetcher, self.lake, known_images, known=known)

    def releases(self, site: str) -> pd.DataFrame:
        """Crawl the site's page of coming products; raises what :meth:`observe` does."""
        path = self._site(site).releases_path
        return observations([]) if path is None else self._walk(site, "releases", path)

    def report(self, site: str) -> CrawlReport:
        """What the last walk of this source over the site came to."""
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
            self._reports[site] = CrawlReport.of(walk.stats(), fetcher)
            return observations(walk.seen())

    @contextmanager
    def _crawl(self, site: str) -> Iterator[tuple[Fetcher, Database]]:
        """The site's client and memory, for this crawl alone; what hosts ask for is remembered for the next one."""
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
        site = get_site(name, self.sites)
        return replace(site, home=f"http://{name}.localhost") if name in (self.homes or {}) else site

    def _fetcher(self, name: str) -> Fetcher:
        """One fetcher a site, since its gate and its breaker remember what the site asked for."""
        with self._lock:
            if name not in self._fetchers:
                homes = {site: urlsplit(home) for site, home in (self.homes or {}).items()}
                host_overrides = {f"{site}.localhost": (home.hostname or "", home.port or 80) for site, home in homes.items()}
                self._fetchers[name] = Fetcher(self._site(name), self.settings, host_overrides)
            return self._fetchers[name]


@contextmanager
def demo_source(lake: Lake, n_products: int = 600, seed: int = 2020, today: date | None = None) -> Iterator[WebSource]:
    """The offline shop on loopback as a source; it runs while the block does, and nothing leaves the machine.

    Args:
        lake: where images are stored.
        n_products: how many shoes the shop sells, over both its sites.
        seed: the same seed gives the same shop.
        today: the shop's date, which decides what is released; by default the one that its clock in the lake shows.
    """
    # Drawing shoes is no business of a live crawl.
    from sneaker_assets.demo_shop import DemoShop  # noqa: PLC0415
    from sneaker_assets.demo_shop.clock import shop_day  # noqa: PLC0415

    with DemoShop(n_products=n_products, seed=seed, today=today or shop_day(lake)) as shop:
        yield WebSource(lake, FetchSettings(delay=0.0, allow_loopback=True), homes=shop.addresses)
