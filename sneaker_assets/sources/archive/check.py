"""Description of what an archive would give, table by table, before anything is written."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from sneaker_assets.sources.archive.amounts import assumed_signs
from sneaker_assets.sources.archive.archive import Archive
from sneaker_assets.sources.archive.errors import ArchiveError, NoListingsError
from sneaker_assets.sources.archive.files import TableFile
from sneaker_assets.sources.archive.rows import MappedTable, Reading, read_observations, row_sites, site_is_in_image
from sneaker_assets.sources.archive.values import is_address


@dataclass(frozen=True, slots=True)
class ImageCount:
    """Images that the rows of a table name.

    Attributes:
        found: Files that are in the archive.
        missing: Names of files that are not.
        addresses: Addresses, which are downloaded.
    """

    found: int = 0
    missing: Sequence[str] = ()
    addresses: int = 0


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A column and what it holds.

    Attributes:
        column: Header.
        field: Field; empty if the column is not used.
        note: For a price its kind.
        guessed: Whether the field was guessed.
        example: First cell that is not empty.
    """

    column: str
    field: str
    note: str
    guessed: bool
    example: str


@dataclass(frozen=True)
class TableCheck:
    """What a table would give.

    Attributes:
        file: The file.
        mapped: The table with its columns, None if it cannot be read.
        reading: Its observations, None if there are none.
        images: Its images.
        uses: Its columns.
        error: Why it cannot be read, in one line; None if it can.
        skipped: Whether it is left out and the other tables are read.
    """

    file: TableFile
    mapped: MappedTable | None = None
    reading: Reading | None = None
    images: ImageCount = ImageCount()
    uses: Sequence[ColumnUse] = ()
    error: str | None = None
    skipped: bool = False

    @property
    def observations(self) -> pd.DataFrame:
        """Observations of shoes; empty if the table cannot be read."""
        if self.reading is None:
            return pd.DataFrame(columns=["site", "product_id", "amount", "currency", "image_url", "observed_at"])
        return self.reading.observations[self.reading.observations["exclusion"].isna()]

    @property
    def dates(self) -> tuple[datetime, datetime] | None:
        """First and last date of the prices; None without a column of dates."""
        if self.mapped is None or self.reading is None or "date" not in self.mapped.columns.fields:
            return None
        used = self.observations[self.observations["problem"].isna()]["observed_at"]
        return (used.min().to_pydatetime(), used.max().to_pydatetime()) if len(used) else None

    def counts(self, name: str) -> Counter[str]:
        """Number of rows by value of a column of the observations, ``unknown`` where it is missing.

        Args:
            name: Name of the column.
        """
        seen = self.observations[self.observations["amount"].notna()]
        counts: Counter[str] = Counter()
        for value, times in zip(seen[name], seen["n_prices"].fillna(1), strict=True):
            counts["unknown" if pd.isna(value) else str(value)] += int(times)
        return counts

    @property
    def assumed_signs(self) -> list[str]:
        """Signs that stand for several currencies, where the table states none."""
        if self.mapped is None or "currency" in self.mapped.columns.fields or self.mapped.mapping.currency:
            return []
        names = [price.name for price in self.mapped.columns.prices if price.currency is None]
        return assumed_signs(cell for name in names for cell in self.mapped.table.rows[name].unique())

    @property
    def problems(self) -> Counter[str]:
        """Number of rows by the reason why their price is not used."""
        seen = self.observations
        counts: Counter[str] = Counter()
        for problem, times in zip(seen["problem"], seen["n_prices"].fillna(1), strict=True):
            if isinstance(problem, str):
                counts[problem] += int(times)
        return counts


@dataclass(frozen=True)
class ArchiveCheck:
    """What an archive would give.

    Attributes:
        tables: Its tables.
    """

    tables: Sequence[TableCheck] = field(default_factory=tuple)

    @property
    def error(self) -> str | None:
        """Why the archive cannot be read, in one line; None if it can."""
        fatal = [table.error for table in self.tables if table.error and not table.skipped]
        if not fatal and not any(table.reading for table in self.tables):
            fatal = [table.error for table in self.tables if table.error]
        return "; ".join(fatal) or None

    @property
    def verdict(self) -> str:
        """What the pipeline makes of the archive."""
        parts = [table.observations for table in self.tables if table.reading]
        seen = pd.concat(parts, ignore_index=True)
        priced = seen[seen["amount"].notna() & seen["currency"].notna()]
        n_priced = _n_products(priced)
        n_pictured = _n_products(priced[priced["image_url"].isin(self._usable())])
        n_coming = _n_products(seen[seen["release_date"] > pd.Timestamp.now(tz="UTC")])
        coming = f"; {n_coming:,} announced for release" if n_coming else ""
        if not n_priced:
            return "no price in a known currency: nothing to learn from" + coming
        if not n_pictured:
            return (
                f"prices of {_products(n_priced)} without pictures: price history, statistics and back-tests, but no "
                f"data set to train on{coming}"
            )
        rest = n_priced - n_pictured
        without = f"; prices of {rest:,} more without pictures, for the price history only" if rest else ""
        return f"prices and pictures of {_products(n_pictured)}: a data set{without}{coming}"

    def _usable(self) -> set[str]:
        """Images that are in the archive, or are given by address."""
        missing = {name for table in self.tables for name in table.images.missing}
        names = {name for table in self.tables for name in table.observations["image_url"]}
        return names - missing - {""}


