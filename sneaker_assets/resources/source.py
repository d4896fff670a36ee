"""Where listings come from, as a Dagster resource. The sources themselves live in ``sneaker_assets.crawl``."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Literal, cast, get_args

import dagster as dg
from pydantic import Field

from sneaker_assets.crawl.archive import ArchiveSource
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.crawl.source import ListingSource, WebSource, demo_source
from sneaker_assets.lake import Lake
from sneaker_assets.sites import SITES, stockx, stockx_api
from sneaker_assets.sites.base import Site
from sneaker_assets.tables import LabelKind

SourceName = Literal["demo", "archive", "live"]


def live_sites(settings: Mapping[str, str]) -> Mapping[str, Site]:
    """The sites, StockX through its official API where a key is set.

    Key and token come from the environment alone: a field's value would be kept with the run, for all to see.

    Raises:
        ValueError: the key is there without a token, or either cannot be sent.
    """
    key = settings.get(stockx_api.KEY)
    if not key:
        return SITES
    return {**SITES, stockx.NAME: stockx_api.site(key, settings.get(stockx_api.TOKEN) or "")}


class ListingSourceResource(dg.ConfigurableResource["ListingSourceResource"]):
    """The offline shop, a published data set, or the real sites."""

    source: str | None = Field(
        default=None,
        description="demo (the offline shop), archive (a folder) or live (the real sites). "
        "Default: SNEAKER_SOURCE, else demo.",
    )
    demo_products: int = Field(default=600, gt=0, description="How many shoes the offline shop sells.")
    demo_seed: int = Field(default=2020, description="Another seed is another offline shop.")
    demo_today: str | None = Field(
        default=None,
        description="The offline shop's date, YYYY-MM-DD; it decides which releases are announced. Default: "
        "SNEAKER_SHOP_TODAY, else the shop's clock in the lake, which sneaker-shop --set-today moves.",
    )
    archive: str | None = Field(
        default=None, description="Folder with a CSV and an images folder. Default: SNEAKER_ARCHIVE."
    )
    archive_price_column: str = Field(default="sale_price", description="The archive's column of prices.")
    archive_image_column: str = Field(default="image_name", description="The archive's column of image names.")
    archive_site_column: str | None = Field(
        default=None,
        description="The archive's column of sites; without it, the image name up to its first underscore.",
    )
    archive_label_kind: LabelKind = Field(default="unknown", description="What the archive's prices mean.")
    contact: str = Field(
        default="",
        description="Address in the user agent by which a site can reach whoever crawls it; needed for live. "
        "Default: SNEAKER_CONTACT.",
    )
    delay_seconds: float = Field(default=2.0, ge=0, description="Least time between two requests to a live site.")
    max_pages: int | None = Field(default=None, gt=0, description="Stop a crawl after so many listing pages.")

    @property
    def name(self) -> SourceName:
        """The source in use.

        Raises:
            ValueError: the setting names none of those known.
        """
        wanted = self.source or os.environ.get("SNEAKER_SOURCE") or "demo"
        for name in get_args(SourceName):
            if name == wanted:
                return cast("SourceName", name)
        raise ValueError(f"unknown source {wanted!r}: set SNEAKER_SOURCE to one of {', '.join(get_args(SourceName))}")

    @contextmanager
    def open(self, lake: Lake) -> Iterator[ListingSource]:
        """The source, running while the block does; images go to ``lake``, which is kept to one source."""
        with lake.kept_to(self.name), self._source(lake) as source:
            yield source

    @contextmanager
    def _source(self, lake: Lake) -> Iterator[ListingSource]:
        if self.name == "demo":
            today = date.fromisoformat(self.demo_today) if self.demo_today else None
            with demo_source(lake, self.demo_products, self.demo_seed, today) as shop:
                yield shop
        elif self.name == "archive":
            yield self._archive(lake)
        else:
            yield WebSource(
                lake,
                FetchSettings(
                    delay=self.delay_seconds, contact=self.contact or os.environ.get("SNEAKER_CONTACT") or ""
                ),
                max_pages=self.max_pages,
                sites=live_sites(os.environ),
            )

    def _archive(self, lake: Lake) -> ArchiveSource:
        folder = self.archive or os.environ.get("SNEAKER_ARCHIVE")
        if not folder:
            raise ValueError("the archive source needs a folder: set SNEAKER_ARCHIVE to the folder of the CSV")
        return ArchiveSource(
            lake,
            Path(folder),
            price_column=self.archive_price_column,
            image_column=self.archive_image_column,
            site_column=self.archive_site_column,
            label_kind=self.archive_label_kind,
        )
