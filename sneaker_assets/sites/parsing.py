"""Tools the adapters share: state embedded in pages, nested values that may be missing, and the order of generations.

What any one site calls its fields is its adapter's concern.
"""

import json
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from bs4 import BeautifulSoup, Tag
from bs4.filter import SoupStrainer

from sneaker_assets.sites.base import Listing, Page, PageError, Price
from sneaker_assets.sites.money import amount, currency_code
from sneaker_assets.tables import LabelKind

MAX_PAGES = 1e9
"""A site that says there are more was misread."""


@dataclass(frozen=True)
class Document:
    """A page's bytes and address; what the readers need of it is parsed once, and nothing else of it is built."""

    body: bytes
    url: str

    @cached_property
    def scripts(self) -> list[Tag]:
        """The script elements."""
        return self.tags("script")

    @cached_property
    def json(self) -> Any:
        """The value of a page that is a JSON object or array, None where it is HTML."""
        return parse_json(self.body) if self.body.lstrip()[:1] in (b"{", b"[") else None

    def tags(self, *names: str) -> list[Tag]:
        """The elements of these names, each with what is inside it."""
        markup = self.body.decode("utf-8", "replace")  # no page's own word on its encoding can then break the parser
        soup = BeautifulSoup(markup, "lxml", parse_only=SoupStrainer(list(names)))
        return [tag for tag in soup.find_all(list(names)) if isinstance(tag, Tag)]

    def link(self, address: str | None) -> str:
        """An address on the page, made absolute; empty where there is none or it is malformed."""
        try:
            return urljoin(self.url, address) if address else ""
        except ValueError:
            return ""


Parser = Callable[[Document], Page | None]
"""Reads one page_format of a site's pages; None where the page is not of that page_format."""


def parse_first(site: str, generations: Mapping[str, Parser], body: bytes, url: str) -> Page:
    """The page as the first page_format reads it that knows it.

    Raises:
        PageError: none does: there is no listing on it, nor its own word that there is none.
    """
    document = Document(body, url)
    for read in generations.values():
        if page := read(document):
            return page
    raise PageError(f"{site}: no listing on {url} ({len(body):,} bytes); generations tried: {', '.join(generations)}")


def make_page(
    found: Sequence[Listing | None],
    page_format: str,
    next_url: str | None = None,
    total: Any = None,
    pages: float | None = None,
) -> Page | None:
    """A page in the name of its first listing's page_format.

    Args:
        found: what each product on it was read as, None where it could not be.
        page_format: the name of a page without any.
        next_url: the page after it.
        total: how many listings the page itself says there are; only 0 makes a page without any a good one.
        pages: how many pages it says there are.
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


def attribute(tag: Tag, name: str) -> str:
    """An attribute's text, empty where the element has none."""
    value = tag.get(name)
    return " ".join(value) if isinstance(value, list) else str(value or "")


def parse_json(source: str | bytes) -> Any:
    """The value of a JSON text, None where it is none."""
    try:
        return json.loads(source)
    except (ValueError, RecursionError):
        return None


def assigned_json(script: str, variable: re.Pattern[str]) -> Any:
    """The JSON value that a script assigns to a variable; text after it is ignored, None where there is none."""
    match = variable.search(script)
    if match is None:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(script, match.end())
    except (ValueError, RecursionError):
        return None
    return value


def dig(value: Any, *path: str | int) -> Any:
    """The value at a path of keys and positions, None where the path ends early."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def items(value: Any, *path: str | int) -> list[Any]:
    """The list at a path, empty where there is none."""
    found = dig(value, *path)
    return found if isinstance(found, list) else []


def mapping(value: Any, *path: str | int) -> dict[str, Any]:
    """The object at a path, empty where there is none."""
    found = dig(value, *path)
    return found if isinstance(found, dict) else {}


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a JSON value, outer ones first."""
    ahead = deque([value])
    while ahead:
        found = ahead.popleft()
        if isinstance(found, dict):
            yield found
            ahead.extend(found.values())
        elif isinstance(found, list):
            ahead.extend(found)


def text(value: Any) -> str | None:
    """A text without surrounding or doubled spaces; a number as text; None where there is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    sound = str(value).encode("utf-8", "replace").decode()  # half a surrogate pair cannot be stored
    return " ".join(sound.split()) or None


def first_text(*values: Any) -> str | None:
    """The first of these that is a text."""
    return next((found for value in values if (found := text(value))), None)


def parse_date(value: Any) -> datetime | None:
    """UTC midnight of a date written ``2024-05-31``, with or without a time behind it; no shoe is older than 1900."""
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
    """The prices that are there, of those that could be, in the currency that a field of the page names."""
    code = currency_code(currency)
    return tuple(
        Price(value, code, kind, size, text(raw)) for kind, raw in found.items() if (value := read(raw)) is not None
    )


def next_link(document: Document) -> str | None:
    """The page after this one, by the page's own ``rel="next"``."""
    links = [tag for tag in document.tags("link", "a") if "next" in attribute(tag, "rel").split()]
    return document.link(attribute(links[0], "href")) if links else None


def with_query(url: str, **values: object) -> str:
    """The address with these query parameters set."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | {name: str(value) for name, value in values.items()}
    return urlunsplit(parts._replace(query=urlencode(query)))


def page_number(url: str, parameter: str = "page") -> int:
    """The number of the page that the address names in that parameter, 1 where it has none."""
    number = dict(parse_qsl(urlsplit(url).query)).get(parameter, "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1