def check_archive(archive: Archive) -> ArchiveCheck:
    """Read an archive without writing anything.

    Args:
        archive: The archive.
    """
    return ArchiveCheck([_check_table(archive, file) for file in archive.files])


def mapping_toml(check: ArchiveCheck) -> str:
    """The mapping that was used, as the content of ``sneaker-archive.toml``.

    Args:
        check: The archive.
    """
    read = [table for table in check.tables if table.mapped is not None and table.reading is not None]
    if len(read) == 1:
        return "\n".join(_toml_lines(read[0], "columns")) + "\n"
    sections = []
    for table in read:
        name = f"tables.{json.dumps(table.file.name, ensure_ascii=False)}"
        sections.append("\n".join([f"[{name}]", *_toml_lines(table, f"{name}.columns")]))
    return "\n\n".join(sections) + "\n"


def _check_table(archive: Archive, file: TableFile) -> TableCheck:
    mapped = None
    uses: Sequence[ColumnUse] = ()
    try:
        mapped = archive.read(file)
        uses = _column_uses(mapped)
        reading = read_observations(mapped)
    except ArchiveError as error:
        return TableCheck(file, mapped, uses=uses, error=str(error), skipped=isinstance(error, NoListingsError))
    return TableCheck(file, mapped, reading, _count_images(archive, reading), uses)


def _column_uses(mapped: MappedTable) -> list[ColumnUse]:
    columns = mapped.columns
    fields = {column: (name, "") for name, column in columns.fields.items()}
    fields |= {price.name: ("price", price.kind) for price in columns.prices}
    return [
        ColumnUse(
            column,
            *fields.get(column, ("", "")),
            column in columns.guessed or columns.is_published,
            next((cell.strip() for cell in mapped.table.rows[column] if cell.strip()), ""),
        )
        for column in mapped.table.rows.columns
    ]


def _count_images(archive: Archive, reading: Reading) -> ImageCount:
    names = [name for name in reading.observations["image_url"].unique() if name]
    local = [name for name in names if not is_address(name)]
    missing = [name for name in local if not archive.image_files.exists(name)]
    return ImageCount(len(local) - len(missing), missing, len(names) - len(local))


def _n_products(seen: pd.DataFrame) -> int:
    return len(seen[["site", "product_id"]].drop_duplicates())


def _products(n_products: int) -> str:
    return "1 product" if n_products == 1 else f"{n_products:,} products"


def _toml_lines(table: TableCheck, columns_name: str) -> list[str]:
    """Lines that state the mapping of one table."""
    if table.mapped is None or table.reading is None:
        return []
    mapped, prices = table.mapped, table.mapped.columns.prices
    stated: dict[str, Any] = mapped.mapping.model_dump(exclude_unset=True, exclude={"columns", "files"})
    if mapped.columns.is_published:
        stated.setdefault("currency", "USD")
    if table.reading.date_order:
        stated.setdefault("date_order", table.reading.date_order)
    if len(prices) == 1:
        stated.setdefault("kind", prices[0].kind)
    if "site" not in mapped.columns.fields:
        if site_is_in_image(mapped) and "site" not in stated:
            stated["site_from_image"] = True
        else:
            stated["site"] = row_sites(mapped)[0]
    columns: dict[str, Any] = {"price": prices[0].name} if len(prices) == 1 else {}
    if len(prices) > 1:
        columns["price"] = {price.kind: price.name for price in prices}
    columns |= mapped.columns.fields
    return [*_assignments(stated), "", f"[{columns_name}]", *_assignments(columns)]


def _assignments(values: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {_toml_value(value)}" for name, value in values.items()]


def _toml_value(value: Any) -> str:
    """A value in TOML, whose strings are written as in JSON."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_assignments(value)) + " }"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
