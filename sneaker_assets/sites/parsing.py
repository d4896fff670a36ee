"""Parsing helpers shared by the adapters: embedded JSON, nested lookups, and trying several page formats in order."""

import html
import json
import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import chompjs

from sneaker_assets.sites.base import Listing, NoListingError, Page, PageError, Price
from sneaker_assets.sites.money import AmountError, currency_code, parse_amount
from sneaker_assets.tables import Condition, LabelKind

if TYPE_CHECKING:
    from bs4 import Tag

MAX_PAGES = 1e9
"""Upper limit of a plausible number of pages."""

MAX_BYTES = 12_000_000
"""Maximum size of a page; the largest pages of the supported sites have about 3 MB."""

MAX_TAGS = 50_000
"""Maximum number of tags of a page, whose elements take far more memory than its text."""

MAX_DEPTH = 200
"""Maximum nesting of elements; parsers take quadratic time in it."""

MAX_ATTRIBUTES = 5_000
"""Maximum number of words in a tag."""

MAX_NODES = 150_000
"""Maximum number of JSON objects and arrays of a page."""

MAX_VALUES = 1_000_000
"""Maximum number of JSON values of a page."""

_TAG = re.compile(rb"<(\\?/)?([A-Za-z][A-Za-z0-9]*)")
_UNNESTED = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd option tr td th".split()
)
"""Elements without an end tag, or whose end tag may be omitted."""

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
    if problem := _oversize(body):
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


def _oversize(body: bytes) -> str | None:
    """Which limit a body exceeds, None if it can be parsed in bounded time and memory."""
    if len(body) > MAX_BYTES:
        return f"is larger than {MAX_BYTES:,} bytes"
    if body.count(b"<") > MAX_TAGS:
        return f"has more than {MAX_TAGS:,} tags"
    if body.count(b"{") + body.count(b"[") > MAX_NODES:
        return f"has more than {MAX_NODES:,} JSON objects and arrays"
    if body.count(b",") > MAX_VALUES:
        return f"has more than {MAX_VALUES:,} JSON values"
    return _excess_of_tags(body)


def _excess_of_tags(body: bytes) -> str | None:
    """Which limit the nesting or the attributes of the elements exceed, None if they do not."""
    depth, closed_at, in_script = 0, 0, False
    for match in _TAG.finditer(body):
        end, name = match[1], match[2].lower()
        if name == b"script":
            in_script = not end
        elif not in_script and name not in _UNNESTED:
            depth = max(depth - 1, 0) if end else depth + 1
        if depth > MAX_DEPTH:
            return f"has elements nested more than {MAX_DEPTH} deep"
        if not in_script and match.end() > closed_at:
            closing = body.find(b">", match.end())
            closed_at = len(body) if closing < 0 else closing
            if closed_at - match.end() > MAX_ATTRIBUTES and len(body[match.end() : closed_at].split()) > MAX_ATTRIBUTES:
                return f"has a tag of more than {MAX_ATTRIBUTES:,} attributes"
    return None


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


def parse_json(source: str | bytes) -> Any:
    """Decoded JSON, or None if the source is invalid."""
    try:
        return json.loads(source)
    except (ValueError, RecursionError):
        return None


