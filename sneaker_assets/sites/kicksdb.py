"""StockX and GOAT through KicksDB, a catalogue with a key.

One search response has up to a hundred products with their traits, pictures and the lowest ask of each size, since the
free plan has only 1,000 requests a month. A product that a search returns without prices is read from its own page.
Sales need a request per product and a paid plan. Written against the documentation and never run against the service.

What the documentation does not state stays unknown: the currency of retail prices and sales outside the US market, and
the system of GOAT's sizes.

https://docs.kicks.dev  https://docs.kicks.dev/recipes/filters  https://docs.kicks.dev/documentation-v3/migration-guide
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from sneaker_assets.errors import SneakerError
from sneaker_assets.sites.availability import is_available
from sneaker_assets.sites.base import Credentials, Details, Listing, Page, PageError, Price, Quota, Site
from sneaker_assets.sites.condition import condition_of
from sneaker_assets.sites.money import currency_code
from sneaker_assets.sites.parsing import (
    MAX_PAGES,
    Document,
    dig,
    first_text,
    items,
    lowest_and_sizes,
    number,
    page_number,
    parse_date,
    parse_first,
    price,
    text,
    with_query,
)
from sneaker_assets.sites.placeholders import image_address
from sneaker_assets.sites.taxonomy import exclusion
from sneaker_assets.tables import Condition, SizeSystem

HOME = "https://api.kicks.dev"
KEY, QUOTA = "SNEAKER_KICKSDB_KEY", "SNEAKER_KICKSDB_QUOTA"
PAGE_SIZE = 100
"""Products per page of search results."""

MAX_SEARCH_PAGES = 10
"""Default number of pages of search results per crawl, the most sought-after products first."""

FREE_QUOTA = 1000
"""Requests per month of the free plan."""

MIN_DELAY = 60 / 640
"""Seconds between requests; 640 a minute are allowed."""

CURRENCIES: Mapping[str, str] = {
    "US": "USD",
    "UK": "GBP",
    **dict.fromkeys(("AT", "BE", "DE", "ES", "FI", "FR", "GR", "IE", "IT", "LU", "NL", "PT"), "EUR"),
}
"""Currency of each market for which none has to be given."""

_FILTER = 'product_type = "sneakers"'
_RELEASED_FROM = re.compile(r'release_date >= "(\d{4})-?(\d\d)-?(\d\d)"')
_PATH = re.compile(r"/v3/(?:stockx|goat)/products(?:/([^/?#]+)(/sales)?)?/?(?:[?#]|$)")
_HEADER = re.compile(r"[\x21-\x7e]+")
_CHILDREN = ("us y", "us c", "us k", "us td", "us ps", "us gs")
_SIZE_SYSTEMS: Mapping[str, SizeSystem] = {
    "us": "us",
    "us m": "us_men",
    "us w": "us_women",
    **dict.fromkeys(_CHILDREN, "us_kids"),
    "uk": "uk",
    "eu": "eu",
    "jp": "jp",
    "cm": "cm",
    "kr": "kr",
    "cn": "cn",
}


class KicksDBError(SneakerError, ValueError):
    """KicksDB cannot be asked with these settings; the message names them without the key."""


@dataclass(frozen=True)
class Marketplace:
    """A marketplace that KicksDB describes.

    Attributes:
        name: Name of the site, and of the marketplace in the API's paths.
        products: Address of the product pages that people visit, followed by a product's slug.
        image_hosts: Hosts that serve its images.
        day: Format of a release date in filters.
    """

    name: str
    products: str
    image_hosts: frozenset[str]
    day: str


STOCKX = Marketplace("stockx", "https://stockx.com/", frozenset({"images.stockx.com", "stockx.imgix.net"}), "%Y-%m-%d")
GOAT = Marketplace("goat", "https://www.goat.com/sneakers/", frozenset({"image.goat.com"}), "%Y%m%d")


def sites(
    key: str,
    market: str = "US",
    query: str = "",
    *,
    currency: str | None = None,
    filters: str = _FILTER,
    sales: bool = False,
    quota: int = FREE_QUOTA,
    max_pages: int = MAX_SEARCH_PAGES,
    today: date | None = None,
) -> tuple[Site, Site]:
    """The sites ``stockx`` and ``goat``, read through KicksDB.

    Args:
        key: API key (``Authorization``).
        market: Country of the prices, such as ``US``, ``UK`` or ``FR``.
        query: Search query; empty for all products.
        currency: Currency of the prices, by default that of the market.
        filters: Filter of the products in Meilisearch's syntax; results other than shoes are ignored in any case.
        sales: Whether the sales of each product are read too, which takes a request per product and a paid plan.
        quota: Requests per month at which a crawl pauses.
        max_pages: Maximum number of pages of search results per crawl.
        today: Date (UTC) from which releases are upcoming, by default that of today.

    Raises:
        KicksDBError: The key is missing or not a valid header value, or the market's currency is not known.
    """
    if not _HEADER.fullmatch(key):
        raise KicksDBError(f"KicksDB needs {KEY}: it is missing or has a space or non-ASCII character")
    market = {"GB": "UK"}.get(market.upper(), market.upper())
    asked = currency_code(currency or CURRENCIES.get(market))
    if asked is None:
        known = ", ".join(sorted(CURRENCIES))
        raise KicksDBError(f"KicksDB: the currency of the market {market!r} is not known, only those of {known}")
    credentials = Credentials(
        {"Authorization": key},
        renew=f"set {KEY} to a valid key, whose plan includes what is asked",
        quota=Quota(quota, QUOTA, requests_of_this_month),
    )
    day = today or datetime.now(UTC).date()

    def site(marketplace: Marketplace) -> Site:
        shown = {"display[traits]": "true", "display[variants]": "true", "market": market, "currency": asked}
        path = f"/v3/{marketplace.name}/products?"
        page = {"page": 1, "limit": PAGE_SIZE}
        upcoming = f'release_date >= "{day.strftime(marketplace.day)}"'
        coming = {"filters": f"{filters} AND {upcoming}" if filters else upcoming, "sort": "release_date"}
        return Site(
            name=marketplace.name,
            home=HOME,
            start_path=path + urlencode({"query": query, "filters": filters, "sort": "rank", **page, **shown}),
            releases_path=path + urlencode({**coming, **page, **shown}),
            parse_page=partial(parse_page, marketplace=marketplace, sales=sales, max_pages=max_pages),
            image_hosts=marketplace.image_hosts,
            credentials=credentials,
            delay=MIN_DELAY,
            page_formats=PAGE_FORMATS[marketplace.name],
        )

    return site(STOCKX), site(GOAT)


def requests_of_this_month(headers: Mapping[str, str]) -> int | None:
    """Number of requests of this month according to a response, None if it does not state it."""
    used = number(headers.get("X-Quota-Current"))
    return None if used is None else int(used)


def parse_page(
    body: bytes, url: str, *, marketplace: Marketplace, sales: bool = False, max_pages: int = MAX_SEARCH_PAGES
) -> Page:
    """Parse a response of the API.

    Args:
        body: Body of the response.
        url: URL of the response, whose parameters state the currency asked for.
        marketplace: The marketplace described.
        sales: Whether the sales of the products are read next.
        max_pages: Maximum number of pages of search results.

    Raises:
        PageError: The response has none of the known formats, or is one of released shoes where upcoming ones were
            asked for.
    """
    return parse_first(
        f"kicksdb, {marketplace.name}",
        {
            "kicksdb_search": partial(_parse_search, marketplace=marketplace, sales=sales, max_pages=max_pages),
            "kicksdb_product": partial(_parse_product, marketplace=marketplace, sales=sales),
            "kicksdb_sales": _parse_sales,
        },
        body,
        url,
    )


PAGE_FORMATS: Mapping[str, Mapping[str, Sequence[str]]] = {
    STOCKX.name: {
        "kicksdb_search": ["search", "empty_search"],
        "kicksdb_product": ["product"],
        "kicksdb_sales": ["sales"],
    },
    GOAT.name: {"kicksdb_search": ["search"], "kicksdb_product": ["product"], "kicksdb_sales": ["sales"]},
}


def _parse_search(document: Document, *, marketplace: Marketplace, sales: bool, max_pages: int) -> Page | None:
    """Search results, followed by those products that have no prices here, the sales, and the next page."""
    path = _PATH.search(document.url)
    if path is None or path[1] or not _has_data(document.json):
        return None
    found = items(document.json, "data")
    parsed = [(listing, product) for product in found if (listing := _listing(product, document, marketplace))]
    if found and not parsed:
        return None
    shoes = [(listing, product) for listing, product in parsed if listing.exclusion is None]
    listings = tuple(listing for listing, product in shoes if not _lacks_prices(product))
    _check_upcoming(document, [listing for listing, _ in shoes])
    lacking = [_product_url(document, listing.product_id) for listing, product in shoes if _lacks_prices(product)]
    following = _next_page(document, len(found), max_pages)
    return Page(
        listings,
        "kicksdb_search",
        (
            *lacking,
            *(_sales_url(document, listing.product_id) for listing in listings if sales),
            *((following,) if following else ()),
        ),
        listed=len(found) - len(lacking),
        pages=_pages(document, max_pages),
        excluded=tuple(listing for listing, _ in parsed if listing.exclusion is not None),
    )


def _parse_product(document: Document, *, marketplace: Marketplace, sales: bool) -> Page | None:
    """One product."""
    path = _PATH.search(document.url)
    if path is None or path[1] is None or path[2]:
        return None
    listing = _listing(dig(document.json, "data"), document, marketplace)
    if listing is None:
        return None
    if listing.exclusion is not None:
        return Page((), "kicksdb_product", listed=1, excluded=(listing,))
    following = (_sales_url(document, listing.product_id),) if sales else ()
    return Page((listing,), "kicksdb_product", following, listed=1)


def _parse_sales(document: Document) -> Page | None:
    """The last sales of one product, each at its own time, and the very last one as that of the product."""
    path = _PATH.search(document.url)
    if path is None or path[2] is None or not _has_data(document.json):
        return None
    currency = _asked_currency(document)
    sold = [sale for entry in items(document.json, "data") if (sale := _sale(entry, currency))]
    dated = [(sale.observed_at, sale) for sale in sold if sale.observed_at is not None and sale.amount is not None]
    last = max(dated, key=lambda entry: entry[0], default=None)
    product = () if last is None else (replace(last[1], size=None, size_system=None),)
    return Page((), "kicksdb_sales", listed=0, details=(Details(unquote(path[1]), prices=(*product, *sold)),))


def _has_data(response: Any) -> bool:
    """Whether a response has a list of results, which may be null if there are none."""
    if isinstance(dig(response, "data"), list):
        return True
    valid = dig(response, "status") == "success" or isinstance(dig(response, "meta"), dict)
    return isinstance(response, dict) and "data" in response and response["data"] is None and valid


def _listing(product: Any, document: Document, marketplace: Marketplace) -> Listing | None:
    product_id, slug = text(dig(product, "id")), text(dig(product, "slug"))
    title = first_text(dig(product, "title"), dig(product, "name"))
    if product_id is None or slug is None or title is None:
        return None
    asked = _asked_currency(document)
    retail = price(_trait(product, "retail price"), asked if asked == "USD" else None, "retail")
    release_date = _release_date(_trait(product, "release date")) or _release_date(dig(product, "release_date"))
    return Listing(
        site=marketplace.name,
        product_id=product_id,
        url=marketplace.products + quote(slug, safe=""),
        title=title,
        image_url=_image(product, document),
        page_format="kicksdb",
        brand=text(dig(product, "brand")),
        style_code=text(dig(product, "sku")),
        colourway=first_text(_trait(product, "colorway"), dig(product, "colorway")),
        retail_price=retail.amount if retail else None,
        retail_currency=retail.currency if retail and retail.amount is not None else None,
        release_date=release_date,
        prices=(*_asks(product, asked), *((retail,) if retail and retail.problem else ())),
        exclusion=exclusion(
            [text(dig(product, "product_type"))],
            tags=[text(dig(product, "category")), *(text(name) for name in items(product, "categories"))],
            title=title,
        ),
    )


def _image(product: Any, document: Document) -> str:
    """Address of the first picture that is no placeholder."""
    named = [dig(product, "image"), dig(product, "image_url")]
    pictures = (*named, *items(product, "images"), *items(product, "gallery"))
    addresses = (image_address(document.link(address)) for address in pictures if isinstance(address, str))
    return next((address for address in addresses if address), "")


def _trait(product: Any, name: str) -> Any:
    """Value of a trait such as the retail price, None if the product does not have it."""
    traits = ((text(dig(trait, "trait")), dig(trait, "value")) for trait in items(product, "traits"))
    return next((value for trait, value in traits if trait is not None and trait.lower() == name), None)


def _release_date(value: Any) -> datetime | None:
    """Midnight UTC of a date such as ``2021-02-27`` or ``20210227``; None for a year alone."""
    stated = text(value) or ""
    if re.fullmatch(r"\d{8}", stated):
        stated = f"{stated[:4]}-{stated[4:6]}-{stated[6:]}"
    return parse_date(stated)


def _asks(product: Any, asked: str | None) -> tuple[Price, ...]:
    """Lowest ask of a product and of each of its sizes, by condition; one without an amount if none is available."""
    variants = items(product, "variants")
    found = [ask for variant in variants if (ask := _ask(variant, asked))]
    by_condition = {condition: [ask for ask in found if ask.condition == condition] for condition in _states(found)}
    summarised = [ask for asks in by_condition.values() for ask in lowest_and_sizes(asks)]
    if summarised:
        return tuple(ask if ask.size is not None else replace(ask, size_system=None) for ask in summarised)
    if any(map(_is_unavailable, variants)) or number(dig(product, "min_price")) == 0:
        return (Price(None, None, "lowest_ask", available=False),)
    lowest = price(dig(product, "min_price"), asked, "lowest_ask")
    return () if lowest is None else (lowest,)


def _states(found: Sequence[Price]) -> list[Condition | None]:
    return list(dict.fromkeys(ask.condition for ask in found))


def _ask(variant: Any, asked: str | None) -> Price | None:
    """Lowest ask of a size, None if there is none."""
    if _is_unavailable(variant):
        return None
    available = True if number(dig(variant, "total_asks")) else is_available(dig(variant, "available"))
    currency = currency_code(dig(variant, "currency")) or asked
    size, system = _size(variant)
    read = price(dig(variant, "lowest_ask"), currency, "lowest_ask", size, available=available)
    state = first_text(dig(variant, "condition"), dig(variant, "shoe_condition"))
    return read and replace(read, size_system=system, condition=condition_of(state))


def _is_unavailable(variant: Any) -> bool:
    """Whether a size cannot be bought, which an ask or a number of asks of 0 states too."""
    if is_available(dig(variant, "available")) is False:
        return True
    return number(dig(variant, "total_asks")) == 0 or number(dig(variant, "lowest_ask")) == 0


def _size(variant: Any) -> tuple[str | None, SizeSystem | None]:
    """Size of a variant and the system that it states."""
    if (size := text(dig(variant, "size_us"))) is not None:
        return size, "us"
    size = text(dig(variant, "size"))
    kind = " ".join((text(dig(variant, "size_type")) or "").lower().split())
    return size, _SIZE_SYSTEMS.get(kind) if size is not None else None


def _sale(entry: Any, asked: str | None) -> Price | None:
    currency = currency_code(dig(entry, "currency")) or (asked if asked == "USD" else None)
    size, system = _size(dig(entry, "variant") if isinstance(dig(entry, "variant"), dict) else entry)
    read = price(dig(entry, "amount"), currency, "last_sale", size)
    if read is None:
        return None
    at = _moment(dig(entry, "created_at")) or _moment(dig(entry, "purchased_at"))
    if at is None:
        return replace(read, amount=None, problem=read.problem or "the sale has no date", size_system=system)
    return replace(read, observed_at=at, size_system=system)


def _moment(value: Any) -> datetime | None:
    """Time (UTC) in ISO 8601 from 2000 to 2099, None if it is missing or invalid."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC) if moment else None
    except (ValueError, OverflowError):
        return None
    return moment if moment is not None and 2000 <= moment.year < 2100 else None


