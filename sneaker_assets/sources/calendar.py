"""Source of one's own list of announced shoes: a table with names, dates, retail prices and pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from sneaker_assets.crawl.observations import observations
from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sources.archive.announced import read_announced
from sneaker_assets.sources.archive.archive import Archive, open_archive
from sneaker_assets.sources.archive.errors import ArchiveError
from sneaker_assets.sources.archive.images import collect_archive_images
from sneaker_assets.sources.archive.mapping import ArchiveMapping

CALENDAR = "calendar"
"""Name of the site of announced shoes."""


@dataclass(frozen=True)
class CalendarSource:
    """Announced shoes of a table in any format that an archive may have.

    Attributes:
        lake: Lake in which images are stored.
        file: The table. Pictures are files relative to it, or addresses.
        fetching: Settings of downloads.
        today: Date that decides which releases are upcoming, by default the current one.
        mapping: Columns of the table; what it does not state is in ``sneaker-archive.toml`` beside it, or guessed.
    """

    lake: Lake
    file: Path
    fetching: FetchSettings = field(default_factory=FetchSettings)
    today: date | None = None
    mapping: ArchiveMapping = field(default_factory=ArchiveMapping)

    def sites(self) -> Sequence[str]:
        """An empty list, since announced shoes are not listings."""
        return []

    def release_sites(self) -> Sequence[str]:
        """The site ``calendar``."""
        return [CALENDAR]

    def observe(self, site: str) -> pd.DataFrame:
        """Raise, since announced shoes are not listings.

        Raises:
            ArchiveError: Always.
        """
        raise ArchiveError(f"{self.file} announces releases and has no listings of site {site!r}")

    def images(self, site: str, image_urls: Iterable[str], known: pd.DataFrame | None = None) -> pd.DataFrame:
        """Validate and store pictures; those given by address are downloaded.

        Args:
            site: The site ``calendar``.
            image_urls: File names and addresses.
            known: Table of an earlier call; a file of it whose size has not changed is not read again.

        Returns:
            ``tables.Images``.

        Raises:
            ArchiveError: The table is not there.
        """
        return collect_archive_images(
            self._archive().image_files,
            image_urls,
            site,
            lake=self.lake,
            fetching=self.fetching,
            known=known,
            threads=4,
        )

    def releases(self, site: str) -> pd.DataFrame:
        """Announced shoes that are released after today or have no date yet (``tables.Observations``).

        Raises:
            ArchiveError: The table cannot be read, or has no retail price in a known currency.
        """
        if site != CALENDAR:
            raise ArchiveError(f"{self.file} has no site {site!r}; its site: {CALENDAR}")
        announced = self._announced()
        coming = announced["release_date"].isna() | (announced["release_date"] > self._today())
        return announced[coming].reset_index(drop=True) if coming.any() else observations([])

    def report(self, site: str) -> CrawlReport:  # noqa: ARG002
        """Totals of the table, which counts as one page.

        Raises:
            ArchiveError: The table cannot be read.
        """
        n_rows = len(self._announced())
        return CrawlReport(pages=1, listed=n_rows, yielded=n_rows)

    def _today(self) -> datetime:
        """Midnight UTC of today."""
        day = self.today or datetime.now(UTC).date()
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    def _archive(self) -> Archive:
        if not self.file.is_file():
            raise ArchiveError(f"{self.file} is not there: set SNEAKER_RELEASES to a table of announced shoes")
        return open_archive(self.file, self.mapping, needs_price=False)

    def _announced(self) -> pd.DataFrame:
        return read_announced(self._archive(), CALENDAR)
