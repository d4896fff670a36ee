"""Source of listings in a folder with a CSV file and images, such as a published data set.

A row without a usable image is not an error: its problem is recorded in the Images table. Neither is a row with an
unreadable price: its problem is recorded in the Observations table.
"""

import logging
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import pandas as pd

from sneaker_assets import tables
from sneaker_assets.crawl.images import ImageRecord, collect_images, store_image, stored_images
from sneaker_assets.crawl.observations import observations
from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.errors import one_line
from sneaker_assets.lake import Lake
from sneaker_assets.market.observations import ARCHIVE
from sneaker_assets.sites.money import AmountError, parse_amount
from sneaker_assets.sites.placeholders import image_address
from sneaker_assets.sources.base import SourceError
from sneaker_assets.tables import LabelKind

MAX_IMAGE_BYTES = 100_000_000
"""Maximum size of an image file that is read."""

logger = logging.getLogger(__name__)


class ArchiveError(SourceError):
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
        currency: ISO 4217 code of all prices. A price written with the sign or code of another currency has no known
            currency.
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

    def sites(self) -> Sequence[str]:
        """Names of the sites that have a row.

        Raises:
            ArchiveError: There is no such folder, or no readable CSV file with the expected columns.
        """
        return sorted(set(self._sites(self._rows(self._csv()))) - {""})

    def release_sites(self) -> Sequence[str]:
        """An empty list, since an archive has no upcoming releases."""
        return []

    def observe(self, site: str) -> pd.DataFrame:
        """Prices of the site's CSV rows, at the modification time of the CSV file.

        The product is identified by the whole name of its image, including folder and suffix. Rows with the same image
        and the same price are one observation that counts them.

        Returns:
            ``tables.Observations``, empty if the site has no row. A price that is written but cannot be read has a
            ``problem``; a missing one, as in an empty cell or ``n/a``, has none.

        Raises:
            ArchiveError: There is no such folder, or no readable CSV file with the expected columns.
        """
        csv, rows = self._rows_of(site)
        if rows.empty:
            return observations([])
        names = rows[self.image_column]
        prices = [self._price(text) for text in rows[self.price_column]]
        counted = (
            pd.DataFrame(prices, columns=["amount", "currency", "problem"], index=rows.index)
            .assign(product_id=names, raw_text=rows[self.price_column])
            .groupby(["product_id", "amount", "currency", "problem", "raw_text"], dropna=False, sort=False)
            .size()
            .rename("n_prices")
            .reset_index()
        )
        counted["n_prices"] = counted["n_prices"].astype("Int64").where(counted["n_prices"] > 1)
        return tables.Observations.validate(
            observations([])
            .reindex(counted.index)
            .assign(
                **counted,
                site=site,
                url=csv.name,
                title=counted["product_id"].map(lambda name: PurePosixPath(name).stem),
                image_url=counted["product_id"].map(image_address),
                label_kind=self.label_kind,
                observed_at=datetime.fromtimestamp(csv.stat().st_mtime, tz=UTC),
                generation=ARCHIVE,
            )
        )

    def _price(self, text: str) -> tuple[float | None, str | None, str | None]:
        """Amount, currency and problem of a written price."""
        try:
            parsed = parse_amount(text, currency=self.currency)
        except AmountError as error:
            return None, self.currency, one_line(error)
        return (None, self.currency, None) if parsed is None else (parsed.value, parsed.currency, None)

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

        stored = stored_images(known, self.lake, site)

        def collect(name: str) -> ImageRecord:
            try:
                with _open_file(folder, name) as file:
                    record, n_bytes = stored.get(name), os.fstat(file.fileno()).st_size
                    if record is not None and n_bytes == record.n_bytes:
                        return record
                    return store_image(file.read(), self.lake, site, name)
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
        n_rows = len(self._rows_of(site)[1])
        return CrawlReport(pages=1, listed=n_rows, yielded=n_rows)

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
        candidates = sorted(file for file in folder.glob("*.csv") if file.is_file())
        preferred = [file for file in candidates if file.name == "listings.csv"] or candidates
        if len(preferred) != 1:
            found = ", ".join(file.name for file in candidates) or "none"
            raise ArchiveError(f"archive folder {folder} needs a listings.csv or exactly one *.csv; found: {found}")
        return preferred[0]

    def _rows_of(self, site: str) -> tuple[Path, pd.DataFrame]:
        """The CSV file and its rows of a site."""
        csv = self._csv()
        rows = self._rows(csv)
        sites = self._sites(rows)
        if not (sites == site).any():
            known = ", ".join(sorted(set(sites) - {""})) or "none"
            logger.warning("%s has no row of site %r; its sites: %s", csv.name, site, known)
        return csv, rows[sites == site]

    def _sites(self, rows: pd.DataFrame) -> pd.Series:
        """Site of each row."""
        return rows[self.site_column] if self.site_column else rows[self.image_column].str.partition("_")[0]

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


def _open_file(folder: Path, name: str) -> BinaryIO:
    """Open a regular file inside a folder; anything else, such as a FIFO or a device, is refused without blocking.

    Args:
        folder: The folder, resolved.
        name: Path relative to the folder; a symbolic link must lead to a file inside the folder.

    Raises:
        OSError: There is no such file inside the folder, it is not a regular file, or it is too long.
    """
    try:
        path = (folder / name).resolve()
    except (ValueError, RuntimeError) as error:  # such as a NUL character, or a loop of symbolic links
        raise OSError(f"is no file name: {one_line(error)}") from error
    if not name or not path.is_relative_to(folder):
        raise OSError("names no file in the images folder")
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    found = os.fstat(descriptor)
    is_file = stat.S_ISREG(found.st_mode)
    if is_file and found.st_size <= MAX_IMAGE_BYTES:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(f"is longer than {MAX_IMAGE_BYTES:,} bytes" if is_file else "is not a regular file")
