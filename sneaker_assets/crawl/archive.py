"""Source of listings in a folder with a CSV file and images, such as a published data set.

A row without a usable image is not an error: its problem is recorded in the Images table.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pandas as pd

from sneaker_assets import tables
from sneaker_assets.crawl.images import ImageRecord, collect_images, store_image, stored_images
from sneaker_assets.crawl.observations import observations
from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.lake import Lake
from sneaker_assets.sites.money import amount
from sneaker_assets.sites.placeholders import image_address
from sneaker_assets.tables import LabelKind

logger = logging.getLogger(__name__)


class ArchiveError(SneakerError, ValueError):
    """The archive cannot be read; the message is one line with the remedy."""


@dataclass(frozen=True)
class ArchiveSource:
    """Listings of a folder, one per CSV row.

    Attributes:
        lake: Lake in which images are stored.
        folder: Folder with the CSV file.
        csv_name: Name of the CSV file; by default ``listings.csv`` or the only CSV file.
        images_folder: Name of the folder of images, inside ``folder``.
        price_column: Column of prices.
        image_column: Column of image file names.
        site_column: Column of site names; by default the site is the image name up to the first underscore.
        label_kind: Kind of all prices.
        currency: ISO 4217 code of all prices.
        threads: Number of images read at once.
    """

    lake: Lake
    folder: Path
    csv_name: str | None = None
    images_folder: str = "images"
    price_column: str = "sale_price"
    image_column: str = "image_name"
    site_column: str | None = None
    label_kind: LabelKind = "unknown"
    currency: str = "USD"
    threads: int = 4

    def observe(self, site: str) -> pd.DataFrame:
        """One observation per CSV row of the site, at the modification time of the CSV file.

        Returns:
            ``tables.Observations``, empty if the site has no row.

        Raises:
            ArchiveError: There is no such folder, or no readable CSV file with the expected columns.
        """
        csv = self._csv()
        rows = self._rows(csv)
        sites = rows[self.site_column] if self.site_column else rows[self.image_column].str.partition("_")[0]
        rows = rows[sites == site]
        if rows.empty:
            known = ", ".join(sorted(set(sites) - {""})) or "none"
            logger.warning("%s has no row of site %r; its sites: %s", csv.name, site, known)
            return observations([])
        names = rows[self.image_column]
        stems = names.map(lambda name: PurePosixPath(name).stem)
        observed_at = datetime.fromtimestamp(csv.stat().st_mtime, tz=UTC)
        return tables.Observations.validate(
            observations([])
            .reindex(rows.index)
            .assign(
                site=site,
                product_id=stems,
                url=csv.name,
                title=stems,
                image_url=names.map(image_address),
                amount=rows[self.price_column].map(amount).astype(float),
                currency=self.currency,
                label_kind=self.label_kind,
                observed_at=observed_at,
                raw_text=rows[self.price_column],
                generation="archive",
            )
            .reset_index(drop=True)
        )

    def images(self, site: str, image_urls: Iterable[str], known: pd.DataFrame | None = None) -> pd.DataFrame:
        """Validate and store images.

        Args:
            site: Name of the site.
            image_urls: File names in the folder of images.
            known: Table of an earlier call; a file of it whose size has not changed is not read again.

        Returns:
            ``tables.Images``.

        Raises:
            ArchiveError: There is no folder of images.
        """
        folder = self._folder() / self.images_folder
        if not folder.is_dir():
            raise ArchiveError(f"{folder} is not there: name the archive's folder of images")
        folder = folder.resolve()

        def file_of(name: str) -> Path:
            file = (folder / name).resolve()
            if not name or not file.is_relative_to(folder):
                raise OSError("names no file in the images folder")
            return file

        stored = stored_images(known, self.lake, site)

        def collect(name: str) -> ImageRecord:
            try:
                file = file_of(name)
                record = stored.get(name)
                if record is not None and file.stat().st_size == record.n_bytes:
                    return record
                return store_image(file.read_bytes(), self.lake, site, name)
            except FileNotFoundError:
                return ImageRecord(site, name, problem="not in the archive")
            except OSError as error:
                return ImageRecord(site, name, problem=one_line(error))

        table = collect_images(image_urls, collect, site, threads=self.threads)
        problems = table["problem"].dropna()
        if len(problems):
            logger.warning("%s: %d of %d images are not usable", site, len(problems), len(table))
        return table

    def report(self, site: str) -> CrawlReport:
        """Totals of a site, whose rows count as one page.

        Raises:
            ArchiveError: There is no such folder, or no readable CSV file with the expected columns.
        """
        rows = len(self.observe(site))
        return CrawlReport(pages=1, listed=rows, yielded=rows)

    def releases(self, site: str) -> pd.DataFrame:  # noqa: ARG002
        """An empty table, since an archive has no upcoming releases."""
        return observations([])

    def _folder(self) -> Path:
        if not self.folder.is_dir():
            raise ArchiveError(f"archive folder {self.folder} is not there: set SNEAKER_ARCHIVE to a folder with a CSV")
        return self.folder

    def _csv(self) -> Path:
        folder = self._folder()
        if self.csv_name is not None:
            if not (folder / self.csv_name).is_file():
                raise ArchiveError(f"no {self.csv_name} in archive folder {folder}: name one of its CSV files")
            return folder / self.csv_name
        candidates = sorted(folder.glob("*.csv"))
        preferred = [file for file in candidates if file.name == "listings.csv"] or candidates
        if len(preferred) != 1:
            found = ", ".join(file.name for file in candidates) or "none"
            raise ArchiveError(f"archive folder {folder} needs a listings.csv or exactly one *.csv; found: {found}")
        return preferred[0]

    def _rows(self, csv: Path) -> pd.DataFrame:
        try:
            rows = pd.read_csv(csv, dtype=str, keep_default_na=False, skipinitialspace=True)
        except pd.errors.EmptyDataError:
            raise ArchiveError(f"{csv} is empty: it needs a header and one row per listing") from None
        except (pd.errors.ParserError, UnicodeDecodeError) as error:
            raise ArchiveError(f"{csv} is not a readable CSV file in UTF-8: {one_line(error)}") from error
        expected = [self.price_column, self.image_column] + ([self.site_column] if self.site_column else [])
        missing = [column for column in expected if column not in rows.columns]
        if missing:
            raise ArchiveError(
                f"{csv} has no column {', '.join(missing)}; it has: {', '.join(map(str, rows.columns))}. "
                "Configure which of them hold the price and the image name"
            )
        if rows.empty:
            raise ArchiveError(f"{csv} has a header and no rows: it needs one row per listing")
        unnamed = rows[self.image_column] == ""
        if unnamed.any():
            lines = ", ".join(str(index + 2) for index in rows.index[unnamed][:10])
            logger.warning("%s: %d rows name no image and are skipped (lines %s)", csv.name, unnamed.sum(), lines)
        return rows[~unnamed]
