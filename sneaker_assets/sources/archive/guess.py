"""Columns of a table by field: those that the mapping states, and a guess from headers and values for the others."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from sneaker_assets.sites.availability import is_available
from sneaker_assets.sites.condition import condition_of
from sneaker_assets.sites.money import AmountError, Separator, parse_amount
from sneaker_assets.sites.sizes import is_size
from sneaker_assets.sites.taxonomy import classify
from sneaker_assets.sources.archive.amounts import header_currency, sign_currency
from sneaker_assets.sources.archive.dates import DateError, parse_date
from sneaker_assets.sources.archive.errors import ArchiveError, NoListingsError
from sneaker_assets.sources.archive.headers import (
    HEADERS,
    PRICE_HEADERS,
    SALE_DATES,
    SALE_PRICES,
    header_names,
    header_words,
)
from sneaker_assets.sources.archive.mapping import MAPPING_FILE, ArchiveMapping, DateOrder
from sneaker_assets.sources.archive.tables import Table, texts
from sneaker_assets.sources.archive.values import is_address, is_image_name, kind_of, yes_or_no
from sneaker_assets.tables import LabelKind

PUBLISHED = ("sale_price", "image_name")
"""Columns of the published data set, whose prices are US dollars and whose sites are in the names."""

_SAMPLE = 1000
"""Number of distinct values by which a column is judged."""

Exists = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class PriceColumn:
    """A column of prices.

    Attributes:
        name: Header of the column.
        kind: Kind of its prices.
        currency: Currency that its header states, None if it states none.
    """

    name: str
    kind: LabelKind
    currency: str | None


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a table by field.

    Attributes:
        prices: Columns of prices.
        fields: Column of each other field that has one.
        guessed: Columns that were guessed.
        refused: Columns that have the header of a field but not its values, each with the reason, by field.
        is_published: Whether the table has the columns of the published data set.
    """

    prices: Sequence[PriceColumn]
    fields: Mapping[str, str]
    guessed: Collection[str]
    refused: Mapping[str, Sequence[str]]
    is_published: bool = False

    def summary(self) -> str:
        """All fields and their columns on one line."""
        prices = [f"{price.name!r} -> price ({price.kind})" for price in self.prices]
        return ", ".join(prices + [f"{column!r} -> {name}" for name, column in self.fields.items()])


def find_columns(table: Table, mapping: ArchiveMapping, exists: Exists, *, needs_price: bool = True) -> Columns:
    """Columns of a table by field.

    Args:
        table: The table.
        mapping: Columns that the user states.
        exists: Whether a name is that of a file in the archive.
        needs_price: Whether a table without prices is an error.

    Raises:
        ArchiveError: A stated column is not there, has no values of its field, or two columns are equally good.
        NoListingsError: No column of prices is found.
    """
    finder = _Finder(table, mapping, exists)
    return finder.find(needs_price)