def parse_lenient_json(source: str) -> Any:
    """Decoded JSON that may have control characters in strings, trailing commas, comments, and text around it.

    https://github.com/Nykakin/chompjs

    Args:
        source: Text with one JSON object or array.

    Raises:
        ValueError: The source is not JSON; the message has the place.
    """
    try:
        return json.loads(source, strict=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        problem = str(error)
    try:
        return _chompjs(source)
    except ValueError:
        pass
    if "&quot;" not in source:
        raise ValueError(problem)
    try:
        return _chompjs(html.unescape(source))
    except ValueError:
        raise ValueError(problem) from None


def _chompjs(source: str) -> Any:
    try:
        return chompjs.parse_js_object(source, json_params={"strict": False})
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def assigned_json(script: str, variable: re.Pattern[str]) -> Any:
    """JSON value assigned to a variable in a script, or None; anything after the value is ignored."""
    match = variable.search(script)
    if match is None:
        return None
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(script, match.end())
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


def first(value: Any) -> Any:
    """First element of a list, None if it is empty; any other value itself."""
    return dig(value, 0) if isinstance(value, list) else value


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
            ahead.extend(inner for inner in found.values() if isinstance(inner, dict | list))
        elif isinstance(found, list):
            ahead.extend(inner for inner in found if isinstance(inner, dict | list))


def nested_objects(value: Any) -> Iterator[tuple[dict[str, Any], tuple[dict[str, Any], ...]]]:
    """All objects nested in a JSON value, breadth first, each with the objects that contain it, outermost first."""
    ahead: deque[tuple[Any, tuple[dict[str, Any], ...]]] = deque([(value, ())])
    while ahead:
        found, above = ahead.popleft()
        if isinstance(found, dict):
            yield found, above
            within = (*above, found)
            ahead.extend((inner, within) for inner in found.values() if isinstance(inner, dict | list))
        elif isinstance(found, list):
            ahead.extend((inner, above) for inner in found if isinstance(inner, dict | list))


def number(value: Any) -> float | None:
    """Finite number of at least 0 from a number or a numeric string, such as a count of pages; otherwise None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


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


def price(
    raw: Any,
    currency: Any,
    kind: LabelKind,
    size: str | None = None,
    *,
    available: bool | None = None,
) -> Price | None:
    """Price from an amount as a page gives it; None if it is missing.

    Args:
        raw: Number or written amount; one that cannot be read gives a price with a ``problem``.
        currency: Currency code as the page gives it.
        kind: Kind of price.
        size: Shoe size that the price applies to.
        available: Whether the product can be bought at this price.
    """
    code = currency_code(currency)
    try:
        parsed = parse_amount(raw, currency=code)
    except AmountError as error:
        return Price(None, code, kind, size, text(raw), available=available, problem=str(error))
    return Price(parsed.value, parsed.currency, kind, size, text(raw), available=available) if parsed else None


def prices(
    currency: Any, found: Mapping[LabelKind, Any], size: str | None = None, *, available: bool | None = None
) -> tuple[Price, ...]:
    """Prices of those kinds for which the page has an amount.

    Args:
        currency: Currency code as the page gives it.
        found: Raw amounts by kind of price.
        size: Shoe size that the prices apply to.
        available: Whether the product can be bought at these prices.
    """
    return tuple(read for kind, raw in found.items() if (read := price(raw, currency, kind, size, available=available)))


def list_and_sale(
    before: Any, now: Any, currency: Any, size: str | None = None, *, available: bool | None = None
) -> tuple[Price, ...]:
    """The full price, and the sale price if it is lower.

    Args:
        before: Raw amount before a reduction, None if there is none.
        now: Raw amount that a buyer pays.
        currency: Currency code as the page gives it.
        size: Shoe size that the prices apply to.
        available: Whether the product can be bought at these prices.
    """
    full = price(before, currency, "list", size, available=available)
    final = price(now, currency, "sale", size, available=available)
    if final is None:
        return () if full is None else (full,)
    if full is not None and full.amount is not None and (final.amount is None or final.amount < full.amount):
        return full, final
    return (replace(final, label_kind="list"),)


def lowest(found: Iterable[Price]) -> Price | None:
    """The lowest price at which a product can be bought new, else used, else the lowest of those at which it cannot.

    Args:
        found: Prices of one product; those in another currency than the first are ignored.
    """
    readable = [price for price in found if price.amount is not None]
    comparable = [price for price in readable if price.currency == readable[0].currency]
    return min(comparable, key=_rank, default=None)


def _rank(price: Price) -> tuple[bool, bool, float]:
    return price.available is False, price.condition in ("used", "defects"), price.amount or 0.0


def lowest_and_sizes(found: Sequence[Price]) -> tuple[Price, ...]:
    """Price of a product that is sold in sizes: the lowest, that of each size and condition, and those with a problem.

    Args:
        found: Prices of its variants, which are of one kind.
    """
    by_size: dict[tuple[str, Condition | None], list[Price]] = {}
    for price in found:
        if price.size is not None:
            by_size.setdefault((price.size, price.condition), []).append(price)
    best = lowest(found)
    return (
        *((replace(best, size=None),) if best else ()),
        *(cheapest for prices in by_size.values() if (cheapest := lowest(prices))),
        *dict.fromkeys(price for price in found if price.problem),
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
