"""Farfetch, a shop whose pages embed their data as script state, as JSON-LD or, in 2015, as markup.

Prices are ``list`` and, if reduced, ``sale``. Script state is tried before JSON-LD, which does not distinguish reduced
from full prices. Listing pages are numbered by ``?page=N``.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sneaker_assets.sites import json_ld
from sneaker_assets.sites.availability import is_available
from sneaker_assets.sites.base import Listing, Page, Price, Site
from sneaker_assets.sites.json_values import (
    assigned_json,
    dig,
    first,
    first_text,
    items,
    mapping,
    number,
    objects,
    parse_date,
    parse_json,
    text,
)
from sneaker_assets.sites.microdata import microdata_product
from sneaker_assets.sites.parsing import Document, Parser, make_page, next_link, page_number, parse_first, with_query
from sneaker_assets.sites.prices import list_and_sale, prices
from sneaker_assets.sites.taxonomy import exclusion

NAME = "farfetch"
HOME = "https://www.farfetch.com"
DOMAIN = "farfetch.com"

_HYDRATION = re.compile(r"__HYDRATION_STATE__['\"\]]*\s*=\s*")
_INITIAL_STATE = re.compile(r"__initialState[\w-]*['\"\]]*\s*=\s*")
_PRODUCT_ID = re.compile(r"-item-(\d+)\.aspx|-(\d{6,})(?:[/?#]|$)")


def parse_page(body: bytes, url: str) -> Page:
    """Parse a Farfetch page.

    Raises:
        PageError: The page has none of the known formats or lists no product.
    """
    return parse_first(NAME, PARSERS, body, url, DOMAIN)


def _parse_hydration(document: Document) -> Page | None:
    """``__HYDRATION_STATE__`` of product pages and some listing pages."""
    return _parse_state(_hydration_state(document), document, "hydration_state")


def _parse_initial_state(document: Document) -> Page | None:
    """``__initialState…__`` of listing and product pages, or the JSON response of the listing API."""
    if document.json:
        return _parse_state(document.json, document, "initial_state")
    states = (assigned_json(script.get_text(), _INITIAL_STATE) for script in document.scripts)
    return next((page for state in states if (page := _parse_state(state, document, "initial_state"))), None)


def _parse_item_list(document: Document) -> Page | None:
    """JSON-LD of listing and product pages."""
    listings = json_ld.parse_products(document, json_ld.Dialect(NAME, "list", _json_ld_id))
    state = _hydration_state(document)
    following = _next_page(state, document) or next_link(document)
    return make_page(listings, json_ld.PAGE_FORMAT, following, pages=_pages(state))


def _json_ld_id(node: dict[str, Any], address: str) -> str | None:
    return first_text(node.get("productID"), node.get("productGroupID"), node.get("sku"), _product_id(address))


def _parse_markup(document: Document) -> Page | None:
    """Meta tags and microdata of a 2015 product page."""
    node = microdata_product(document)
    title = first_text(first(node.get("name")), document.meta("og:title"))
    address = document.link(document.meta("og:url")) or document.url
    found = json_ld.offer_prices(node, "list") or _meta_prices(document)
    if title is None or not (found or "offers" in node or _meta(document, "price:amount")):
        return None
    listing = Listing(
        site=NAME,
        product_id=text(first(node.get("sku"))) or _product_id(address),
        url=address,
        title=html.unescape(title),
        image_url=document.link(document.meta("og:image") or text(first(node.get("image")))),
        page_format="markup_2015",
        brand=first_text(first(node.get("brand")), dig(first(node.get("brand")), "name")),
        prices=found,
        exclusion=exclusion([text(first(node.get("category"))), document.meta("product:category")], title=title),
    )
    return make_page([listing], "markup_2015")


def _meta(document: Document, name: str) -> str:
    """Content of an Open Graph property of a product."""
    return document.meta(f"og:{name}") or document.meta(f"product:{name}")


def _meta_prices(document: Document) -> tuple[Price, ...]:
    available = is_available(_meta(document, "availability"))
    currency = _meta(document, "price:currency")
    return prices(currency, {"list": _meta(document, "price:amount")}, available=available)


PARSERS: Mapping[str, Parser] = {
    "hydration_state": _parse_hydration,
    "initial_state": _parse_initial_state,
    json_ld.PAGE_FORMAT: _parse_item_list,
    "markup_2015": _parse_markup,
}

PAGE_FORMATS: Mapping[str, Sequence[str]] = {
    "hydration_state": ["hydration_product"],
    "initial_state": ["initial_state_listing", "initial_state_product", "empty_listing"],
    "listing_entries_2018": ["listing_entries_2018"],
    json_ld.PAGE_FORMAT: ["json_ld_list", "json_ld_product", "json_ld_group"],
    "markup_2015": ["meta_2015", "microdata_2015"],
}


def _parse_state(state: Any, document: Document, page_format: str) -> Page | None:
    for found in objects(state):
        if dig(found, "listingItems") or dig(found, "products", "entries") is not None:
            listings = [_state_listing(entry, document, page_format) for entry in items(found, "listingItems", "items")]
            listings += [_entry_listing(entry, document) for entry in items(found, "products", "entries")]
            total = dig(found, "listingPagination", "totalItems")
            following = _next_page(state, document) or next_link(document)
            return make_page(listings, page_format, following, total, _pages(state))
        if isinstance(product := dig(found, "productViewModel"), dict):
            listing = _product_listing(product, document, page_format)
            return make_page([listing], page_format)
    return None


def _state_listing(entry: Any, document: Document, page_format: str) -> Listing | None:
    """Listing of an item of ``listingItems``."""
    product_id, title = text(dig(entry, "id")), text(dig(entry, "shortDescription"))
    if product_id is None or title is None:
        return None
    return Listing(
        site=NAME,
        product_id=product_id,
        url=document.link(text(dig(entry, "url"))),
        title=title,
        image_url=document.link(first_text(dig(entry, "images", "cutOut"), dig(entry, "images", "model"))),
        page_format=page_format,
        brand=text(dig(entry, "brand", "name")),
        release_date=parse_date(dig(entry, "releaseDate")),
        prices=_own_prices(dig(entry, "priceInfo")),
    )


def _entry_listing(entry: Any, document: Document) -> Listing | None:
    """Listing of an entry of ``products.entries``, the state used in 2018."""
    product_id, title = text(dig(entry, "id")), text(dig(entry, "shortDescription"))
    if product_id is None or title is None:
        return None
    images = [image for image in items(entry, "images") if text(dig(image, "url"))]
    largest = max(images, key=lambda image: number(dig(image, "size")) or 0.0, default=None)
    return Listing(
        site=NAME,
        product_id=product_id,
        url=document.link(f"/{text(dig(entry, 'slug')) or product_id}"),
        title=title,
        image_url=document.link(text(dig(largest, "url"))),
        page_format="listing_entries_2018",
        brand=text(dig(entry, "brand", "name")),
        prices=list_and_sale(dig(entry, "priceWithoutDiscount"), dig(entry, "price"), dig(entry, "currencyIsoCode")),
    )


def _product_listing(product: Any, document: Document, page_format: str) -> Listing | None:
    """Listing of the ``productViewModel`` of a product page, whose prices are keyed by size and ``default``."""
    details, designer = dig(product, "details"), dig(product, "designerDetails")
    product_id, title = text(dig(details, "productId")), text(dig(details, "shortDescription"))
    if product_id is None or title is None:
        return None
    image = dig(product, "images", "main", 0)
    by_size = [
        found
        for key, size in mapping(product, "sizes", "available").items()
        for found in _own_prices(dig(product, "priceInfo", key), text(dig(size, "description")), available=True)
        if found.size is not None
    ]
    return Listing(
        site=NAME,
        product_id=product_id,
        url=document.url,
        title=title,
        image_url=document.link(first_text(*(dig(image, size) for size in ("zoom", "1000", "600")))),
        page_format=page_format,
        brand=text(dig(designer, "name")),
        style_code=text(dig(designer, "designerStyleId")),
        colourway=text(dig(designer, "designerColour")),
        prices=(*_own_prices(dig(product, "priceInfo", "default")), *by_size),
    )


def _own_prices(info: Any, size: str | None = None, *, available: bool | None = None) -> tuple[Price, ...]:
    """Prices of a ``priceInfo`` object."""
    return list_and_sale(
        dig(info, "initialPrice"), dig(info, "finalPrice"), dig(info, "currencyCode"), size, available=available
    )


def _product_id(address: str) -> str:
    match = _PRODUCT_ID.search(address)
    return next(filter(None, match.groups())) if match else address


def _hydration_state(document: Document) -> Any:
    """``__HYDRATION_STATE__``, which is either an object or a JSON-encoded string."""
    states = (assigned_json(script.get_text(), _HYDRATION) for script in document.scripts)
    state = next((state for state in states if state is not None), None)
    return parse_json(state) if isinstance(state, str) else state


def _next_page(state: Any, document: Document) -> str | None:
    """URL of the next page if the state says that there is one (``hasNextPage`` or ``totalPages``)."""
    shown = page_number(document.url)
    for found in objects(state):
        pages = number(found.get("totalPages"))
        if found.get("hasNextPage") is True or (pages is not None and shown < pages):
            return with_query(document.url, page=shown + 1)
    return None


def _pages(state: Any) -> float | None:
    """Number of pages according to the state, or None."""
    return next((pages for found in objects(state) if (pages := number(found.get("totalPages")))), None)


SITE = Site(
    name=NAME,
    home=HOME,
    start_path="/shopping/men/shoes-2/items.aspx",
    releases_path="/shopping/men/coming-soon/items.aspx",
    parse_page=parse_page,
    image_hosts=frozenset({"cdn-images.farfetch.com", "cdn-images.farfetch-contents.com"}),
    page_formats=PAGE_FORMATS,
)
SITES = (SITE,)
