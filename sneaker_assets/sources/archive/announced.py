"""Tables of announced shoes, whose date and price are those of the release."""

import logging
from dataclasses import replace

import pandas as pd

from sneaker_assets.sources.archive.archive import Archive
from sneaker_assets.sources.archive.errors import ArchiveError
from sneaker_assets.sources.archive.mapping import MAPPING_FILE, ArchiveMapping, overlay
from sneaker_assets.sources.archive.rows import MappedTable, read_observations

IDENTITIES = ("product_id", "style_code", "url", "title", "image")
"""Fields that identify an announced shoe; its picture comes last, since it is often a teaser that is replaced."""

logger = logging.getLogger(__name__)


def read_announced(archive: Archive, site: str) -> pd.DataFrame:
    """Announced shoes of all tables of an archive.

    Args:
        archive: The archive.
        site: Site that the shoes get.

    Returns:
        ``tables.Observations`` without amounts; dates and prices that cannot be read are missing and logged.

    Raises:
        ArchiveError: A table cannot be read, or its retail prices state no currency.
    """
    return pd.concat([_read(table, site) for table in archive.tables], ignore_index=True)


def _read(table: MappedTable, site: str) -> pd.DataFrame:
    """Announced shoes of a table.

    Raises:
        ArchiveError: The retail prices state no currency.
    """
    reading = read_observations(_as_announcements(table, site))
    seen = reading.observations
    priced = seen["retail_price"].notna()
    if priced.any() and seen["retail_currency"].isna().all():
        raise ArchiveError(
            f"{table.table.name}: the retail prices state no currency: "
            f'state currency = "USD" or another in {MAPPING_FILE}'
        )
    for problem, count in (reading.bad_release_dates + reading.bad_retail_prices).items():
        logger.warning("%s: %s (%d rows)", table.table.name, problem, count)
    return seen


def _as_announcements(table: MappedTable, site: str) -> MappedTable:
    """The table with its date as the release date and its price as the retail price, unless it has columns of these."""
    fields = dict(table.columns.fields)
    for name in ("site", "kind", "available"):
        fields.pop(name, None)
    date = fields.pop("date", None)
    if date is not None:
        fields.setdefault("release_date", date)
    if table.columns.prices:
        fields.setdefault("retail_price", table.columns.prices[0].name)
    columns = replace(table.columns, prices=(), fields=fields)
    mapping = overlay(table.mapping, ArchiveMapping(site=site))
    return replace(table, columns=columns, mapping=mapping, identities=IDENTITIES)
