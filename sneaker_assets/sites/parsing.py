"""Documents, their addresses and links, and the page of listings that the first matching parser returns."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from sneaker_assets.sites.base import Listing, NoListingError, Page, PageError
from sneaker_assets.sites.json_values import parse_json, parse_lenient_json
from sneaker_assets.sites.page_limits import excess

if TYPE_CHECKING:
    from bs4 import Tag

MAX_PAGES = 1e9
"""Upper limit of a plausible number of pages."""

_LOCAL_HOST = re.compile(r"(.+\.)?localhost|127\.0\.0\.1")


@dataclass(frozen=True)
class Document:
    """Body and URL of a page; its parts are parsed on first access and cached.

    Attributes:
        body: Body of the page.
        url: URL of the page.
        problems: Scripts that could not be parsed, each with its place.
    """

    body: bytes
    url: str
    problems: list[str] = field(default_factory=list, compare=False)

    @cached_property
    def scripts(self) -> "list[Tag]":
        """``<script>`` elements."""
        return self.tags("script")

    @cached_property
    def head(self) -> "list[Tag]":
        """``<link>`` and ``<meta>`` elements."""
        return self.tags("link", "meta")

    @property
    def is_html(self) -> bool:
        """Whether the body is neither JSON nor XML."""
        return self.json is None and not self.body.lstrip().startswith((b"<?xml", b"<feed"))

    @cached_property
    def json(self) -> Any:
        """Decoded body if it is a JSON object or array, otherwise None."""
        return parse_json(self.body) if self.body.lstrip()[:1] in (b"{", b"[") else None

    def meta(self, name: str) -> str:
        """Content of the first ``<meta>`` element of that property or name, empty if there is none."""
        tags = (tag for tag in self.head if name in (attribute(tag, "property"), attribute(tag, "name")))
        return next((content for tag in tags if (content := attribute(tag, "content"))), "")

    def script_json(self, script: "Tag") -> Any:
        """Decoded JSON of a script, parsed leniently; a script that is not JSON is added to ``problems``."""
        source = script.get_text()
        try:
            return parse_lenient_json(source)
        except ValueError as error:
            label = attribute(script, "id") or attribute(script, "type") or "no type"
            place = next(i for i, other in enumerate(self.scripts, start=1) if other is script)
            self.problems.append(f"script {place} ({label}) is not JSON: {error}")
            return None

    def tags(self, *names: str) -> "list[Tag]":
        """Elements of the given names, in document order."""
        if not re.search(rb"<(?:%b)\b" % "|".join(names).encode(), self.body, re.IGNORECASE):
            return []  # parsing takes most of the time of a page that is no listing
        from bs4 import BeautifulSoup, Tag
        from bs4.filter import SoupStrainer

        markup = self.body.decode("utf-8", "replace")  # a wrong encoding declaration would break the parser
        soup = BeautifulSoup(markup, "lxml", parse_only=SoupStrainer(list(names)))
        return [tag for tag in soup.find_all(list(names)) if isinstance(tag, Tag)]

    def link(self, address: str | None) -> str:
        """Absolute URL of a link on the page; empty if the link is missing or malformed."""
        try:
            return urljoin(self.url, address.strip()) if address else ""
        except ValueError:
            return ""


Parser = Callable[[Document], Page | None]
"""Parses one page format; returns None for a page of another format."""


def parse_first(site: str, parsers: Mapping[str, Parser], body: bytes, url: str, domain: str | None = None) -> Page:
    """Parse a page with the first parser that recognises it.

    Args:
        site: Name of the site, for the error message.
        parsers: Parsers by page format, in the order in which they are tried.
        body: Body of the page.
        url: URL of the page.
        domain: Domain of the site; a page or product of another one is refused. By default it is not checked.

    Raises:
        NoListingError: No parser found a listing, nor a statement that the page lists none.
        PageError: Nor did one, and part of the page could not be parsed; or the page is too large, is nested too
            deeply, or belongs to another site.
    """
    if problem := excess(body):
        raise PageError(f"{site}: {url} ({len(body):,} bytes) {problem}")
    document = Document(body, url)
    try:
        page = next((page for parse in parsers.values() if (page := parse(document))), None)
        foreign = _foreign_address(document, page, domain) if page and domain else None
    except RecursionError:
        raise PageError(f"{site}: the data of {url} ({len(body):,} bytes) are nested too deeply") from None
    if foreign:
        raise PageError(f"{site}: {url} is a page of another site: {foreign}")
    if page:
        return page
    error = PageError if document.problems else NoListingError
    raise error(
        f"{site}: no listing on {url} ({len(body):,} bytes); page formats tried: {', '.join(parsers)}"
        + "".join(f"; {problem}" for problem in dict.fromkeys(document.problems))
    )


def _foreign_address(document: Document, page: Page, domain: str) -> str | None:
    """The statement by which a page or one of its products belongs to another site, None if there is none."""
    stated = {"URL": document.url}
    if document.is_html:
        canonical = [tag for tag in document.head if "canonical" in attribute(tag, "rel").lower().split()]
        stated["canonical link"] = document.link(attribute(canonical[0], "href")) if canonical else ""
        stated["og:url"] = document.link(document.meta("og:url"))
    stated |= {f"product {listing.product_id!r}": listing.url for listing in (*page.listings, *page.excluded)}
    for name, address in stated.items():
        host = host_of(address)
        if host and not _belongs(host, domain) and not _LOCAL_HOST.fullmatch(host):
            return f"its {name} is at {host}"
    title = document.meta("og:site_name") if document.is_html else ""
    if title and domain.split(".", maxsplit=1)[0] not in re.sub(r"\W", "", title).lower():
        return f"its site name is {title!r}"
    return None


def _belongs(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def host_of(address: str) -> str:
    """Host of an absolute URL in lower case, empty if it has none."""
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""


def make_page(
    found: Sequence[Listing | None],
    page_format: str,
    next_url: str | None = None,
    total: Any = None,
    pages: float | None = None,
) -> Page | None:
    """Page of the given listings, or None if there are none and the page does not state that explicitly.

    Args:
        found: Listing of each product on the page, None for a product that could not be parsed. Those with an
            ``exclusion`` become ``Page.excluded``.
        page_format: Format of a page without listings; otherwise that of the first listing is used.
        next_url: URL of the next page.
        total: Total number of listings according to the page; an empty page is valid only if it is 0.
        pages: Total number of pages according to the page.
    """
    parsed = [listing for listing in found if listing is not None]
    if not parsed:
        return Page((), page_format, listed=0) if total == 0 and total is not False else None
    return Page(
        tuple(listing for listing in parsed if listing.exclusion is None),
        parsed[0].page_format,
        (next_url,) if next_url else (),
        listed=len(found),
        pages=math.ceil(pages) if pages is not None and pages < MAX_PAGES else None,
        excluded=tuple(listing for listing in parsed if listing.exclusion is not None),
    )


def attribute(tag: "Tag", name: str) -> str:
    """Value of an attribute, empty if the element does not have it."""
    value = tag.get(name)
    return " ".join(value) if isinstance(value, list) else str(value or "")


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
