"""Encoding and delimiter of text files."""

import codecs
import csv
import io
import re
from collections import Counter
from itertools import islice

from sneaker_assets.sources.archive.errors import ArchiveError

DELIMITERS = ",;\t|"
"""Delimiters that are recognised."""

_SAMPLE_BYTES = 200_000
_SAMPLE_LINES = 200
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNMARKED = ("utf-16-be", "utf-16-le")
"""Encodings that are tried for data with zeros, which may be binary."""

_WESTERN = "cp1252"
_WESTERN_LETTERS = frozenset(
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝœŒ€£¥§°©®«»·…•™\u2018\u2019\u201c\u201d\u2013\u2014\xa0"
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_NEWLINE = re.compile(r"\r\n|\n|\r")
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
UNDECODABLE = re.compile("[\udc80-\udcff]")
"""Bytes that the encoding does not have, as ``surrogateescape`` decodes them."""


def decode(data: bytes, name: str, encoding: str | None = None) -> tuple[str, str]:
    """Text of a file and its encoding.

    UTF-8 and UTF-16 are recognised with or without byte order mark; any other encoding is detected from the letters.
    Single bytes that are invalid in a file of UTF-8 are kept as surrogates (:data:`UNDECODABLE`).

    Args:
        data: Content of the file.
        name: Name of the file, for the error message.
        encoding: Encoding that the user states.

    Raises:
        ArchiveError: The encoding is unknown, or the file is not text in it.
    """
    used = encoding or _encoding(data)
    try:
        text = data.decode(used, "surrogateescape" if used in ("utf-8", "utf-8-sig") else "strict")
    except LookupError:
        raise ArchiveError(f"{name}: unknown encoding {used!r}; use a name such as utf-8 or cp1252") from None
    except UnicodeError as error:
        raise ArchiveError(f"{name} is not text in {used}: state its `encoding` ({error})") from error
    if "\0" in text or (used in _UNMARKED and _is_binary(text[:_SAMPLE_BYTES])):
        raise ArchiveError(f"{name} is binary data, not a table: export it as CSV")
    return text, used


def _is_binary(text: str) -> bool:
    """Whether decoded data has many control characters."""
    n_control = sum(not (character.isprintable() or character.isspace()) for character in text)
    return n_control > 0.1 * len(text)


def _encoding(data: bytes) -> str:
    marked = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    if marked:
        return marked
    sample = data[:_SAMPLE_BYTES]
    if 0 in sample:  # UTF-8 and single-byte encodings of text have no zeros
        return _UNMARKED[sample[1::2].count(0) > sample[::2].count(0)]
    if _is_utf_8(data):
        return "utf-8"
    return _detected(data)


def _is_utf_8(data: bytes) -> bool:
    """Whether the bytes are UTF-8, apart from a few."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        decoded = data.decode("utf-8", "surrogateescape")
        invalid = len(UNDECODABLE.findall(decoded))
        return sum(character > "\x7f" for character in decoded) > 5 * invalid
    return True


def _detected(data: bytes) -> str:
    """Windows-1252 if the text is plausible in it, otherwise what charset-normalizer finds most likely."""
    from charset_normalizer import from_bytes

    if _is_western(data):
        return _WESTERN
    lines = [line for line in data[: 20 * _SAMPLE_BYTES].splitlines() if not line.isascii()]
    found = from_bytes(b"\n".join(lines)[:_SAMPLE_BYTES]).best()
    return found.encoding if found is not None and _decodes(data, found.encoding) else "latin-1"


def _is_western(data: bytes) -> bool:
    """Whether the bytes are a Western European text in Windows-1252: single accented letters between others."""
    if not _decodes(data, _WESTERN):
        return False
    runs = _NOT_ASCII.findall(data.decode(_WESTERN))
    letters = "".join(runs)
    return set(letters) <= _WESTERN_LETTERS and len(letters) < 2 * len(runs)


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def split_lines(text: str) -> list[str]:
    """Lines with their line ends; only CR and LF end a line."""
    ends = [match.end() for match in _NEWLINE.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True) if end > start]


def stated_delimiter(text: str) -> tuple[str | None, str]:
    """Delimiter of the line ``sep=;`` that spreadsheets write first, and the text after it."""
    match = _SEPARATOR_LINE.match(text)
    return (match[1], text[match.end() :]) if match else (None, text)


def delimiter_of(text: str) -> str:
    """Delimiter that splits most rows like the header; the suggestion of ``csv.Sniffer`` among equals.

    Args:
        text: Content of a CSV file.
    """
    sample = "".join(islice(split_lines(text[:_SAMPLE_BYTES]), _SAMPLE_LINES))
    try:
        suggested = csv.Sniffer().sniff(sample, DELIMITERS).delimiter
    except csv.Error:
        suggested = ""
    scores = {delimiter: _regularity(sample, delimiter) for delimiter in DELIMITERS}
    return max(DELIMITERS, key=lambda delimiter: (*scores[delimiter], delimiter == suggested, delimiter == ","))


def _regularity(sample: str, delimiter: str) -> tuple[bool, float, int]:
    """Whether a delimiter occurs in the header, the share of rows with as many cells, and the number of cells."""
    try:
        rows = [row for row in csv.reader(io.StringIO(sample), delimiter=delimiter, skipinitialspace=True) if row]
    except csv.Error:
        return False, 0.0, 0
    if not rows:
        return False, 0.0, 0
    width = len(rows[0])
    return width > 1, Counter(map(len, rows))[width] / len(rows), width