def _asked_currency(document: Document) -> str | None:
    return currency_code(dict(parse_qsl(urlsplit(document.url).query)).get("currency"))


def _lacks_prices(product: Any) -> bool:
    """Whether a search result has neither variants nor a price, so that its own page is needed."""
    return not isinstance(dig(product, "variants"), list) and dig(product, "min_price") is None


def _check_upcoming(document: Document, listings: Sequence[Listing]) -> None:
    """Check that a page of upcoming releases has no released ones, which would be announced.

    Raises:
        PageError: The service ignores the filter.
    """
    match = _RELEASED_FROM.search(dict(parse_qsl(urlsplit(document.url).query)).get("filters", ""))
    if match is None:
        return
    first_day = _release_date("".join(match.groups()))
    dated = ((listing.release_date, listing) for listing in listings)
    released = [listing for day, listing in dated if first_day and day and day < first_day]
    if released:
        raise PageError(
            f"kicksdb, {released[0].site}: asked for releases from {first_day:%Y-%m-%d} on, {document.url} has "
            f"{released[0].title!r} of {released[0].release_date:%Y-%m-%d}: the service does not apply the filter"
        )


def _next_page(document: Document, count: int, max_pages: int) -> str | None:
    """URL of the next page, None after the last one: one that is not full, unless the total says that there are more.

    A full page is followed by another one even if it alone makes up the total, which may be that of the page.
    """
    this, per_page, total = page_number(document.url), _per_page(document), number(dig(document.json, "meta", "total"))
    seen = (this - 1) * per_page + count
    more = count >= per_page if total is None or (this == 1 and seen == total) else seen < total
    return with_query(document.url, page=this + 1) if count and more and this < max_pages else None


