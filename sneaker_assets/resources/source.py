"""Resource for the sources of listings. The sources themselves are in ``sneaker_assets.sources``."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import cast, get_args

import dagster as dg
from pydantic import Field, field_validator
from upath import UPath

from sneaker_assets.crawl.settings import Contact, Delay, FetchSettings
from sneaker_assets.lake import DEMO, Lake
from sneaker_assets.settings.environment import Settings, SourceName, load_settings
from sneaker_assets.settings.model import SettingsError
from sneaker_assets.sites import DEFAULT_SITES, SITES, kicksdb, load_sites, stockx, stockx_api
from sneaker_assets.sites.base import Site
from sneaker_assets.sources.archive import ArchiveMapping, ArchiveSource
from sneaker_assets.sources.base import ListingSource
from sneaker_assets.sources.calendar import CALENDAR, CalendarSource
from sneaker_assets.sources.demo import DEMO_SITES, demo_source
from sneaker_assets.sources.routing import Offer, RoutedSource, route_sites
from sneaker_assets.sources.saved.source import SavedSource
from sneaker_assets.sources.web import WebSource
from sneaker_assets.tables.values import LABEL_KINDS

KICKSDB_SITES = (kicksdb.STOCKX.name, kicksdb.GOAT.name)


def web_sites(settings: Settings) -> dict[str, Site]:
    """The registered sites, the Shopify stores of the settings, and the hosts among the chosen sites.

    Args:
        settings: The settings of the environment.

    Returns:
        Sites by name.
    """
    named = {address.partition("/")[0] for address in settings.shopify_stores}
    hosts = {site: None for site in settings.sites if "." in site and site not in named}
    return load_sites(stores={**settings.shopify_stores, **hosts})


def kicksdb_sites(settings: Settings) -> Mapping[str, Site]:
    """The sites that KicksDB describes, read with the key of the settings.

    Args:
        settings: The settings of the environment.

    Returns:
        Sites by name.

    Raises:
        SettingsError: There is no key.
        KicksDBError: The key or the market is invalid.
    """
    if settings.kicksdb_key is None:
        raise SettingsError("the source kicksdb needs a key: set SNEAKER_KICKSDB_KEY to yours")
    sites = kicksdb.sites(
        settings.kicksdb_key.get_secret_value(),
        settings.kicksdb_market,
        sales=settings.kicksdb_sales,
        quota=settings.kicksdb_quota,
    )
    return {site.name: site for site in sites}


def live_sites(settings: Settings) -> Mapping[str, Site]:
    """All sites, with StockX read through its official API if the settings have credentials.

    The credentials have no field in the resource: a run's configuration is stored in plain text.

    Args:
        settings: The settings of the environment.

    Returns:
        Sites by name.
    """
    sites = web_sites(settings)
    if settings.stockx_key is None or settings.stockx_token is None:
        return sites
    key, token = settings.stockx_key.get_secret_value(), settings.stockx_token.get_secret_value()
    return {**sites, stockx.NAME: stockx_api.site(key, token)}


class ListingSourceResource(dg.ConfigurableResource["ListingSourceResource"]):
    """Where listings come from: the offline shop, or real listings from one or several sources."""

    source: str | None = Field(
        default=None,
        description="Sources separated by commas: archive (tables), saved (saved pages), live (the real sites) and "
        "kicksdb, or demo (the offline shop) alone. Default: SNEAKER_SOURCE, else demo.",
    )
    demo_products: int = Field(default=600, gt=0, description="Number of shoes that the offline shop sells.")
    demo_seed: int = Field(default=2020, description="Random seed of the offline shop.")
    demo_today: str | None = Field(
        default=None,
        description="Date at the offline shop, YYYY-MM-DD, which decides what has been released. Default: "
        "SNEAKER_SHOP_TODAY, else the shop's clock in the lake, which sneaker-shop --set-today sets.",
    )
    archive: str | None = Field(
        default=None, description="Table, or folder of tables and images. Default: SNEAKER_ARCHIVE."
    )
    archive_price_column: str | None = Field(default=None, description="The archive's column of prices.")
    archive_image_column: str | None = Field(default=None, description="The archive's column of images.")
    archive_site_column: str | None = Field(default=None, description="The archive's column of sites.")
    archive_label_kind: str | None = Field(
        default=None, pattern=f"^({'|'.join(LABEL_KINDS)})$", description="Kind of the archive's prices."
    )
    archive_currency: str | None = Field(
        default=None,
        pattern="^[A-Z]{3}$",
        description="ISO 4217 code of the archive's prices that are written without a currency. Default: "
        "SNEAKER_ARCHIVE_CURRENCY.",
    )
    saved: str | None = Field(default=None, description="Folder of saved pages. Default: SNEAKER_SAVED.")
    fetch_images: bool | None = Field(
        default=None,
        description="Whether pictures that saved pages show but do not contain are fetched. Default: "
        "SNEAKER_FETCH_IMAGES.",
    )
    releases: str | None = Field(
        default=None, description="Table of announced shoes of your own. Default: SNEAKER_RELEASES."
    )
    contact: Contact = ""
    delay_seconds: Delay = FetchSettings().delay
    max_pages: int | None = Field(default=None, gt=0, description="Maximum number of listing pages per crawl.")

    @field_validator("source")
    @classmethod
    def _known_sources(cls, source: str | None) -> str | None:
        unknown = sorted(set(_names(source)) - set(get_args(SourceName)))
        if unknown:
            raise ValueError(f"unknown source {unknown[0]!r}: choose of {', '.join(get_args(SourceName))}")
        return source

    @field_validator("demo_today")
    @classmethod
    def _iso_date(cls, demo_today: str | None) -> str | None:
        try:
            date.fromisoformat(demo_today or "2020-01-01")
        except ValueError as error:
            raise ValueError("demo_today must be a date such as 2020-10-01") from error
        return demo_today

    @property
    def names(self) -> tuple[SourceName, ...]:
        """The sources in use."""
        return _names(self.source) or load_settings().source

    @property
    def is_demo(self) -> bool:
        """Whether the listings are those of the offline shop."""
        return self.names == (DEMO,)

    @property
    def crawls(self) -> bool:
        """Whether a source sends requests to real sites."""
        return not {"live", "kicksdb"}.isdisjoint(self.names)

    def site_sources(self) -> Mapping[str, str]:
        """Source by site: the sites of the settings, or the default ones of each source.

        Raises:
            SettingsError: A source has not been configured, a site is unknown, or several sources have it.
            SourceError: A source cannot be read.
        """
        settings = load_settings()
        offers: dict[str, Offer] = {name: self._offer(name, settings) for name in self.names}
        return route_sites(offers, {} if self.is_demo else settings.sites)

    def check(self) -> None:
        """Check the settings of the sources without opening them.

        Raises:
            SettingsError: A folder, a key or the contact of a live crawl is missing.
        """
        settings = load_settings()
        if "archive" in self.names:
            self._archive_path(settings)
        if "saved" in self.names:
            self._saved_folder(settings)
        if "kicksdb" in self.names:
            kicksdb_sites(settings)
        if self.crawls and not self._contact(settings):
            raise SettingsError(
                "a live crawl needs a contact in its user agent: set SNEAKER_CONTACT to an address of yours"
            )

    @contextmanager
    def open(self, lake: Lake) -> Iterator[ListingSource]:
        """The sources as one, available inside the ``with`` block.

        Args:
            lake: Where images are stored; drawn and real shoes need different lakes.

        Raises:
            LakeError: The lake was filled from the offline shop and the sources are real, or the other way round.
            SettingsError: A setting of a source is missing.
        """
        settings, by_site = load_settings(), self.site_sources()
        with lake.kept_to(self.names[0]), ExitStack() as stack:
            sites_of = {name: [site for site in by_site if by_site[site] == name] for name in by_site.values()}
            opened = {name: self._opened(name, sites, lake, settings, stack) for name, sites in sites_of.items()}
            calendar = self._calendar(lake, settings)
            yield RoutedSource(
                {site: opened[name] for site, name in by_site.items()},
                {CALENDAR: calendar} if calendar else {},
            )

    def _offer(self, name: SourceName, settings: Settings) -> Offer:
        """The sites of a source."""
        stores = {address.partition("/")[0] for address in settings.shopify_stores}
        known = frozenset({*SITES, *stores})
        if name == "demo":
            return Offer(frozenset(DEMO_SITES), frozenset(DEMO_SITES))
        if name == "kicksdb":
            return Offer(frozenset(KICKSDB_SITES), frozenset(KICKSDB_SITES))
        if name == "archive":
            sites = frozenset(self._archive(Lake(UPath(settings.lake)), settings).sites())
            return Offer(sites, sites)
        if name == "saved":
            return Offer(known, known, any_store=True, yields=True)
        return Offer(known, frozenset({*DEFAULT_SITES, *stores}), any_store=True)

    def _opened(
        self, name: str, sites: Collection[str], lake: Lake, settings: Settings, stack: ExitStack
    ) -> ListingSource:
        """One source; one that sends requests is restricted to the sites that are assigned to it."""
        if name == "demo":
            today = date.fromisoformat(self.demo_today) if self.demo_today else settings.shop_today
            return stack.enter_context(demo_source(lake, self.demo_products, self.demo_seed, today))
        if name == "archive":
            return self._archive(lake, settings)
        if name == "saved":
            fetch = settings.fetch_images if self.fetch_images is None else self.fetch_images
            fetching = self._fetching(settings) if fetch else None
            return SavedSource(lake, self._saved_folder(settings), web_sites(settings), fetching)
        known = kicksdb_sites(settings) if name == "kicksdb" else live_sites(settings)
        own = {site: known[site] for site in sites}
        return WebSource(lake, self._fetching(settings), max_pages=self.max_pages, sites_by_name=own)

    def _fetching(self, settings: Settings) -> FetchSettings:
        return FetchSettings(
            delay=self.delay_seconds, contact=self._contact(settings), allow_loopback=settings.allow_loopback
        )

    def _contact(self, settings: Settings) -> str:
        return self.contact or settings.contact

    def _calendar(self, lake: Lake, settings: Settings) -> CalendarSource | None:
        file = Path(self.releases) if self.releases else settings.releases
        return CalendarSource(lake, file, self._fetching(settings)) if file and not self.is_demo else None

    def _saved_folder(self, settings: Settings) -> Path:
        folder = Path(self.saved) if self.saved else settings.saved
        if folder is None:
            raise SettingsError("the source saved needs a folder: set SNEAKER_SAVED to the folder of the saved pages")
        return folder

    def _archive_path(self, settings: Settings) -> Path:
        path = Path(self.archive) if self.archive else settings.archive
        if path is None:
            raise SettingsError("the archive source needs a table: set SNEAKER_ARCHIVE to it, or to its folder")
        return path

    def _archive(self, lake: Lake, settings: Settings) -> ArchiveSource:
        mapping, fetching = self._archive_mapping(settings), self._fetching(settings)
        return ArchiveSource(lake, self._archive_path(settings), mapping=mapping, fetching=fetching)

    def _archive_mapping(self, settings: Settings) -> ArchiveMapping:
        """What the configuration states of the archive; the rest is in its mapping file or guessed."""
        columns = {
            "price": self.archive_price_column,
            "image": self.archive_image_column,
            "site": self.archive_site_column,
        }
        stated = {"currency": self.archive_currency or settings.archive_currency, "kind": self.archive_label_kind}
        return ArchiveMapping.model_validate(
            {
                **{name: value for name, value in stated.items() if value is not None},
                "columns": {name: column for name, column in columns.items() if column is not None},
            }
        )


def _names(source: str | None) -> tuple[SourceName, ...]:
    """The sources of a comma-separated list."""
    return cast("tuple[SourceName, ...]", tuple(name.strip() for name in (source or "").split(",") if name.strip()))
