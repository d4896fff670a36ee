"""Resource for the source of listings. The sources themselves are in ``sneaker_assets.crawl``."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import cast, get_args

import dagster as dg
from pydantic import Field, field_validator

from sneaker_assets.crawl.settings import Contact, Delay, FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.settings.environment import Settings, SourceName, load_settings
from sneaker_assets.settings.model import SettingsError
from sneaker_assets.sites import load_sites, stockx, stockx_api
from sneaker_assets.sites.base import Site
from sneaker_assets.sources.archive import ArchiveSource
from sneaker_assets.sources.base import ListingSource
from sneaker_assets.sources.demo import demo_source
from sneaker_assets.sources.web import WebSource
from sneaker_assets.tables import LabelKind


def live_sites(settings: Settings) -> Mapping[str, Site]:
    """All sites, with StockX read through its official API if the settings have credentials.

    The credentials have no field in the resource: a run's configuration is stored in plain text.

    Args:
        settings: The settings of the environment.

    Returns:
        Sites by name.
    """
    sites = load_sites(stores=settings.shopify_stores)
    if settings.stockx_key is None or settings.stockx_token is None:
        return sites
    key, token = settings.stockx_key.get_secret_value(), settings.stockx_token.get_secret_value()
    return {**sites, stockx.NAME: stockx_api.site(key, token)}


class ListingSourceResource(dg.ConfigurableResource["ListingSourceResource"]):
    """The offline shop, a published data set, or the real sites."""

    source: str | None = Field(
        default=None,
        description="demo (the offline shop), archive (a folder) or live (the real sites). "
        "Default: SNEAKER_SOURCE, else demo.",
    )
    demo_products: int = Field(default=600, gt=0, description="Number of shoes that the offline shop sells.")
    demo_seed: int = Field(default=2020, description="Random seed of the offline shop.")
    demo_today: str | None = Field(
        default=None,
        description="Date at the offline shop, YYYY-MM-DD, which decides what has been released. Default: "
        "SNEAKER_SHOP_TODAY, else the shop's clock in the lake, which sneaker-shop --set-today sets.",
    )
    archive: str | None = Field(
        default=None, description="Folder with a CSV and an images folder. Default: SNEAKER_ARCHIVE."
    )
    archive_price_column: str = Field(default="sale_price", description="The archive's column of prices.")
    archive_image_column: str = Field(default="image_name", description="The archive's column of image names.")
    archive_site_column: str | None = Field(
        default=None,
        description="The archive's column of sites; by default the image name up to its first underscore.",
    )
    archive_label_kind: LabelKind = Field(default="unknown", description="Kind of the archive's prices.")
    archive_currency: str = Field(
        default="USD",
        pattern="^[A-Z]{3}$",
        description="ISO 4217 code of the archive's prices; a price with the sign of another currency is not used.",
    )
    contact: Contact = ""
    delay_seconds: Delay = FetchSettings().delay
    max_pages: int | None = Field(default=None, gt=0, description="Maximum number of listing pages per crawl.")

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str | None) -> str | None:
        if source is not None and source not in get_args(SourceName):
            raise ValueError(f"unknown source {source!r}: choose one of {', '.join(get_args(SourceName))}")
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
    def name(self) -> SourceName:
        """The source in use."""
        return cast("SourceName", self.source) if self.source else load_settings().source

    def check(self) -> None:
        """Check the settings of the source without opening it.

        Raises:
            SettingsError: The archive's folder or the contact of a live crawl is missing.
        """
        settings = load_settings()
        if self.name == "archive":
            self._archive_folder(settings)
        if self.name == "live" and not self._contact(settings):
            raise SettingsError(
                "a live crawl needs a contact in its user agent: set SNEAKER_CONTACT to an address of yours"
            )

    @contextmanager
    def open(self, lake: Lake) -> Iterator[ListingSource]:
        """The source, available inside the ``with`` block.

        Args:
            lake: Where images are stored; a lake is bound to the source that filled it first.

        Raises:
            LakeError: The lake was filled from another source.
            SettingsError: A setting of the source is missing.
        """
        with lake.kept_to(self.name), self._source(lake) as source:
            yield source

    @contextmanager
    def _source(self, lake: Lake) -> Iterator[ListingSource]:
        settings = load_settings()
        if self.name == "demo":
            today = date.fromisoformat(self.demo_today) if self.demo_today else settings.shop_today
            with demo_source(lake, self.demo_products, self.demo_seed, today) as shop:
                yield shop
        elif self.name == "archive":
            yield self._archive(lake, settings)
        else:
            fetching = FetchSettings(delay=self.delay_seconds, contact=self._contact(settings))
            yield WebSource(lake, fetching, max_pages=self.max_pages, sites_by_name=live_sites(settings))

    def _contact(self, settings: Settings) -> str:
        return self.contact or settings.contact

    def _archive_folder(self, settings: Settings) -> Path:
        folder = Path(self.archive) if self.archive else settings.archive
        if folder is None:
            raise SettingsError("the archive source needs a folder: set SNEAKER_ARCHIVE to the folder of the CSV")
        return folder

    def _archive(self, lake: Lake, settings: Settings) -> ArchiveSource:
        return ArchiveSource(
            lake,
            self._archive_folder(settings),
            price_column=self.archive_price_column,
            image_column=self.archive_image_column,
            site_column=self.archive_site_column,
            label_kind=self.archive_label_kind,
            currency=self.archive_currency,
        )