@dataclass
class _Finder:
    table: Table
    mapping: ArchiveMapping
    exists: Exists
    fields: dict[str, str] = field(default_factory=dict)
    guessed: list[str] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=dict)
    samples: dict[str, list[str]] = field(default_factory=dict)

    def find(self, needs_price: bool) -> Columns:
        stated = self._stated_prices()
        for name in HEADERS:
            column = getattr(self.mapping.columns, name)
            if column:
                self.fields[name] = self._existing(column, name)
        taken = {price.name for price in stated}
        published = set(PUBLISHED) <= set(self.table.rows.columns) and self._is_silent("price", "image")
        if published:
            self.fields["image"] = PUBLISHED[1]
            stated = [PriceColumn(PUBLISHED[0], self.mapping.kind or "unknown", None)]
            taken = {PUBLISHED[0]}
        for name in HEADERS:
            if name not in self.fields and getattr(self.mapping.columns, name) is None:
                self._guess(name, taken)
        prices = stated or self._guessed_prices()
        if not prices and needs_price:
            raise NoListingsError(self._no_price())
        return Columns(prices, self.fields, self.guessed, self.refused, published)

    def _is_silent(self, *names: str) -> bool:
        """Whether the mapping states no column of any of the fields."""
        return all(getattr(self.mapping.columns, name) is None for name in names)

    def _existing(self, column: str, name: str) -> str:
        if column in self.table.rows.columns:
            return column
        raise ArchiveError(
            f"{self.table.name} has no column {column!r} for {name}; it has: {', '.join(self.table.rows.columns)}"
        )

    def _stated_prices(self) -> list[PriceColumn]:
        price = self.mapping.columns.price
        by_kind = list(price.items()) if isinstance(price, dict) else [(self.mapping.kind, price)] if price else []
        found = []
        for kind, column in by_kind:
            self._existing(column, "price")
            if not any(map(_is_amount, self._sample(column))):
                raise ArchiveError(
                    f"{self.table.name}: column {column!r} of prices has no amount, {self._examples(column)}"
                )
            found.append(PriceColumn(column, kind or _header_kind(column), header_currency(column)))
        return found

    def _guess(self, name: str, taken: Collection[str]) -> None:
        for group in HEADERS[name]:
            wanted = set(group.split())
            valid = []
            for column in self._free(taken):
                if wanted.isdisjoint(header_names(column)):
                    continue
                if reason := self._refusal(name, column):
                    self.refused.setdefault(name, []).append(f"{column!r} ({reason})")
                else:
                    valid.append(column)
            if len(valid) > 1:
                raise ArchiveError(self._equal(name, valid))
            if valid:
                self.fields[name] = valid[0]
                self.guessed.append(valid[0])
                return

    def _free(self, taken: Collection[str]) -> Iterator[str]:
        used = {*self.fields.values(), *taken}
        return (column for column in self.table.rows.columns if column not in used)

    def _guessed_prices(self) -> list[PriceColumn]:
        if self.mapping.columns.price == "":
            return []
        found: dict[LabelKind, list[str]] = {}
        for column in self._free(()):
            names = header_names(column)
            kind = next((kind for kind, known in PRICE_HEADERS.items() if names & set(known.split())), None)
            if kind is None:
                continue
            if reason := self._refusal("price", column):
                self.refused.setdefault("price", []).append(f"{column!r} ({reason})")
            else:
                found.setdefault(kind, []).append(column)
        for columns in found.values():
            if len(columns) > 1:
                raise ArchiveError(self._equal("price", columns))
        prices = {kind: columns[0] for kind, columns in found.items()}
        self.guessed += prices.values()
        return [
            PriceColumn(column, self.mapping.kind or self._kind(kind, column, found), header_currency(column))
            for kind, column in prices.items()
        ]

    def _kind(self, kind: LabelKind, column: str, found: Collection[LabelKind]) -> LabelKind:
        """Kind of a price: that of its header, or by the other columns if the header states none."""
        if kind != "unknown" or header_names(column).isdisjoint(SALE_PRICES):
            return kind
        dated = header_names(self.fields.get("date", "-")) & set(SALE_DATES.split())
        if dated:
            return "last_sale"
        reduced = "saleprice" in header_names(column) and "list" in found
        return "sale" if reduced and "sale" not in found else kind

    def _equal(self, name: str, columns: Sequence[str]) -> str:
        return (
            f"{self.table.name}: columns {' and '.join(map(repr, columns))} may both be the {name}: state "
            f'columns.{name} = "{columns[0]}" or another in {MAPPING_FILE}'
        )

    def _no_price(self) -> str:
        have = ", ".join(self.table.rows.columns)
        tried = "; ".join(self.refused.get("price", ())) or "none has a header of prices"
        amounts = [
            column
            for column in self._free(())
            if self._refusal("price", column) is None and "cents" not in header_words(column)
        ]
        held = f"; amounts are in {', '.join(map(repr, amounts))}" if amounts else "; no other column holds amounts"
        return (
            f"{self.table.name} has no price column; it has: {have}. Tried: {tried}{held}. "
            f'State it in {MAPPING_FILE}: columns.price = "{amounts[0] if amounts else "<column>"}"'
        )

    def _refusal(self, name: str, column: str) -> str | None:
        """Why the values of a column are not those of a field; None if they are."""
        if name == "product_id":
            return self._numbers_rows(column)
        check = _checks(self.exists).get(name)
        if check is None:
            return None
        values = self._sample(column)
        if not values:
            return "it is empty"
        holds, minimum, what = check
        n_valid = sum(map(holds, values))
        if n_valid >= minimum * len(values):
            return None
        example = next(value for value in values if not holds(value))
        return f"{n_valid} of {len(values)} values are {what}, {example.strip()[:40]!r} is not"

    def _sample(self, column: str) -> list[str]:
        if column not in self.samples:
            cells = self.table.rows[column]
            self.samples[column] = texts(islice((cell for cell in cells if cell.strip()), 20 * _SAMPLE))[:_SAMPLE]
        return self.samples[column]

    def _examples(self, column: str) -> str:
        values = self._sample(column)
        return "such as " + ", ".join(repr(value.strip()[:40]) for value in values[:3]) if values else "it is empty"

    def _numbers_rows(self, column: str) -> str | None:
        """Refusal of an identifier that numbers the rows of products which other columns repeat."""
        cells = self.table.rows[column]
        names = [name for name in ("style_code", "title") for name in self._titles(name)]
        if not cells.is_unique or len(cells) < 3:
            return None
        if any(cells.tolist() == [str(i) for i in range(first, first + len(cells))] for first in (0, 1)):
            return "it numbers the rows"
        repeated = any(self.table.rows[name].nunique() < 0.9 * len(cells) for name in names)
        return "it differs in every row, while products repeat" if repeated else None

    def _titles(self, name: str) -> list[str]:
        """Columns with the best headers of a field."""
        wanted = {word for group in HEADERS[name] for word in group.split()}
        return [column for column in self.table.rows.columns if wanted & header_names(column)]


