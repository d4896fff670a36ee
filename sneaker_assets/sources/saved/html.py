"""Reader of HTML files, as browsers and the extension SingleFile save them, and of other files without an address.

https://github.com/gildas-lormeau/SingleFile
"""

import re
from collections.abc import Iterator
from datetime import datetime
from html import unescape

from sneaker_assets.sites.parsing import MAX_BYTES
from sneaker_assets.sources.saved.records import Readable, Record, in_memory, parse_time, read_whole

_SEARCHED = 500_000
"""Bytes from the beginning that are searched for the address."""

_SAVED_FROM = re.compile(rb"<!--\s*saved from url=\(\d+\)\s*(https?://\S+?)\s*-->")
_SINGLE_FILE = re.compile(rb"Page saved with SingleFile\s+url:\s*(https?://\S+)\s+saved date:([^\r\n]{1,100})")
_TAG = re.compile(rb"<(?:link|meta)\s([^<>]{1,4000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_XML = re.compile(rb"<\?xml|<feed\b")


def read_html(stream: Readable, modified: datetime) -> Iterator[Record]:
    """The page that is the file's content.

    Args:
        stream: Content of the file.
        modified: Time (UTC) of its last modification, used for a page that does not state when it was saved.

    Yields:
        One record, whose URL is empty if the page does not state it.

    Raises:
        BrokenFileError: The file is too large for a page.
    """
    body = read_whole(stream, MAX_BYTES)
    url, saved_at = page_origin(body)
    media_type = "application/xml" if _XML.match(body.lstrip()[:5]) else "text/html"
    yield Record(url, saved_at or modified, lambda: in_memory(media_type, body))


def read_json(stream: Readable, modified: datetime) -> Iterator[Record]:
    """The response that is the file's content, without an address.

    Args:
        stream: Content of the file.
        modified: Time (UTC) of its last modification.

    Yields:
        One record.

    Raises:
        BrokenFileError: The file is too large for a page.
    """
    body = read_whole(stream, MAX_BYTES)
    yield Record("", modified, lambda: in_memory("application/json", body))


def page_origin(body: bytes) -> tuple[str, datetime | None]:
    """Address of a saved page and the time (UTC) at which it was saved, as the page states them.

    Args:
        body: The page.

    Returns:
        The address is that in the comment of SingleFile, else of the browser, else the canonical link, else
        ``og:url``, else empty. Only SingleFile states the time.
    """
    start = body[:_SEARCHED]
    if match := _SINGLE_FILE.search(start):
        return _address(match[1]), parse_time(match[2].decode("utf-8", "replace"))
    if match := _SAVED_FROM.search(start):
        return _address(match[1]), None
    return _stated_address(start), None


def _address(raw: bytes) -> str:
    return unescape(raw.decode("utf-8", "replace"))


def _stated_address(start: bytes) -> str:
    """Absolute address in the canonical link or in ``og:url``, empty without one."""
    found: dict[str, str] = {}
    for tag in _TAG.finditer(start):
        attributes = {
            name.lower(): unescape(double or single or bare)
            for name, double, single, bare in _ATTRIBUTE.findall(tag[1].decode("utf-8", "replace"))
        }
        if "canonical" in attributes.get("rel", "").lower().split():
            found.setdefault("canonical", attributes.get("href", ""))
        if "og:url" in (attributes.get("property"), attributes.get("name")):
            found.setdefault("og:url", attributes.get("content", ""))
    stated = (found.get(name, "").strip() for name in ("canonical", "og:url"))
    return next((address for address in stated if address.startswith(("http://", "https://"))), "")
