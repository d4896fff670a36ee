"""What the readers of all file formats yield: saved responses, and those that hold nothing to read."""

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from sneaker_assets.errors import SneakerError

_YEARS = range(1990, 2200)
"""Years in which a page can have been saved; others are those of a broken clock or field."""

_SECONDS = re.compile(r"(?<=:\d\d)\.(\d+)")


class Readable(Protocol):
    """Binary stream; ``read`` may return fewer bytes than asked for, and returns none only at the end."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes."""
        ...


class BrokenFileError(SneakerError, ValueError):
    """A file cannot be read to its end; the message states the place and the remedy, but not the file's name."""


class UnusableError(SneakerError, ValueError):
    """A response cannot be used; the message is the reason, worded so that it can be counted."""


@dataclass(frozen=True, slots=True)
class Content:
    """Content of a saved response.

    Attributes:
        media_type: Media type without parameters, in lower case; empty if it is not stated.
        read: Returns the body, given its maximum size in bytes; raises :class:`UnusableError`. It works only until the
            next record of the file is requested.
        headers: Response headers; names are case-insensitive.
    """

    media_type: str
    read: Callable[[int], bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """One saved response.

    Attributes:
        url: Its URL; empty if the file does not state it.
        saved_at: Time (UTC) at which it was received.
        content: Returns its content; raises :class:`UnusableError`.
    """

    url: str
    saved_at: datetime
    content: Callable[[], Content]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record without anything to read, to be counted by its reason."""

    url: str
    reason: str


class Headers(dict[str, str]):
    """Response headers, whose names are case-insensitive; the values of a repeated header are joined by commas."""

    def __init__(self, fields: "list[tuple[str, str]]") -> None:
        super().__init__()
        for name, value in fields:
            key = name.lower()
            self[key] = f"{self[key]}, {value}" if key in self else value

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        """Value of a header, else the default."""
        return super().get(name.lower(), default)


def in_memory(media_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> Content:
    """Content of a response whose body is in memory."""

    def read(limit: int) -> bytes:
        return within(body, limit)

    return Content(media_type, read, headers or {})


def within(body: bytes, limit: int) -> bytes:
    """The body, if it is not too large.

    Raises:
        UnusableError: It has more than ``limit`` bytes.
    """
    if len(body) > limit:
        raise UnusableError(f"responses of more than {limit:,} bytes")
    return body


def read_whole(stream: Readable, limit: int) -> bytes:
    """Rest of a stream.

    Args:
        stream: The stream.
        limit: Maximum number of bytes.

    Raises:
        BrokenFileError: The stream is longer.
    """
    body = read_at_most(stream, limit + 1)
    if len(body) > limit:
        raise BrokenFileError(f"is larger than {limit:,} bytes, more than any page of this format")
    return body


def read_at_most(stream: Readable, size: int) -> bytes:
    """The next ``size`` bytes of a stream, fewer only at its end."""
    buffer = io.BytesIO()
    while (left := size - buffer.tell()) > 0 and (data := stream.read(left)):
        buffer.write(data)
    return buffer.getvalue()


def media_type_of(content_type: str) -> str:
    """Media type of a Content-Type header, without parameters and in lower case."""
    return content_type.partition(";")[0].strip().lower()


def parse_time(text: str) -> datetime | None:
    """Time (UTC) in ISO 8601, as of RFC 5322 or as JavaScript writes it; None if it is none of them or implausible."""
    for parse in (_iso, _javascript, parsedate_to_datetime):
        try:
            found = parse(text.strip())
        except (ValueError, TypeError, IndexError):
            continue
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
        if found.year in _YEARS:
            return found.astimezone(UTC)
    return None


def _iso(text: str) -> datetime:
    return datetime.fromisoformat(_SECONDS.sub(lambda match: f".{match[1][:6]:0<6}", text))


def _javascript(text: str) -> datetime:
    """Time as of ``Date.toString``: ``Tue Nov 24 2026 10:15:00 GMT+0100 (Central European Standard Time)``."""
    return datetime.strptime(text.partition(" (")[0].partition(" ")[2], "%b %d %Y %H:%M:%S GMT%z")
