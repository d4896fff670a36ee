"""StockX through its official API, as an alternative to crawling its pages; requires a key.

A search returns products without prices. Each product has one response with the sizes of its variants and one with
their lowest asks and highest bids; the lowest ask and the highest bid over all variants become those of the product.
The API returns neither sales nor images, so ``image_url`` is empty.

Requests are authenticated by a key and a token that expires after some hours. StockX limits clients to one request per
second and 25,000 per day.

https://developer.stockx.com/openapi/reference  https://developer.stockx.com/portal/api-introduction/
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from sneaker_assets.sites import stockx
from sneaker_assets.sites.base import Credentials, Details, Listing, Page, Price, Site
from sneaker_assets.sites.parsing import (
    MAX_PAGES,
    Document,
    Parser,
    dig,
    first_text,
    items,
    number,
    page_number,
    parse_date,
    parse_first,
    price,
    prices,
    text,
    with_query,
)
from sneaker_assets.sites.size_systems import stated_size_system
from sneaker_assets.sites.taxonomy import exclusion
from sneaker_assets.tables import SizeSystem

HOME = "https://api.stockx.com"
KEY, TOKEN = "SNEAKER_STOCKX_KEY", "SNEAKER_STOCKX_TOKEN"
PAGE_SIZE = 50
"""Products per page of search results; the maximum that the API allows."""

CURRENCY = "USD"
MIN_DELAY = 1.0
"""Seconds between requests, as the API's terms require."""

_PRODUCT_PATH = re.compile(r"/v2/catalog/products/([^/?#]+)/(variants|market-data)(?:[?#]|$)")
_HEADER = re.compile(r"[\x21-\x7e]+")


def site(key: str, token: str, query: str = "sneakers") -> Site:
    """The site ``stockx``, crawled through the API.

    Args:
        key: API key (``x-api-key``).
        token: Access token (``Authorization: Bearer``).
        query: Search query; results other than shoes are ignored.

    Raises:
        ValueError: Key or token is missing or not a valid header value; the message does not contain it.
    """
    for name, value in {KEY: key, TOKEN: token}.items():
        if not _HEADER.fullmatch(value):
            raise ValueError(
                f"StockX's API needs {KEY} and {TOKEN}: {name} is missing or has a space or non-ASCII character"
            )
    return Site(
        name=stockx.NAME,
        home=HOME,
        start_path="/v2/catalog/search?" + urlencode({"query": query, "pageNumber": 1, "pageSize": PAGE_SIZE}),
        releases_path=None,
        parse_page=parse_page,
        image_hosts=stockx.SITE.image_hosts,
        credentials=Credentials(
            {"x-api-key": key, "Authorization": f"Bearer {token}"},
            renew=f"get a new token and set {TOKEN} to it, and see that {KEY} is right",
        ),
        delay=MIN_DELAY,
        page_formats=PAGE_FORMATS,
    )


def parse_page(body: bytes, url: str) -> Page:
    """Parse a response of the API.

    Raises:
        PageError: The response has none of the known formats.
    """
    return parse_first("stockx_api", PARSERS, body, url, stockx.DOMAIN)


def _parse_search(document: Document) -> Page | None:
    """Search results, followed by the URLs of the sizes and prices of each product."""
    found = items(document.json, "products")
    if not found and dig(document.json, "count") != 0:
        return None
    parsed = [listing for product in found if (listing := _listing(product))]
    listings = tuple(listing for listing in parsed if listing.exclusion is None)
    if found and not parsed:
        return None
    following = with_query(document.url, pageNumber=page_number(document.url, "pageNumber") + 1)
    return Page(
        listings,
        "api_v2_search",
        (
            *(address for listing in listings for address in _addresses(listing.product_id, document)),
            *((following,) if dig(document.json, "hasNextPage") is True else ()),
        ),
        listed=len(found),
        pages=_pages(document.json),
        excluded=tuple(listing for listing in parsed if listing.exclusion is not None),
    )


def _parse_variants(document: Document) -> Page | None:
    """Size of each variant of one product."""
    product_id = _product_id(document, "variants")
    if product_id is None or not isinstance(document.json, list):
        return None
    sizes = {text(dig(variant, "variantId")): _size(variant) for variant in document.json}
    known = {variant: size for variant, size in sizes.items() if variant is not None and size is not None}
    stated = {text(dig(variant, "variantId")): _size_system(variant) for variant in document.json}
    systems = {variant: system for variant, system in stated.items() if variant in known and system is not None}
    details = Details(product_id, sizes=known, size_systems=systems)
    return Page((), "api_v2_variants", listed=0, details=(details,))


