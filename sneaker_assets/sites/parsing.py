"""Parsing helpers shared by the adapters: embedded JSON, nested lookups, and trying several page formats in order."""

import json
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from sneaker_assets.sites.base import Listing, Page, PageError, Price
from sneaker_assets.sites.money import amount, currency_code
from sneaker_assets.tables import LabelKind

if TYPE_CHECKING:
    from bs4 import Tag

MAX_PAGES = 1e9
"""Upper limit of a plausible number of pages."""


@dataclass(frozen=True)
class Document:
    """Body and URL of a page; its parts are parsed on first access and cached."""

    body: bytes
    url: str

    @cached_property
    def scripts(self) -> "list[Tag]":
        """``<script>`` elements."""
        return self.tags("script")

    @cached_property
    def json(self) -> Any:
        """Decoded body if it is a JSON object or array, otherwise None."""
        return parse_json(self.body) if self.body.lstrip()[:1] in (b"{", b"[") else None

    def tags(self, *names: str) -> "list[Tag]":
        """Elements of the given names, in document order."""
        from bs4 import BeautifulSoup, Tag
        from bs4.filter import SoupStrainer

        markup = self.body.decode("utf-8", "replace")  # a wrong encoding declaration would break the parser
        soup = BeautifulSoup(markup, "lxml", parse_only=SoupStrainer(list(names)))
        return [tag for tag in soup.find_all(list(names)) if isinstance(tag, Tag)]

    def link(self, address: str | None) -> str:
        """Absolute URL of a link on the page; empty if the link is missing or malformed."""
        try:
            return urljoin(self.url, address) if address else ""
        except ValueError:
            return ""


Parser = Callable[[Document], Page | None]
"""Parses one page format; returns None for a page of another format."""


def parse_first(site: str, parsers: Mapping[str, Parser], body: bytes, url: str) -> Page:
    """Parse a page with the first parser that recognises it.

    Args:
        site: Name of the site, for the error message.
        parsers: Parsers by page format, in the order in which they are tried.
        body: Body of the page.
        url: URL of the page.

    Raises:
        PageError: No parser found a listing, nor a statement that the page lists none.
    """
    document = Document(body, url)
    for parse in parsers.values():
        if page := parse(document):
            return page
    raise PageError(f"{site}: no listing on {url} ({len(body):,} bytes); page formats tried: {', '.join(parsers)}")


def make_page(
    found: Sequence[Listing | None],
    page_format: str,
    next_url: str | None = None,
    total: Any = None,
    pages: float | None = None,
) -> Page | None:
    """Page of the given listings, or None if there are none and the page does not state that explicitly.

    Args:
        found: Listing of each product on the page, None for a product that could not be parsed.
        page_format: Format of a page without listings; otherwise that of the first listing is used.
        next_url: URL of the next page.
        total: Total number of listings according to the page; an empty page is valid only if it is 0.
        pages: Total number of pages according to the page.
    """
    listings = tuple(listing for listing in found if listing is not None)
    if not listings:
        return Page((), page_format, listed=0) if total == 0 and total is not False else None
    return Page(
        listings,
        listings[0].page_format,
        (next_url,) if next_url else (),
        listed=len(found),
        pages=math.ceil(pages) if pages is not None and pages < MAX_PAGES else None,
    )


def attribute(tag: "Tag", name: str) -> str:
    """Value of an attribute, empty if the element does not have it."""
    value = tag.get(name)
    return " ".join(value) if isinstance(value, list) else str(value or "")


def parse_json(source: str | bytes) -> Any:
    """Decoded JSON, or None if the source is invalid."""
    try:
        return json.loads(source)
    except (ValueError, RecursionError):
        return None


def assigned_json(script: str, variable: re.Pattern[str]) -> Any:
    """JSON value assigned to a variable in a script, or None; anything after the value is ignored."""
    match = variable.search(script)
    if match is None:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(script, match.end())
    except (ValueError, RecursionError):
        return None
    return value


def dig(value: Any, *path: str | int) -> Any:
    """Value at a path of keys and list indices, or None if the path does not exist."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def items(value: Any, *path: str | int) -> list[Any]:
    """List at a path, empty if there is none."""
    found = dig(value, *path)
    return found if isinstance(found, list) else []


def mapping(value: Any, *path: str | int) -> dict[str, Any]:
    """Object at a path, empty if there is none."""
    found = dig(value, *path)
    return found if isinstance(found, dict) else {}


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects nested in a JSON value, breadth first."""
    ahead = deque([value])
    while ahead:
        found = ahead.popleft()
        if isinstance(found, dict):
            yield found
            ahead.extend(found.values())
        elif isinstance(found, list):
            ahead.extend(found)


def text(value: Any) -> str | None:
    """String or number as text with normalised whitespace; None for anything else or if it is empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    encodable = str(value).encode("utf-8", "replace").decode()  # lone surrogates cannot be stored
    return " ".join(encodable.split()) or None


def first_text(*values: Any) -> str | None:
    """First of the values that is text."""
    return next((found for value in values if (found := text(value))), None)


def parse_date(value: Any) -> datetime | None:
    """Midnight UTC of an ISO 8601 date or date-time from 1900 on, or None."""
    match = re.match(r"(19|[2-9]\d)\d\d-\d\d-\d\d", value) if isinstance(value, str) else None
    try:
        return datetime.fromisoformat(match[0]).replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def prices(
    currency: Any,
    found: Mapping[LabelKind, Any],
    size: str | None = None,
    read: Callable[[Any], float | None] = amount,
) -> tuple[Price, ...]:
    """Prices of those kinds for which the page has an amount.

    Args:
        currency: Currency code as the page gives it.
        found: Raw amounts by kind of price.
        size: Shoe size that the prices apply to.
        read: Converts a raw amount, returning None if it is no price.
    """
    code = currency_code(currency)
    return tuple(
        Price(value, code, kind, size, text(raw)) for kind, raw in found.items() if (value := read(raw)) is not None
    )


def next_link(document: Document) -> str | None:
    """URL of the next page according to ``rel="next"``, or None."""
    links = [tag for tag in document.tags("link", "a") if "next" in attribute(tag, "rel").split()]
    return document.link(attribute(links[0], "href")) if links else None


def with_query(url: str, **values: object) -> str:
    """URL with the given query parameters set."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | {name: str(value) for name, value in values.items()}
    return urlunsplit(parts._replace(query=urlencode(query)))


def page_number(url: str, parameter: str = "page") -> int:
    """Page number in a query parameter of a URL, 1 if it has none."""
    number = dict(parse_qsl(urlsplit(url).query)).get(parameter, "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1
