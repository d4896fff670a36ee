"""Reader of MHTML files, a page and its pictures in one MIME message: https://www.rfc-editor.org/rfc/rfc2557."""

import email
from collections.abc import Iterator
from datetime import datetime
from email.errors import CloseBoundaryNotFoundDefect
from email.message import Message

from sneaker_assets.sources.saved.records import (
    BrokenFileError,
    Content,
    Readable,
    Record,
    parse_time,
    read_whole,
    within,
)

MAX_MHTML_BYTES = 100_000_000
"""Maximum size of a file, which is parsed in memory."""


def read_mhtml(stream: Readable, modified: datetime) -> Iterator[Record]:
    """The parts of an MHTML file, the page first.

    Args:
        stream: Content of the file.
        modified: Time (UTC) of its last modification, used if the file states no date.

    Yields:
        One record per part that has an address.

    Raises:
        BrokenFileError: The file is too large, nested too deeply or cut off.
    """
    try:
        message = email.message_from_bytes(read_whole(stream, MAX_MHTML_BYTES))
        parts = [part for part in message.walk() if not part.is_multipart()]
    except RecursionError:
        raise BrokenFileError("its parts are nested too deeply") from None
    cut_off = any(isinstance(defect, CloseBoundaryNotFoundDefect) for defect in message.defects)
    saved_at = parse_time(str(message.get("Date", ""))) or modified
    page = str(message.get("Snapshot-Content-Location", "")).strip()
    for part in parts[:-1] if cut_off else parts:
        url = str(part.get("Content-Location", "")).strip()
        if part.get_content_type() == "text/html" and page:
            url, page = page, ""
        if url:
            yield _record(part, url, saved_at)
    if cut_off:
        raise BrokenFileError(f"is cut off in part {len(parts)}: save the page again")


def _record(part: Message, url: str, saved_at: datetime) -> Record:
    def body(limit: int) -> bytes:
        content = part.get_payload(decode=True)
        return within(content if isinstance(content, bytes) else b"", limit)

    media_type = part.get_content_type().lower()
    return Record(url, saved_at, lambda: Content(media_type, body))
