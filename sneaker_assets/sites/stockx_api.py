"""StockX's official API: a second way to what ``stockx`` reads off pages, for those who have a key.

Its answers are pages like any other. A search lists products, without prices; each product then has a page of its
variants' sizes and a page of their lowest asks and highest bids. The lowest ask of them all is the product's, and so is
the highest bid, as on the site itself. The API tells of no sale and shows no picture: the address of a listing's image
is empty.

Every request carries a key and a token that expires after some hours. StockX asks for at most one request a second, and
25,000 a day.

https://developer.stockx.com/openapi/reference  https://developer.stockx.com/portal/api-introduction/
"""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote, urlencode

from sneaker_assets.sites import stockx
from sneaker_assets.sites.base import Credentials, Details, Listing, Page, Price, Site
from sneaker_assets.sites.money import amount
from sneaker_assets.sites.parsing import (
    MAX_PAGES,
    Document,
    Parser,
    parse_date,
    dig,
    first_text,
    items,
    page_number,
    prices,
    parse_first,
    text,
    with_query,
)

HOME = "https://api.stockx.com"
KEY, TOKEN = "SNEAKER_STOCKX_KEY", "SNEAKER_STOCKX_TOKEN"
PAGE_SIZE = 50
"""Products a page of a search, the most that the API gives."""

CURRENCY = "USD"
LEAST_DELAY = 1.0
_KINDS = frozenset({"sneakers", "shoes"})
_OF_A_PRODUCT = re.compile(r"/v2/catalog/products/([^/?#]+)/(variants|market-data)(?:[?#]|$)")
_HEADER = re.compile(r"[\x21-\x7e]+")


def site(key: str, token: str, query: str = "sneakers") -> Site:
    """The site ``stockx``, through the API.

    Args:
        key: the application's key (``x-api-key``).
        token: the account's access token (``Authorization: Bearer``).
        query: what is searched for; only shoes are taken of what is found.

    Raises:
        ValueError: key or token cannot be sent; the message does not show it.
    """
    for name, value in {KEY: key, TOKEN: token}.items():
        if not _HEADER.fullmatch(value):
            raise ValueError(f"StockX's API needs {KEY} and {TOKEN}: {name} is missing, or has a space or odd letter")
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
        delay=LEAST_DELAY,
    )


def parse_page(body: bytes, url: str) -> Page:
    """Read an answer of the API.

    Raises:
        PageError: it is none of those known.
    """
    return parse_first("stockx_api", PARSERS, body, url)


def _parse_search(document: Document) -> Page | None:
    """Products found, and where the sizes and prices of each are."""
    found = items(document.json, "products")
    if not found and dig(document.json, "count") != 0:
        return None
    shoes = [product for product in found if text(dig(product, "productType")) in _KINDS]
    listings = tuple(listing for product in shoes if (listing := _listing(product)))
    if shoes and not listings:
        return None
    following = with_query(document.url, pageNumber=page_number(document.url, "pageNumber") + 1)
    return Page(
        listings,
        "api_v2_search",
        (
            *(address for listing in listings for address in _addresses(listing.product_id, document)),
            *((following,) if dig(document.json, "hasNextPage") is True else ()),
        ),
        listed=len(shoes),
        pages=_pages(document.json),
    )


def _parse_variants(document: Document) -> Page | None:
    """The size of each variant of one product."""
    product_id = _product_id(document, "variants")
    if product_id is None or not isinstance(document.json, list):
        return None
    sizes = {text(dig(variant, "variantId")): _size(variant) for variant in document.json}
    known = {variant: size for variant, size in sizes.items() if variant is not None and size is not None}
    return Page((), "api_v2_variants", listed=0, details=(Details(product_id, sizes=known),))


def _parse_market_data(document: Document) -> Page | None:
    """The lowest ask and the highest bid of each variant of one product."""
    product_id = _product_id(document, "market-data")
    if product_id is None or not isinstance(document.json, list):
        return None
    by_variant = [price for entry in document.json for price in _prices(entry)]
    found = (*_of_the_product(by_variant), *by_variant)
    return Page((), "api_v2_market_data", listed=0, details=(Details(product_id, prices=found),))


PARSERS: Mapping[str, Parser] = {
    "api_v2_search": _parse_search,
    "api_v2_variants": _parse_variants,
    "api_v2_market_data": _parse_market_data,
}


def _listing(product: Any) -> Listing | None:
    product_id, key, title = (text(dig(product, name)) for name in ("productId", "urlKey", "title"))
    if product_id is None or key is None or title is None:
        return None
    traits = dig(product, "productAttributes")
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
        retail_price=amount(dig(traits, "retailPrice")),
        release_date=parse_date(dig(traits, "releaseDate")),
    )


def _addresses(product_id: str, document: Document) -> tuple[str, str]:
    product = f"/v2/catalog/products/{quote(product_id, safe='')}"
    return (
        document.link(f"{product}/variants"),
        document.link(f"{product}/market-data?currencyCode={CURRENCY}"),
    )


def _product_id(document: Document, page: str) -> str | None:
    match = _OF_A_PRODUCT.search(document.url)
    return unquote(match[1]) if match and match[2] == page else None


def _size(variant: Any) -> str | None:
    return first_text(dig(variant, "variantValue"), dig(variant, "sizeChart", "defaultConversion", "size"))


def _prices(entry: Any) -> tuple[Price, ...]:
    variant = text(dig(entry, "variantId"))
    found = prices(
        dig(entry, "currencyCode"),
        {"lowest_ask": dig(entry, "lowestAskAmount"), "highest_bid": dig(entry, "highestBidAmount")},
    )
    return tuple(replace(price, variant=variant) for price in found if variant is not None)


def _of_the_product(by_variant: list[Price]) -> tuple[Price, ...]:
    """The lowest of the asks and the highest of the bids."""
    asks = sorted((price for price in by_variant if price.label_kind == "lowest_ask"), key=_amount)
    bids = sorted((price for price in by_variant if price.label_kind == "highest_bid"), key=_amount)
    return tuple(replace(price, variant=None) for price in (*asks[:1], *bids[-1:]))


def _amount(price: Price) -> float:
    return price.amount or 0.0


def _pages(answer: Any) -> int | None:
    """How many pages there are, about: those of the search, and two a product."""
    count = amount(dig(answer, "count"))
    return math.ceil(count / PAGE_SIZE + 2 * count) if count is not None and count < MAX_PAGES else None
