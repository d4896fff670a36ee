"""Rows of a table as observations."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from sneaker_assets import tables as schemas
from sneaker_assets.crawl.observations import observations
from sneaker_assets.market.observations import ARCHIVE
from sneaker_assets.sites import SITES
from sneaker_assets.sites.availability import is_available
from sneaker_assets.sites.condition import condition_of
from sneaker_assets.sites.parsing import text
from sneaker_assets.sites.placeholders import image_address
from sneaker_assets.sites.size_systems import stated_size_system
from sneaker_assets.sites.taxonomy import exclusion
from sneaker_assets.sources.archive.amounts import ColumnAmounts, column_amounts, header_currency, sign_currency
from sneaker_assets.sources.archive.dates import AmbiguousOrderError, ColumnDates, column_dates
from sneaker_assets.sources.archive.errors import ArchiveError
from sneaker_assets.sources.archive.guess import Columns, PriceColumn
from sneaker_assets.sources.archive.mapping import MAPPING_FILE, ArchiveMapping, DateOrder
from sneaker_assets.sources.archive.tables import Table
from sneaker_assets.sources.archive.values import image_of, is_address, kind_of, size_of, yes_or_no

FIRST_DATE = datetime(1970, 1, 1, tzinfo=UTC)
"""Earliest date of an observation."""

IDENTITIES = ("product_id", "style_code", "image", "url", "title")
"""Fields that identify a product of a list of prices, in the order in which they are used."""


@dataclass(frozen=True)
class MappedTable:
    """A table with the meaning of its columns.

    Attributes:
        table: The table.
        columns: Its columns by field.
        mapping: What the user states.
        identities: Fields that identify a product, in the order in which they are used.
    """

    table: Table
    columns: Columns
    mapping: ArchiveMapping
    identities: Sequence[str] = IDENTITIES

    def cells(self, name: str) -> pd.Series:
        """Cells of a field, empty if it has no column."""
        column = self.columns.fields.get(name)
        return self.table.rows[column] if column else pd.Series("", index=self.table.rows.index, dtype=object)

    def place(self, name: str) -> str:
        """Table and column of a field, for messages."""
        return f"{self.table.name}, column {self.columns.fields[name]!r}"


@dataclass(frozen=True)
class Reading:
    """Observations of a table, and what was noticed.

    Attributes:
        observations: ``tables.Observations`` of all sites.
        date_order: Order of day and month in its dates, None if they do not need one.
        unnamed: Lines of the rows that name no product.
        siteless: Lines of the rows without a site.
        bad_dates: Reasons why a date of a price is not used, with their numbers of rows.
        bad_release_dates: Reasons why a release date is not used, with their numbers of rows.
        bad_retail_prices: Reasons why a retail price is not used, with their numbers of rows.
    """

    observations: pd.DataFrame
    date_order: DateOrder | None
    unnamed: Sequence[int] = ()
    siteless: Sequence[int] = ()
    bad_dates: Counter[str] = field(default_factory=Counter)
    bad_release_dates: Counter[str] = field(default_factory=Counter)
    bad_retail_prices: Counter[str] = field(default_factory=Counter)


def read_observations(mapped: MappedTable) -> Reading:
    """Observations of all rows; equal ones are one that counts them.

    Args:
        mapped: The table.

    Raises:
        ArchiveError: The currency of the prices or the order of dates is not known.
    """
    sites, identities, index = row_sites(mapped), row_identities(mapped), mapped.table.rows.index
    dates, released = _dates(mapped)
    column = mapped.columns.fields.get("retail_price")
    retail = _amounts(mapped, column, column and header_currency(column))
    shared = _described(mapped).assign(
        site=sites,
        product_id=identities,
        release_date=pd.Series(_day(released), index=index, dtype=object),
        retail_price=pd.Series(retail.amounts, index=index, dtype=object),
    )
    shared["retail_currency"] = [
        currency if value is not None else None
        for value, currency in zip(retail.amounts, retail.currencies, strict=True)
    ]
    shared["title"] = [title or _stem(name) for title, name in zip(shared["title"], identities, strict=True)]
    problems = _date_problems(dates)
    read_at = mapped.table.file.modified
    shared["observed_at"] = [
        read_at if problem or value is None else value for value, problem in zip(dates.dates, problems, strict=True)
    ]
    parts = [_priced(mapped, shared, price, problems) for price in mapped.columns.prices]
    rows = pd.concat(parts, ignore_index=True) if parts else shared.assign(label_kind="unknown")
    kept = (rows["product_id"] != "") & (rows["site"] != "")
    return Reading(
        _counted(rows[kept].reset_index(drop=True)),
        dates.order or released.order,
        [int(line) for line in index[[name == "" for name in identities]]],
        [int(line) for line in index[[site == "" for site in sites]]],
        Counter(problem for problem in problems if problem),
        Counter(problem for problem in released.problems if problem),
        Counter(problem for problem in retail.problems if problem),
    )


def row_sites(mapped: MappedTable) -> list[str]:
    """Site of each row in lower case: of its column, else the constant, the image name's prefix, or the file's name.

    Args:
        mapped: The table.
    """
    n_rows = len(mapped.table.rows)
    fallback = site_name(mapped.mapping.site or "")
    if "site" in mapped.columns.fields and (
        not fallback or mapped.columns.fields["site"] not in mapped.columns.guessed
    ):
        named = {cell: site_name(cell) or fallback for cell in mapped.cells("site").unique()}
        return [named[cell] for cell in mapped.cells("site")]
    if fallback:
        return [fallback] * n_rows
    if site_is_in_image(mapped):
        return [site_name(cell.partition("_")[0]) for cell in mapped.cells("image")]
    return [file_site(mapped.table)] * n_rows


def site_is_in_image(mapped: MappedTable) -> bool:
    """Whether the sites are the image names up to the first underscore.

    They are if the mapping says so, in the published data set, and where all of them are names of known sites.

    Args:
        mapped: The table.
    """
    if mapped.mapping.site_from_image is not None:
        return mapped.mapping.site_from_image
    names = [cell for cell in mapped.cells("image").unique() if cell.strip()]
    return mapped.columns.is_published or (
        bool(names) and all(name.partition("_")[0].lower() in SITES for name in names)
    )


def site_name(cell: str) -> str:
    """Name of a site in lower case with single spaces.

    Args:
        cell: A cell.
    """
    return (text(cell) or "").lower()


def file_site(table: Table) -> str:
    """Site of a table that states none: the words of its file name, joined by hyphens.

    Args:
        table: The table.
    """
    return "-".join(re.findall(r"[^\W_]+", table.file.stem.casefold())) or "archive"


def row_identities(mapped: MappedTable) -> list[str]:
    """Identifier of each row's product: the first of its identities that is there, empty if none is.

    Args:
        mapped: The table.
    """
    result = pd.Series("", index=mapped.table.rows.index, dtype=object)
    for name in mapped.identities:
        cells = mapped.cells(name)
        if name == "image":
            cells = _mapped(cells, lambda cell: "" if is_address(cell) or not cell.strip() else cell)
        elif name in mapped.columns.fields:
            cells = _mapped(cells, lambda cell: text(cell) or "")
        result = result.where(result != "", cells)
    addresses = _mapped(mapped.cells("image"), image_of)
    return [str(name) for name in result.where(result != "", addresses)]


def identity_fields(mapped: MappedTable) -> list[str]:
    """Identities that the table has.

    Args:
        mapped: The table.
    """
    return [name for name in mapped.identities if name in mapped.columns.fields]


def release_dates(mapped: MappedTable) -> ColumnDates:
    """Release dates of the rows.

    Args:
        mapped: The table.

    Raises:
        ArchiveError: The order of day and month is not known.
    """
    return _dates(mapped)[1]


def _dates(mapped: MappedTable) -> tuple[ColumnDates, ColumnDates]:
    """Dates of the prices and release dates; a column that leaves the order open has that of the other."""
    stated = mapped.mapping.date_order
    found: dict[str, ColumnDates] = {}
    errors: dict[str, ArchiveError] = {}
    for name in ("date", "release_date"):
        cells = {int(line): cell for line, cell in mapped.cells(name).items()}  # type: ignore[call-overload]
        if name not in mapped.columns.fields:
            found[name] = ColumnDates([None] * len(cells), [None] * len(cells), None)
            continue
        try:
            found[name] = column_dates(cells, mapped.place(name), stated)
        except ArchiveError as error:
            errors[name] = error
    for name, unclear in errors.items():
        orders = {dates.order for dates in found.values()} - {None}
        if len(orders) != 1 or not isinstance(unclear, AmbiguousOrderError):
            raise unclear
        cells = {int(line): cell for line, cell in mapped.cells(name).items()}  # type: ignore[call-overload]
        found[name] = column_dates(cells, mapped.place(name), orders.pop())
    return found["date"], found["release_date"]


def _date_problems(dates: ColumnDates) -> list[str | None]:
    """Why the date of a row is not used, None if it is."""
    latest = datetime.now(UTC) + timedelta(days=1)

    def problem(value: datetime | None, reason: str | None) -> str | None:
        if value is None or FIRST_DATE <= value <= latest:
            return reason
        return (
            f"the date {value:%Y-%m-%d} is in the future"
            if value > latest
            else f"the date {value:%Y-%m-%d} is before 1970"
        )

    return [problem(value, reason) for value, reason in zip(dates.dates, dates.problems, strict=True)]


def _day(dates: ColumnDates) -> list[datetime | None]:
    """Midnight UTC of release dates."""
    return [value and value.replace(hour=0, minute=0, second=0) for value in dates.dates]


def _described(mapped: MappedTable) -> pd.DataFrame:
    """Columns that describe the product and the offer."""
    frame = pd.DataFrame(index=mapped.table.rows.index)
    for name in ("title", "brand", "style_code", "colourway"):
        frame[name] = _mapped(mapped.cells(name), text)
    frame["url"] = _mapped(mapped.cells("url"), lambda cell: text(cell) or mapped.table.file.path.name)
    frame["image_url"] = _mapped(mapped.cells("image"), lambda cell: image_address(image_of(cell)))
    sizes = _mapped(mapped.cells("size"), size_of)
    systems = _mapped(mapped.cells("size_system"), stated_size_system)
    constant = mapped.mapping.size_system or stated_size_system(mapped.columns.fields.get("size", ""))
    frame["size"] = [size for size, _ in sizes]
    frame["size_system"] = [
        (own or stated or constant) if size else None for (size, own), stated in zip(sizes, systems, strict=True)
    ]
    frame["condition"] = _mapped(mapped.cells("condition"), condition_of)
    if mapped.mapping.condition:
        frame["condition"] = [found or mapped.mapping.condition for found in frame["condition"]]
    frame["available"] = _mapped(mapped.cells("available"), _availability)
    frame["exclusion"] = _mapped(mapped.cells("category"), lambda cell: exclusion([text(cell)]))
    return frame


def _availability(cell: str) -> bool | None:
    found = yes_or_no(cell)
    return is_available(cell) if found is None else found


def _mapped(cells: pd.Series, function: Any) -> pd.Series:
    """Function of each cell, computed once per distinct cell."""
    known = {cell: function(cell) for cell in cells.unique()}
    return pd.Series([known[cell] for cell in cells], index=cells.index, dtype=object)


def _amounts(mapped: MappedTable, column: str | None, header: str | None) -> ColumnAmounts:
    """Amounts of a column; without a sign in the cell in the currency of its row, of its header, or of the mapping."""
    n_rows = len(mapped.table.rows)
    if column is None:
        return ColumnAmounts([None] * n_rows, [None] * n_rows, [None] * n_rows, None)
    codes = list(_mapped(mapped.cells("currency"), sign_currency)) if "currency" in mapped.columns.fields else None
    return column_amounts(
        list(mapped.table.rows[column]),
        header or mapped.mapping.currency or ("USD" if mapped.columns.is_published else None),
        codes,
        "." if column in mapped.table.typed else mapped.mapping.decimal_separator,
    )


def _priced(
    mapped: MappedTable, shared: pd.DataFrame, price: PriceColumn, date_problems: Sequence[str | None]
) -> pd.DataFrame:
    """The rows with the prices of one column.

    Raises:
        ArchiveError: No price states its currency.
    """
    amounts = _amounts(mapped, price.name, price.currency)
    cells = mapped.table.rows[price.name]
    written = [cell for cell, value in zip(cells, amounts.amounts, strict=True) if value is not None]
    if written and not any(amounts.currencies):
        raise ArchiveError(
            f"{mapped.table.name}, column {price.name!r}: the prices, such as {written[0].strip()!r}, state no "
            "currency: set SNEAKER_ARCHIVE_CURRENCY=USD or another, or state currency or columns.currency in "
            f"{MAPPING_FILE}"
        )
    dated = [problem is None for problem in date_problems]
    found = pd.DataFrame(
        {
            "amount": [value if kept else None for value, kept in zip(amounts.amounts, dated, strict=True)],
            "currency": amounts.currencies,
            "problem": [ours or date for ours, date in zip(amounts.problems, date_problems, strict=True)],
            "raw_text": cells,
            "label_kind": [kind or price.kind for kind in _mapped(mapped.cells("kind"), kind_of)],
        },
        index=cells.index,
        dtype=object,
    )
    return shared.join(found)


def _counted(rows: pd.DataFrame) -> pd.DataFrame:
    """Distinct rows with the number of times that each occurs, as ``tables.Observations``."""
    if rows.empty:
        return observations([])
    varying = [name for name in rows.columns if len(rows[name].unique()) > 1]
    if varying:
        groups = rows.groupby(varying, dropna=False, sort=False).ngroup()
        counts = groups.groupby(groups, sort=False).transform("size")
        rows = rows.assign(n_prices=counts)[~groups.duplicated()].reset_index(drop=True)
    else:
        rows = rows.assign(n_prices=len(rows)).head(1)
    rows["n_prices"] = rows["n_prices"].astype("Int64").where(rows["n_prices"] > 1)
    return schemas.Observations.validate(
        observations([]).reindex(rows.index).assign(**{name: rows[name] for name in rows.columns}, generation=ARCHIVE)
    )


def _stem(name: str) -> str:
    return PurePosixPath(name).stem or name
