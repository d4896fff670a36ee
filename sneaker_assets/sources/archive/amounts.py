"""Amounts of a column of prices, with one decimal separator and the currency of each cell."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sneaker_assets.errors import one_line
from sneaker_assets.sites.money import Amount, AmountError, Separator, parse_amount

DEFAULT_SIGNS = {"$": "USD", "£": "GBP"}
"""Currency of a sign that several currencies share, where a table states nothing else."""

_NUMBER = re.compile(r"[\d.,' \u00a0\u202f\u2019]*\d[\d.,]*")
_DECIMALS = re.compile(r"\d([.,])(\d+)$")
_SIGN_WORDS = {"EURO": "EUR", "EUROS": "EUR", "DOLLAR": "$", "DOLLARS": "$", "POUND": "GBP", "POUNDS": "GBP"}

_HEADER_CODES = """
USD EUR GBP JPY CNY KRW CAD AUD NZD CHF SEK NOK DKK PLN CZK HUF INR BRL MXN SGD HKD TWD RUB UAH TRY AED ZAR THB MYR IDR
PHP VND RMB
"""
_HEADER_WORDS = frozenset({*_HEADER_CODES.split(), *_SIGN_WORDS})
"""Words by which a header states its currency; other codes are ordinary words, such as ``ALL`` and ``TOP``."""


@dataclass(frozen=True, slots=True)
class ColumnAmounts:
    """Amounts of a column, one of each per cell.

    Attributes:
        amounts: Amounts; None if missing or unreadable.
        currencies: ISO 4217 codes; None if unknown.
        problems: Why a written amount is not readable, in one line; None if it is.
        separator: Decimal separator of the column, None if its values do not show it.
    """

    amounts: Sequence[float | None]
    currencies: Sequence[str | None]
    problems: Sequence[str | None]
    separator: Separator | None


def column_amounts(
    cells: Sequence[str],
    constant: str | None = None,
    stated: Sequence[str | None] | None = None,
    separator: Separator | None = None,
) -> ColumnAmounts:
    """Parse a column of amounts.

    A sign or code in the cell decides on its currency, then ``stated``, then ``constant``.

    Args:
        cells: Amounts as written.
        constant: Currency of cells without one.
        stated: Currency that another column states for each cell; a sign of another one leaves it unknown.
        separator: Decimal separator; by default the one that the cells show.
    """
    separator = separator or decimal_separator(cells)
    by_row = stated if stated is not None else [None] * len(cells)
    parsed: dict[tuple[str, str | None], tuple[float | None, str | None, str | None]] = {}
    for key in dict.fromkeys(zip(cells, by_row, strict=True)):
        parsed[key] = _parse(*key, constant, separator)
    found = [parsed[key] for key in zip(cells, by_row, strict=True)]
    return ColumnAmounts([f[0] for f in found], [f[1] for f in found], [f[2] for f in found], separator)


def decimal_separator(cells: Iterable[str]) -> Separator | None:
    """Decimal separator that most of the unambiguous amounts of a column use; None if they show none.

    Args:
        cells: Amounts as written.
    """
    counts: Counter[Separator] = Counter()
    for cell, times in Counter(cells).items():
        if shown := _shown_separator(cell):
            counts[shown] += times
    point, comma = counts["."], counts[","]
    if point == comma:
        return None
    return "." if point > comma else ","


def header_currency(header: str) -> str | None:
    """Currency in a header such as ``Price (EUR)``, ``price_usd`` or ``Preis €``; None if there is none.

    Args:
        header: Header of a column.
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", header)
    words = re.findall(r"[A-Za-z]+|[^\w\s()\[\]/.,:;-]+", spaced)
    return next((code for word in words if (code := word_currency(word))), None)


def word_currency(word: str) -> str | None:
    """Currency of a word of a header; None if it is another word, such as ``US`` in ``US size``.

    Args:
        word: A word or sign.
    """
    upper = word.upper()
    return sign_currency(word) if upper in _HEADER_WORDS or not word.isalnum() else None


def sign_currency(text: str) -> str | None:
    """Currency of a code, sign or word; ``$`` and ``£`` are US dollars and pounds sterling. None if unknown.

    Args:
        text: Such as ``eur``, ``€`` or ``US$``.
    """
    sign = text.strip()
    sign = _SIGN_WORDS.get(sign.upper(), sign)
    if sign in DEFAULT_SIGNS:
        return DEFAULT_SIGNS[sign]
    try:
        parsed = parse_amount(f"{sign} 1") if sign and not sign[0].isdigit() else None
    except AmountError:
        return None
    return parsed.currency if parsed and len(sign) <= 4 else None


def assumed_signs(cells: Iterable[str]) -> list[str]:
    """Signs of a column that several currencies share and that nothing else in their cells decides.

    Args:
        cells: Distinct amounts as written, in a table that states no currency.
    """
    found = set()
    for cell in cells:
        try:
            parsed = parse_amount(cell)
        except AmountError:
            continue
        if parsed is not None and parsed.currency is None:
            found |= {sign for sign in DEFAULT_SIGNS if sign in cell}
    return sorted(found)


def _parse(
    cell: str, stated: str | None, constant: str | None, separator: Separator | None
) -> tuple[float | None, str | None, str | None]:
    """Amount, currency and problem of a cell."""
    currency = stated or constant
    shown = _shown_separator(cell)
    if shown and separator and shown != separator:
        return (
            None,
            currency,
            (f"{cell.strip()!r} has the decimal separator {shown!r}, the rest of its column {separator!r}"),
        )
    try:
        parsed = parse_amount(cell, currency=currency, decimal_separator=separator)
        if parsed is not None and parsed.currency is None and stated is None:
            parsed = _in_own_currency(cell, separator)
    except AmountError as error:
        return None, currency, one_line(error)
    return (None, currency, None) if parsed is None else (parsed.value, parsed.currency, None)


def _in_own_currency(cell: str, separator: Separator | None) -> Amount | None:
    """Amount in the currency of its sign; of a sign that several currencies share in the most common one."""
    parsed = parse_amount(cell, decimal_separator=separator)
    usual = next((currency for sign, currency in DEFAULT_SIGNS.items() if sign in cell), None)
    if parsed is None or parsed.currency is not None or usual is None:
        return parsed
    return parse_amount(cell, currency=usual, decimal_separator=separator)


def _shown_separator(cell: str) -> Separator | None:
    """Decimal separator that an amount shows by itself; None if it has none or may be read in two ways."""
    found = _NUMBER.search(cell)
    if found is None:
        return None
    number = re.sub(r"[.,]+$", "", found[0].strip())
    kinds = {character for character in number if character in ".,"}
    last = _DECIMALS.search(number)
    if last is None:
        return None
    separator: Separator = "." if last[1] == "." else ","
    other: Separator = "," if separator == "." else "."
    if len(kinds) == 2:
        return separator
    if number.count(separator) > 1:
        return other if len(last[2]) == 3 else None
    return separator if len(last[2]) != 3 or number.startswith("0") else None
