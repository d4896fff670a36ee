"""Dates of a column, whose order of day and month its values decide."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from sneaker_assets.sources.archive.errors import ArchiveError
from sneaker_assets.sources.archive.mapping import DateOrder

_NUMERIC = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})")
_COMPACT = re.compile(r"(19|20)(\d\d)(\d\d)(\d\d)")
_EPOCH = re.compile(r"\d{9,10}(\.\d+)?|\d{12,13}")
_TIME = re.compile(
    r"[T ,]\s*(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*([ap]\.?m\.?)?\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?$", re.IGNORECASE
)
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_MONTHS = {
    name: month
    for month, names in enumerate(
        (
            "jan january januar janvier enero gennaio janeiro januari",
            "feb february februar fevrier fevr fev febrero febbraio fevereiro februari",
            "mar march marz maerz mrz mars marzo marco maart",
            "apr april avr avril abr abril aprile",
            "may mai mayo maggio maio mei mag",
            "jun june juni juin junio giugno junho giu",
            "jul july juli juil juillet julio luglio julho lug",
            "aug august aout agosto ago augustus",
            "sep sept september septembre septiembre settembre setembro set",
            "oct october oktober okt octobre octubre ottobre outubro ott out",
            "nov november novembre noviembre novembro",
            "dec december dezember dez decembre diciembre dic dicembre dezembro",
        ),
        start=1,
    )
    for name in names.split()
}
_DAYS = (
    "mon monday tue tues tuesday wed wednesday thu thur thurs thursday fri friday sat saturday sun sunday th st nd rd "
    "of de del le the montag dienstag mittwoch donnerstag freitag samstag sonntag mo di mi do fr sa so"
)
_IGNORED = frozenset(_DAYS.split())


class DateError(ArchiveError):
    """A text is no date."""


class AmbiguousOrderError(ArchiveError):
    """All dates of a column may have the day or the month first."""


@dataclass(frozen=True, slots=True)
class ColumnDates:
    """Dates of a column, one of each per cell.

    Attributes:
        dates: Dates (UTC); None if missing or not readable.
        problems: Why a cell is no date, in one line; None if it is one or is empty.
        order: Order of day and month that was used; None if no cell needs one.
    """

    dates: Sequence[datetime | None]
    problems: Sequence[str | None]
    order: DateOrder | None


def column_dates(cells: Mapping[int, str], place: str, order: DateOrder | None = None) -> ColumnDates:
    """Parse a column of dates.

    Args:
        cells: Dates as written, by line.
        place: Name of table and column, for messages.
        order: Order of day and month; by default the one that the values decide.

    Raises:
        AmbiguousOrderError: All dates may have the day or the month first.
        ArchiveError: Two rows contradict each other.
    """
    used = order or date_order(cells, place)
    parsed: dict[str, tuple[datetime | None, str | None]] = {}
    for cell in dict.fromkeys(cells.values()):
        try:
            parsed[cell] = parse_date(cell, used), None
        except DateError as error:
            parsed[cell] = None, str(error)
    found = [parsed[cell] for cell in cells.values()]
    return ColumnDates([f[0] for f in found], [f[1] for f in found], used)


def date_order(cells: Mapping[int, str], place: str) -> DateOrder | None:
    """Order of day and month that the values of a column decide; None if none is written with numbers only.

    Args:
        cells: Dates as written, by line.
        place: Name of table and column, for messages.

    Raises:
        AmbiguousOrderError: All dates may have the day or the month first.
        ArchiveError: Two rows contradict each other.
    """
    shown: dict[DateOrder, tuple[int, str]] = {}
    open_row: tuple[int, str] | None = None
    for line, cell in cells.items():
        match = _NUMERIC.match(cell.strip())
        if match is None or len(match[1]) > 2:
            continue
        first, second = int(match[1]), int(match[3])
        if first > 12 >= second:
            shown.setdefault("dmy", (line, cell))
        elif second > 12 >= first:
            shown.setdefault("mdy", (line, cell))
        elif first != second:
            open_row = open_row or (line, cell)
    if len(shown) == 2:
        (day_line, day), (month_line, month) = shown["dmy"], shown["mdy"]
        raise ArchiveError(
            f"{place}: {day.strip()!r} (line {day_line}) has the day first, {month.strip()!r} (line {month_line}) the "
            'month: correct one of them, or state date_order = "dmy" or "mdy" to have the others reported row by row'
        )
    if not shown and open_row:
        raise AmbiguousOrderError(
            f"{place}: {open_row[1].strip()!r} (line {open_row[0]}) and all other dates may have day or month first: "
            'state date_order = "dmy" or "mdy"'
        )
    return next(iter(shown), None)


def parse_date(text: str, order: DateOrder | None = None) -> datetime | None:
    """Date (UTC) from ISO 8601, numbers, a written month, or seconds or milliseconds since 1970; None if empty.

    Args:
        text: The date as written.
        order: Order of day and month in dates of numbers.

    Raises:
        DateError: The text is no date.
    """
    plain = " ".join(text.split())
    if plain.lower() in ("", "-", "--", "n/a", "na", "nan", "nat", "none", "null", "tba", "tbd"):
        return None
    try:
        found = _parse(plain, order)
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None:
        raise DateError(f"{plain[:64]!r} is no date" + (f" of the order {order}" if order else ""))
    return found


def _parse(text: str, order: DateOrder | None) -> datetime | None:
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(float(text) / (1000 if len(text) in (12, 13) and "." not in text else 1), tz=UTC)
    if match := _COMPACT.fullmatch(text):
        return datetime(int(match[1] + match[2]), int(match[3]), int(match[4]), tzinfo=UTC)
    time = _TIME.search(text)
    day = _parse_day(text[: time.start()] if time else text, order)
    return _at(day, time) if day and time else day


def _parse_day(text: str, order: DateOrder | None) -> datetime | None:
    if match := _NUMERIC.fullmatch(text.strip()):
        first, second, third = match[1], match[3], match[4]
        if len(first) == 4:
            return _day(first, second, third)
        if order == "ymd":
            return _day(first, second, third)
        if order == "dmy" or (order is None and first == second):
            return _day(third, second, first)
        return _day(third, first, second) if order == "mdy" else None
    words = [word for word in _WORDS.findall(_without_accents(text.lower())) if word not in _IGNORED]
    months = [_MONTHS[word] for word in words if word in _MONTHS]
    numbers = [word for word in words if word.isdigit()]
    if len(months) != 1 or len(numbers) != 2 or len(words) != 3:
        return None
    day, year = (numbers[1], numbers[0]) if len(numbers[0]) == 4 else numbers
    return _day(year, str(months[0]), day)


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _day(year: str, month: str, day: str) -> datetime | None:
    if len(year) not in (2, 4) or len(day) > 2:
        return None
    century = 0 if len(year) == 4 else 2000 if int(year) < 70 else 1900
    return datetime(century + int(year), int(month), int(day), tzinfo=UTC)


def _at(day: datetime, time: re.Match[str]) -> datetime:
    hour, minute, second = int(time[1]), int(time[2]), int(time[3] or 0)
    if time[4]:
        hour = hour % 12 + (12 if time[4].lower().startswith("p") else 0)
    zone = time[5] or "Z"
    offset = timedelta(0)
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if zone[0] == "-" else 1)
    return day.replace(hour=hour, minute=minute, second=second, tzinfo=timezone(offset)).astimezone(UTC)
