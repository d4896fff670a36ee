"""Where listings come from: the one seam between the pipeline and the world.

A source gives tables and stores images in the lake; it never writes a table. The pipeline picks one by its setting:
the offline shop (``demo_source``), a folder (``ArchiveSource``) or the real sites (``WebSource``).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from threading import Lock
from typing import Protocol

import pandas as pd

from sneaker_assets.crawl.archive import ArchiveError, ArchiveSource
from sneaker_assets.crawl.fetcher import Fetcher, FetchSettings
from sneaker_assets.crawl.images import download_images
from sneaker_assets.crawl.listings import crawl_listings
from sneaker_assets.lake import Lake
from sneaker_assets.sites import get_site

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


@dataclass(frozen=True)
class WebSource:
    """Sites behind HTTP, the real ones or the offline shop.

    ``homes`` overrides where a site is found, by its name. Its port may be another one next time, so the tables know
    such a site as ``http://<site>.localhost``. ``max_pages`` ends a crawl early, for a first look.
    """

    lake: Lake
    settings: FetchSettings
    homes: Mapping[str, str] | None = None
    max_pages: int | None = None
    _fetchers: dict[str, Fetcher] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def observe(self, site: str) -> pd.DataFrame:
        """Crawl the site's listing pages.

        Raises:
            CrawlStopped: the site asked us to go away, for now or altogether.
            FetchError: its first page could not be fetched.
            PageError: its first page could not be read.
        """
        return self._crawl(site, get_site(site).start_path)

    def images(self, site: str, image_urls: Iterable[str], known: pd.DataFrame | None = None) -> pd.DataFrame:
        """Fetch the images that are not in the lake yet.

        Raises:
            CrawlStopped: the site asked us to go away, for now or altogether.
        """
        home, lasting = self._home(site), self._lasting_home(site)
        urls = [_moved(url, lasting, home) for url in image_urls]
        if known is not None:
            known = _readdressed(known, ["image_url"], lasting, home)
        return self._known_as(site, download_images(urls, self._fetcher(site), self.lake, site, known=known))

    def releases(self, site: str) -> pd.DataFrame:
        """Crawl the site's page of coming products; raises what :meth:`observe` does."""
        return self._crawl(site, get_site(site).releases_path)

    def _crawl(self, site: str, start_path: str) -> pd.DataFrame:
        """What the pages from ``start_path`` on show (Observations)."""
        home = self._home(site)
        seen = crawl_listings(get_site(site), self._fetcher(site), home, start_path, max_pages=self.max_pages)
        return self._known_as(site, seen)

    def _known_as(self, site: str, table: pd.DataFrame) -> pd.DataFrame:
        """The table with addresses that last."""
        columns = [column for column in ("url", "image_url") if column in table]
        return _readdressed(table, columns, self._home(site), self._lasting_home(site))

    def _home(self, site: str) -> str:
        return (self.homes or {}).get(site, get_site(site).home)

    def _lasting_home(self, site: str) -> str:
        return f"http://{site}.localhost" if site in (self.homes or {}) else self._home(site)

    def _fetcher(self, site: str) -> Fetcher:
        """One fetcher a site, since its gate and its breaker remember what the site asked for."""
        with self._lock:
            if site not in self._fetchers:
                self._fetchers[site] = Fetcher(get_site(site), self.settings, home=self._home(site))
            return self._fetchers[site]


def _moved(url: str, home: str, to: str) -> str:
    return to + url.removeprefix(home) if url.startswith(home) else url


def _readdressed(table: pd.DataFrame, columns: Iterable[str], home: str, to: str) -> pd.DataFrame:
    return table.assign(**{column: [_moved(url, home, to) for url in table[column]] for column in columns})


@contextmanager
def demo_source(lake: Lake, n_products: int = 600, seed: int = 2020, today: date | None = None) -> Iterator[WebSource]:
    """The offline shop on loopback as a source; it runs while the block does, and nothing leaves the machine.

    Args:
        lake: where images are stored.
        n_products: how many shoes the shop sells, over both its sites.
        seed: the same seed gives the same shop.
        today: the shop's date, which decides what is released; the real one by default.
    """
    from sneaker_assets.demo_shop import DemoShop  # noqa: PLC0415 - drawing shoes is no business of a live crawl

    with DemoShop(n_products=n_products, seed=seed, today=today) as shop:
        yield WebSource(lake, FetchSettings(delay=0.0, allow_loopback=True), homes=shop.addresses)
