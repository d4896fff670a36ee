"""Reader of HAR files, which browsers export from the network tab: http://www.softwareishard.com/blog/har-12-spec/."""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sneaker_assets.sites.parsing import dig, items, text
from sneaker_assets.sources.saved.compression import Metered
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
    within,
)

MAX_ENTRY_BYTES = 50_000_000
"""Maximum size of an entry, which is in memory as a whole."""

_BLOCK = 1_000_000
"""Bytes per call of the parser, which takes quadratic time in the number of calls that a string spans."""

_END = object()
WITHOUT_BODY = "HAR entries without a body"


def read_har(stream: Readable, modified: datetime) -> Iterator[Record | Skipped]:
    """The entries of a HAR file, one at a time in memory.

    Args:
        stream: Content of the file.
        modified: Time (UTC) of its last modification, used for entries without a time.

    Yields:
        Records of the responses; an entry without a body is skipped.

    Raises:
        BrokenFileError: The file is no HAR, is cut off, or has no bodies at all.
    """
    import ijson

    metered = Metered(stream, f"an entry of more than {MAX_ENTRY_BYTES:,} bytes")
    entries = ijson.items(metered, "log.entries.item", buf_size=_BLOCK, use_float=True)
    n_entries = n_bodies = 0
    while True:
        metered.renew(MAX_ENTRY_BYTES)
        try:
            entry = next(entries, _END)
        except (ijson.JSONError, BrokenFileError, UnicodeDecodeError) as error:
            raise BrokenFileError(f"cannot be read after entry {n_entries}: {_reason(error)}") from error
        if entry is _END:
            break
        n_entries += 1
        found = _entry(entry, modified)
        n_bodies += bool(dig(entry, "response", "content", "text"))
        yield found
    if not n_entries:
        raise BrokenFileError("has no log.entries: it is no HAR file, or nothing was recorded")
    if not n_bodies:
        raise BrokenFileError(
            f"has {n_entries:,} entries and no response body: export it again with content, such as by 'Export HAR' of "
            "Chrome"
        )


def _entry(entry: Any, modified: datetime) -> Record | Skipped:
    url = text(dig(entry, "request", "url")) or ""
    body = dig(entry, "response", "content", "text")
    status = dig(entry, "response", "status")
    if not url or (status == 200 and not (body and isinstance(body, str))):
        return Skipped(url, WITHOUT_BODY)
    saved_at = parse_time(text(dig(entry, "startedDateTime")) or "") or modified

    def content() -> Content:
        if status != 200:
            raise UnusableError(f"responses with status {status}")
        return _content(entry, body)

    return Record(url, saved_at, content)


def _content(entry: Any, body: str) -> Content:
    encoded = dig(entry, "response", "content", "encoding") == "base64"

    def read(limit: int) -> bytes:
        if len(body) > 2 * limit:
            raise UnusableError(f"responses of more than {limit:,} bytes")
        try:
            decoded = base64.b64decode(body) if encoded else body.encode("utf-8", "replace")
        except (binascii.Error, ValueError):
            raise UnusableError("responses that are not base64") from None
        return within(decoded, limit)

    fields = [
        (name, value)
        for header in items(entry, "response", "headers")
        if (name := text(dig(header, "name"))) and (value := text(dig(header, "value")))
    ]
    headers = Headers(fields)
    stated = text(dig(entry, "response", "content", "mimeType")) or headers.get("Content-Type")
    return Content(media_type_of(stated), read, headers)


def _reason(error: Exception) -> str:
    if isinstance(error, BrokenFileError):
        return str(error)
    cut_off = any(word in str(error).lower() for word in ("premature eof", "incomplete"))
    return "the file is cut off" if cut_off else "it is not valid JSON"