def _header_kind(column: str) -> LabelKind:
    names = header_names(column)
    return next((kind for kind, known in PRICE_HEADERS.items() if names & set(known.split())), "unknown")


def _checks(exists: Exists) -> dict[str, tuple[Callable[[str], bool], float, str]]:
    """How the values of a field are recognised, the share that must be, and what they are called."""
    return {
        "price": (_is_amount, 0.5, "amounts"),
        "retail_price": (_is_amount, 0.5, "amounts"),
        "date": (_is_date, 0.5, "dates"),
        "release_date": (_is_date, 0.5, "dates"),
        "image": (
            lambda cell: is_address(cell) or is_image_name(cell) or exists(cell),
            0.5,
            "addresses or names of image files",
        ),
        "url": (is_address, 0.5, "addresses"),
        "currency": (lambda cell: sign_currency(cell) is not None, 0.8, "currencies"),
        "kind": (lambda cell: kind_of(cell) is not None, 0.8, "kinds of price"),
        "site": (lambda cell: len(cell) <= 60 and "/" not in cell, 0.9, "names of sites"),
        "size": (lambda cell: is_size(cell) or cell.strip()[:2].isdigit(), 0.5, "sizes"),
        "condition": (lambda cell: condition_of(cell) is not None, 0.5, "conditions"),
        "category": (lambda cell: classify(cell) is not None, 0.5, "product types"),
        "available": (
            lambda cell: is_available(cell) is not None or yes_or_no(cell) is not None,
            0.8,
            "availabilities",
        ),
        "title": (lambda cell: not is_address(cell), 0.5, "names"),
        "brand": (lambda cell: re.search(r"[^\W\d]", cell) is not None, 0.5, "names"),
    }


def _is_amount(cell: str) -> bool:
    """Whether a cell is an amount, or has one that only its column's decimal separator makes unambiguous."""
    separators: tuple[Separator, ...] = (".", ",")
    for separator in separators:
        try:
            if parse_amount(cell, decimal_separator=separator) is not None:
                return True
        except AmountError:
            continue
    return False


def _is_date(cell: str) -> bool:
    orders: tuple[DateOrder, ...] = ("dmy", "mdy")
    for order in orders:
        try:
            if parse_date(cell, order) is not None:
                return True
        except DateError:
            continue
    return False