def _per_page(document: Document) -> float:
    """Products per page: what the response states, else what was asked for."""
    meta, asked = dig(document.json, "meta"), dict(parse_qsl(urlsplit(document.url).query)).get("limit")
    stated = number(dig(meta, "limit")) or number(dig(meta, "per_page")) or number(asked) or PAGE_SIZE
    return max(stated, 1.0)


def _pages(document: Document, max_pages: int) -> int | None:
    """Number of pages of search results, None if the response does not state the number of products."""
    total = number(dig(document.json, "meta", "total"))
    return min(math.ceil(total / _per_page(document)), max_pages) if total is not None and total < MAX_PAGES else None


def _product_url(document: Document, product_id: str) -> str:
    parts = urlsplit(document.url)
    shown = [(name, value) for name, value in parse_qsl(parts.query) if name.startswith("display[")]
    return document.link(f"{parts.path}/{quote(product_id, safe='')}?{urlencode([*shown, *_market(document)])}")


def _sales_url(document: Document, product_id: str) -> str:
    products = urlsplit(document.url).path.split("/products")[0] + "/products"
    return document.link(f"{products}/{quote(product_id, safe='')}/sales?{urlencode(_market(document))}")


def _market(document: Document) -> list[tuple[str, str]]:
    query = parse_qsl(urlsplit(document.url).query)
    return [(name, value) for name, value in query if name in ("market", "currency")]
