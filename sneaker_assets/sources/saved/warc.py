"""Reader of WARC files, which wget, crawlers and Common Crawl write: https://iipc.github.io/warc-specifications/.

Records are read one after the other in constant memory; the body of a record is read only if it is asked for.
"""

import io
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from sneaker_assets.errors import one_line
from sneaker_assets.sources.saved.compression import Metered, decoded
from sneaker_assets.sources.saved.records import (
    BrokenFileError,
    Content,
    Headers,
    Readable,
    Record,
    Skipped,
    UnusableError,
    media_type_of,
    parse_time,
    read_at_most,
    within,
)

if TYPE_CHECKING:
    from warcio.archiveiterator import ArchiveIterator
    from warcio.recordloader import ArcWarcRecord
    from warcio.statusandheaders import StatusAndHeaders

MAX_HEADER_BYTES = 1_000_000
"""Maximum size of the headers of a record."""

_BLOCK = 65536
_RESPONSES = ("response", "resource")
CUT_OFF = "responses that are cut off or damaged"


def read_warc(stream: Readable, modified: datetime) -> Iterator[Record | Skipped]:
    """The responses in a WARC file.

    Args:
        stream: Content of the file, decompressed.
        modified: Time (UTC) of its last modification, used for records without a date.

    Yields:
        Records of types ``response`` and ``resource``; those of type ``revisit``, which repeat an earlier response
        without its body, are skipped.

    Raises:
        BrokenFileError: The file is cut off or damaged; the message names the record.
    """
    from warcio.archiveiterator import ArchiveIterator

    metered = Metered(stream, "its header")
    archive = ArchiveIterator(metered, no_record_parse=True, block_size=_BLOCK)
    archive.INC_RECORD = ""  # a warning on stderr; such a record is an error here
    number = 0
    metered.renew(MAX_HEADER_BYTES)
    while (record := _next(archive, number)) is not None:
        number += 1
        metered.renew(record.length + MAX_HEADER_BYTES)
        url = record.rec_headers.get_header("WARC-Target-URI") or ""
        if url and record.rec_type in _RESPONSES:
            saved_at = parse_time(record.rec_headers.get_header("WARC-Date") or "") or modified
            yield Record(url, saved_at, lambda record=record: _content(record, archive))  # type: ignore[misc]
        elif record.rec_type == "revisit":
            yield Skipped(url, "WARC revisit records")


def _next(archive: "ArchiveIterator", number: int) -> "ArcWarcRecord | None":
    """The next record, None at the end of the file.

    Args:
        archive: The file.
        number: Number of records that were read.

    Raises:
        BrokenFileError: The file is cut off or damaged.
    """
    current = archive.record
    try:
        found = next(archive, None)
    except Exception as error:
        raise BrokenFileError(f"cannot be read after record {number}: {one_line(error, 200)}") from error
    if current is not None and (current.raw_stream.limit > 0 or archive.err_count):
        raise BrokenFileError(f"is cut off in record {number}, or its length is wrong: what precedes it was read")
    if found is not None and (found.length is None or found.rec_type is None):
        raise BrokenFileError(f"is cut off in the header of record {number + 1}: what precedes it was read")
    return found


def _content(record: "ArcWarcRecord", archive: "ArchiveIterator") -> Content:
    """Content of a record.

    Raises:
        UnusableError: The response is not a successful one, or has no headers.
    """
    url = record.rec_headers.get_header("WARC-Target-URI") or ""
    if record.rec_type != "response" or not url.startswith(("http:", "https:")):
        return Content(media_type_of(record.content_type or ""), lambda limit: _body(record, Headers([]), limit))
    try:
        parsed = _http_headers(record, archive)
    except (EOFError, BrokenFileError):
        raise UnusableError(CUT_OFF) from None
    if (status := parsed.get_statuscode()) != "200":
        raise UnusableError(f"responses with status {status[:20]}")
    headers = Headers(parsed.headers)
    return Content(media_type_of(headers.get("Content-Type")), lambda limit: _body(record, headers, limit), headers)


def _http_headers(record: "ArcWarcRecord", archive: "ArchiveIterator") -> "StatusAndHeaders":
    """Status line and headers of a response, whose stream is left at the beginning of its body."""
    from warcio.limitreader import LimitReader

    return archive.loader.http_parser.parse(LimitReader(record.raw_stream, MAX_HEADER_BYTES))


def _body(record: "ArcWarcRecord", headers: Headers, limit: int) -> bytes:
    """Body of a record without its transfer and content encodings.

    Raises:
        UnusableError: It is too large, cut off, damaged, or has a content encoding that is not supported.
    """
    from warcio.bufferedreaders import ChunkedDataReader

    try:
        body = within(read_at_most(record.raw_stream, limit + 1), limit)
        if record.raw_stream.limit > 0:
            raise UnusableError(CUT_OFF)
        if headers.get("Transfer-Encoding").lower() == "chunked":
            body = ChunkedDataReader(io.BytesIO(body)).read()
        content = decoded(body, headers.get("Content-Encoding"), limit + 1)
    except BrokenFileError:
        raise UnusableError(CUT_OFF) from None
    if content is None:
        raise UnusableError(f"responses compressed with {headers.get('Content-Encoding')[:20]}, which is not supported")
    return within(content, limit)
