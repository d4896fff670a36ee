"""Source of listings in tables, such as a published data set, an export or a list of sales.

A row without a usable image is not an error: its problem is recorded in the Images table. Neither is a row with an
unreadable price: its problem is recorded in the Observations table.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Lock

import pandas as pd

from sneaker_assets.crawl.observations import observations
from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sources.archive.archive import Archive, open_archive
from sneaker_assets.sources.archive.errors import ArchiveError
from sneaker_assets.sources.archive.images import collect_archive_images
from sneaker_assets.sources.archive.mapping import ArchiveMapping
from sneaker_assets.sources.archive.rows import MappedTable, read_observations, release_dates, row_identities, row_sites

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ArchiveSource:
    """Listings of one or several tables, one or more per row.

    Attributes:
        lake: Lake in which images are stored.
        archive: Folder of tables and images, or one table.
        mapping: How the tables are read. It takes precedence over ``sneaker-archive.toml`` beside the tables, which
            takes precedence over the guess.
        fetching: Settings of downloads, for images given by address.
        today: Date that decides which releases are upcoming, by default the current one.
        threads: Number of image files read at once.
    """

    lake: Lake
    archive: Path
    mapping: ArchiveMapping = field(default_factory=ArchiveMapping)
    fetching: FetchSettings = field(default_factory=FetchSettings)
    today: date | None = None
    threads: int = 4
    _opened: dict[object, Archive] = field(default_factory=dict, init=False, repr=False, compare=False)
    _observed: dict[object, pd.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def sites(self) -> Sequence[str]:
        """Names of the sites that have a row with a product.

        Raises:
            ArchiveError: The archive is not there or cannot be read.
        """
        found: set[str] = set()
        for table in self._tables():
            rows = zip(row_sites(table), row_identities(table), strict=True)
            found.update(site for site, product in rows if site and product)
        return sorted(found)

    def release_sites(self) -> Sequence[str]:
        """Names of the sites with a release date after today.

        Raises:
            ArchiveError: The archive is not there or cannot be read.
        """
        found: set[str] = set()
        for table in self._tables():
            if "release_date" in table.columns.fields:
                dates = release_dates(table).dates
                found.update(
                    site for site, day in zip(row_sites(table), dates, strict=True) if day and day > self._today()
                )
        return sorted(found - {""})

    def observe(self, site: str) -> pd.DataFrame:
        """Prices of the site's rows, each at its date, or at the modification time of its file.

        Rows that are equal are one observation that counts them.

        Returns:
            ``tables.Observations``. A price that is written but cannot be read has a ``problem``; a missing one, as in
            an empty cell or ``n/a``, has none.

        Raises:
            ArchiveError: The archive cannot be read or has no row of the site.
        """
        seen = self._all()
        rows = seen[seen["site"] == site]
        if rows.empty:
            raise ArchiveError(
                f"{self.archive} has no row of site {site!r}; its sites: {', '.join(self.sites()) or 'none'}"
            )
        return rows.reset_index(drop=True)

    def images(self, site: str, image_urls: Iterable[str], known: pd.DataFrame | None = None) -> pd.DataFrame:
        """Validate and store images; those given by address are downloaded.

        Args:
            site: Name of the site.
            image_urls: File names and addresses.
            known: Table of an earlier call; a file of it whose size has not changed is not read again.

        Returns:
            ``tables.Images``.

        Raises:
            ArchiveError: The archive is not there, or has no folder of images of the name in the mapping.
        """
        files = self._archive().image_files
        table = collect_archive_images(
            files, image_urls, site, lake=self.lake, fetching=self.fetching, known=known, threads=self.threads
        )
        problems = table["problem"].dropna()
        if len(problems):
            logger.warning("%s: %d of %d images are not usable", site, len(problems), len(table))
        return table

    def releases(self, site: str) -> pd.DataFrame:
        """Products of a site whose release date is after today (``tables.Observations``).

        Raises:
            ArchiveError: The archive cannot be read.
        """
        seen = self._all()
        coming = seen[(seen["site"] == site) & (seen["release_date"] > self._today())]
        return coming.reset_index(drop=True) if len(coming) else observations([])

    def report(self, site: str) -> CrawlReport:
        """Totals of a site; each table with a row of it counts as one page.

        Raises:
            ArchiveError: The archive cannot be read.
        """
        rows = [row_sites(table).count(site) for table in self._tables()]
        return CrawlReport(pages=sum(map(bool, rows)), listed=sum(rows), yielded=sum(rows))

    def _today(self) -> datetime:
        """Midnight UTC of today."""
        day = self.today or datetime.now(UTC).date()
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    def _archive(self) -> Archive:
        """The archive as it is on disk now."""
        with self._lock:
            archive = open_archive(self.archive, self.mapping)
            return self._opened.setdefault(archive.version, archive)

    def _tables(self) -> Sequence[MappedTable]:
        return self._archive().tables

    def _all(self) -> pd.DataFrame:
        """Observations of all sites, read once per version of the files."""
        archive = self._archive()
        if archive.version not in self._observed:
            parts = [read_observations(table).observations for table in archive.tables]
            self._observed[archive.version] = pd.concat(parts, ignore_index=True)
        return self._observed[archive.version]