def _parse_market_data(document: Document) -> Page | None:
    """Lowest ask and highest bid of each variant of one product."""
    product_id = _product_id(document, "market-data")
    if product_id is None or not isinstance(document.json, list):
        return None
    asked = dict(parse_qsl(urlsplit(document.url).query)).get("currencyCode")
    by_variant = [price for entry in document.json for price in _prices(entry, asked)]
    found = (*_product_prices(by_variant), *by_variant)
    return Page((), "api_v2_market_data", listed=0, details=(Details(product_id, prices=found),))


PARSERS: Mapping[str, Parser] = {
    "api_v2_search": _parse_search,
    "api_v2_variants": _parse_variants,
    "api_v2_market_data": _parse_market_data,
}

PAGE_FORMATS: Mapping[str, Sequence[str]] = {
    "api_v2_search": ["search", "empty_search"],
    "api_v2_variants": ["variants"],
    "api_v2_market_data": ["market_data", "no_market"],
}


def _listing(product: Any) -> Listing | None:
    product_id, key, title = (text(dig(product, name)) for name in ("productId", "urlKey", "title"))
    if product_id is None or key is None or title is None:
        return None
    traits = dig(product, "productAttributes")
    retail = price(dig(traits, "retailPrice"), stockx.RETAIL_CURRENCY, "retail")
    return Listing(
        site=stockx.NAME,
        product_id=product_id,
        url=f"{stockx.HOME}/{key}",
        title=title,
        image_url="",
        page_format="api_v2",
        brand=text(dig(product, "brand")),
        style_code=text(dig(product, "styleId")),
        colourway=first_text(dig(traits, "colorway"), dig(traits, "color")),
        retail_price=retail.amount if retail else None,
        retail_currency=retail.currency if retail and retail.amount is not None else None,
        release_date=parse_date(dig(traits, "releaseDate")),
        prices=(retail,) if retail and retail.problem else (),
        exclusion=exclusion([text(dig(product, "productType"))]),
    )


def _addresses(product_id: str, document: Document) -> tuple[str, str]:
    product = f"/v2/catalog/products/{quote(product_id, safe='')}"
    return (
        document.link(f"{product}/variants"),
        document.link(f"{product}/market-data?currencyCode={CURRENCY}"),
    )


def _product_id(document: Document, page: str) -> str | None:
    match = _PRODUCT_PATH.search(document.url)
    return unquote(match[1]) if match and match[2] == page else None


def _size(variant: Any) -> str | None:
    return first_text(dig(variant, "variantValue"), dig(variant, "sizeChart", "defaultConversion", "size"))


def _size_system(variant: Any) -> SizeSystem | None:
    return stated_size_system(text(dig(variant, "sizeChart", "defaultConversion", "type")) or "")


def _prices(entry: Any, asked: str | None) -> tuple[Price, ...]:
    variant = text(dig(entry, "variantId"))
    found = prices(
        first_text(dig(entry, "currencyCode"), asked),
        {"lowest_ask": dig(entry, "lowestAskAmount"), "highest_bid": dig(entry, "highestBidAmount")},
    )
    return tuple(replace(read, variant=variant) for read in found if variant is not None)


def _product_prices(by_variant: list[Price]) -> tuple[Price, ...]:
    """The lowest ask and the highest bid over all variants."""
    readable = [price for price in by_variant if price.amount is not None]
    asks = sorted((price for price in readable if price.label_kind == "lowest_ask"), key=_amount)
    bids = sorted((price for price in readable if price.label_kind == "highest_bid"), key=_amount)
    return tuple(replace(price, variant=None) for price in (*asks[:1], *bids[-1:]))


def _amount(price: Price) -> float:
    return price.amount or 0.0


def _pages(response: Any) -> int | None:
    """Approximate number of responses of the crawl: the search pages and two per product."""
    count = number(dig(response, "count"))
    return math.ceil(count / PAGE_SIZE + 2 * count) if count is not None and count < MAX_PAGES else None
