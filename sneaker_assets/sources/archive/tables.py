"""Tables of an archive as data frames of text, whatever their format."""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd

from sneaker_assets.errors import one_line
from sneaker_assets.sources.archive.errors import ArchiveError, NoListingsError
from sneaker_assets.sources.archive.files import TableFile, read_bytes
from sneaker_assets.sources.archive.mapping import ArchiveMapping
from sneaker_assets.sources.archive.text import UNDECODABLE, decode, delimiter_of, split_lines, stated_delimiter

MAX_SHOWN = 10
"""Maximum number of broken rows that are named by line."""

_MAX_BROKEN = 0.5
"""Share of broken rows above which a file is not a table."""


@dataclass(frozen=True)
class Table:
    """Rows of a file.

    Attributes:
        file: The file.
        rows: Cells as text, empty where there is no value; the index is the line or row number, from 1.
        format: Format, such as ``CSV``.
        encoding: Encoding of a text file, None for others.
        delimiter: Delimiter of a CSV file, None for others.
        broken: Lines of the rows that were skipped, since they do not have the header's cells or are no JSON.
        typed: Columns of numbers and dates according to the format, whose cells are written in one known way.
    """

    file: TableFile
    rows: pd.DataFrame
    format: str
    encoding: str | None = None
    delimiter: str | None = None
    broken: Sequence[int] = ()
    typed: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Path inside the archive."""
        return self.file.name


def read_table(file: TableFile, mapping: ArchiveMapping) -> Table:
    """Read a table.

    Args:
        file: The file.
        mapping: States encoding and delimiter; otherwise they are detected.

    Raises:
        ArchiveError: The file cannot be read.
        NoListingsError: The file is empty, has no rows, or is JSON of something else.
    """
    data = read_bytes(file)
    if not data.strip():
        raise NoListingsError(f"{file.name} is empty: it needs a header and one row per listing")
    if data.startswith(b"PAR1") or file.format == "Parquet":
        table = _read_parquet(file, data)
    elif file.format in ("JSON", "JSON lines"):
        table = _read_json(file, *decode(data, file.name, mapping.encoding))
    else:
        table = _read_csv(file, data, mapping)
    if table.rows.empty:
        raise NoListingsError(f"{file.name} has a header and no rows: it needs one row per listing")
    return table


def lines_text(lines: Sequence[int]) -> str:
    """Line numbers for a message: the first ones, and how many more there are."""
    more = f" and {len(lines) - MAX_SHOWN:,} more" if len(lines) > MAX_SHOWN else ""
    return ", ".join(f"{line}" for line in lines[:MAX_SHOWN]) + more


def _read_csv(file: TableFile, data: bytes, mapping: ArchiveMapping) -> Table:
    """A table of delimited text.

    Raises:
        ArchiveError: The file is not text, or most of its rows are broken.
    """
    if data.startswith(b"PK\x03\x04"):
        raise ArchiveError(f"{file.name} is a spreadsheet or ZIP file under another name: export it as CSV")
    text, encoding = decode(data, file.name, mapping.encoding)
    stated, text = stated_delimiter(text)
    delimiter = mapping.delimiter or stated or ("\t" if file.format == "TSV" else delimiter_of(text))
    lines = split_lines(text)
    if stated:
        lines.insert(0, "\n")  # keeps the line numbers of the file
    records = _records(lines, delimiter)
    _, header = next(records, (0, []))
    names = _column_names(header)
    rows: list[list[str]] = []
    numbers: list[int] = []
    broken: list[int] = []
    for number, row in records:
        if len(row) != len(names) or any(map(UNDECODABLE.search, row)):
            broken.append(number)
        else:
            rows.append(row)
            numbers.append(number)
    _check_broken(file, len(rows), broken, f"the header's {len(names)} cells: state the `delimiter`")
    frame = pd.DataFrame(rows, columns=names, index=numbers, dtype=object)
    return Table(file, frame, "TSV" if delimiter == "\t" else "CSV", encoding, delimiter, broken)


def _records(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the number of its first line.

    A quotation mark that is not closed swallows the following lines. Such a row ends after its first line, and reading
    resumes with the next one.
    """
    start = 0
    width: int | None = None
    while start < len(lines):
        reader = csv.reader(
            (lines[i] for i in range(start, len(lines))), delimiter=delimiter, skipinitialspace=True, strict=True
        )
        begun = 0
        try:
            for row in reader:
                if width is not None and reader.line_num > begun + 1 and len(row) != width:
                    break
                if row:
                    width = len(row) if width is None else width
                    yield start + begun + 1, row
                begun = reader.line_num
            else:
                return
        except csv.Error:
            pass
        yield start + begun + 1, []
        start += begun + 1


def _column_names(header: Sequence[str]) -> list[str]:
    """Distinct names of the columns: unnamed ones get their number, repeated ones a suffix."""
    names: list[str] = []
    for place, cell in enumerate(header, start=1):
        name = wanted = " ".join(cell.encode("utf-8", "replace").decode().split()) or f"column {place}"
        repeated = 2
        while name in names:
            name, repeated = f"{wanted} ({repeated})", repeated + 1
        names.append(name)
    return names


def _check_broken(file: TableFile, n_rows: int, broken: Sequence[int], need: str) -> None:
    if len(broken) > _MAX_BROKEN * (n_rows + len(broken)):
        raise ArchiveError(
            f"{file.name} is not a readable {file.format} file: {len(broken):,} of {n_rows + len(broken):,} rows do "
            f"not have {need} (lines {lines_text(broken)})"
        )


def _read_json(file: TableFile, text: str, encoding: str) -> Table:
    """A JSON array of objects, an object that contains one, or one object per line.

    Raises:
        ArchiveError: The text is not JSON.
        NoListingsError: The JSON has no list of objects.
    """
    lines = [(number, _parsed(line)) for number, line in enumerate(split_lines(text), start=1) if line.strip()]
    records: list[tuple[int, Any]] = lines
    if file.format == "JSON" or text.lstrip().startswith("["):
        try:
            records = list(enumerate(_objects(json.loads(text)), start=1))
        except RecursionError:
            raise ArchiveError(f"{file.name} is nested too deeply") from None
        except ValueError as error:
            if not any(isinstance(record, dict) for _, record in lines):
                raise ArchiveError(f"{file.name} is not valid JSON: {one_line(error)}") from error
    found = [(number, dict(_flat(record))) for number, record in records if isinstance(record, dict)]
    broken = [number for number, record in records if not isinstance(record, dict)]
    if not found and not broken:
        raise NoListingsError(f"{file.name} has no list of objects: it needs one object per listing")
    _check_broken(file, len(found), broken, "the form of a JSON object")
    frame = pd.DataFrame([record for _, record in found], index=[number for number, _ in found], dtype=object)
    return _typed(file, frame, file.format, encoding, broken)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _objects(value: Any) -> list[Any]:
    """The longest list of objects in a JSON value, at most three levels deep; an object without one is the only row."""
    if isinstance(value, list):
        return value if any(isinstance(item, dict) for item in value) else []
    candidates, level = [], [value]
    for _ in range(3):
        level = [inner for outer in level if isinstance(outer, dict) for inner in outer.values()]
        candidates += [_objects(inner) for inner in level if isinstance(inner, list)]
    return max(candidates, key=len, default=[]) or ([value] if isinstance(value, dict) else [])


def _flat(record: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Values of nested objects under their path, such as ``market.lowestAsk``; of a list its first value."""
    for key, value in record.items():
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, dict) and depth < 4:
            yield from _flat(inner, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", None if isinstance(inner, list | dict) else inner


def _read_parquet(file: TableFile, data: bytes) -> Table:
    import pyarrow as pa  # noqa: PLC0415 - takes long to import
    import pyarrow.parquet as pq  # noqa: PLC0415 - takes long to import

    try:
        read = pq.read_table(io.BytesIO(data)).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArchiveError(f"{file.name} is not a readable Parquet file: {one_line(error)}") from error
    records = [dict(_flat(record)) for record in read]
    frame = pd.DataFrame(records, index=range(1, len(records) + 1), dtype=object)
    return _typed(file, frame.drop(columns="__index_level_0__", errors="ignore"), "Parquet", None, [])


def _typed(file: TableFile, frame: pd.DataFrame, kind: str, encoding: str | None, broken: Sequence[int]) -> Table:
    """Table of typed values as text; columns without any text are typed."""
    frame.columns = _column_names([str(name) for name in frame.columns])
    typed = frozenset(name for name in frame.columns if not any(isinstance(cell, str) for cell in frame[name]))
    return Table(file, frame.map(_cell_text), kind, encoding, None, broken, typed)


def _cell_text(value: Any) -> str:
    """A typed value as text: dates in ISO 8601, whole numbers without decimals, empty if missing."""
    if isinstance(value, str):
        return value
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def texts(cells: Iterable[str]) -> list[str]:
    """Distinct cells that are not empty, in order."""
    return list(dict.fromkeys(cell for cell in cells if cell.strip()))
