"""Shopify stores, which publish their products as JSON at ``/products.json`` and as Atom feeds of collections.

Each variant has a ``list`` price and, if ``compare_at_price`` is higher, a ``sale`` price; the product gets the prices
of its cheapest variant that is available. The JSON states no currency, so that it is that of the setting unless the
response's cookie states another one, as where a store serves another currency by the visitor's country; a feed states
it. Pages are numbered by ``?page=N``; the first page that is not full is the last one. A store lists at most 25,000
products at an address; beyond them its collections are crawled.

https://shopify.dev/docs/api/ajax/reference/product
https://help.shopify.com/en/manual/products/collections
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from sneaker_assets.sites.availability import is_available
from sneaker_assets.sites.base import Listing, Page, Price, Site
from sneaker_assets.sites.condition import condition_of
from sneaker_assets.sites.money import currency_code
from sneaker_assets.sites.parsing import (
    Document,
    Parser,
    dig,
    first_text,
    items,
    list_and_sale,
    lowest_and_sizes,
    make_page,
    page_number,
    parse_first,
    text,
    with_query,
)
from sneaker_assets.sites.size_systems import stated_size_system
from sneaker_assets.sites.sizes import size_option
from sneaker_assets.sites.taxonomy import exclusion
from sneaker_assets.tables import Condition, SizeSystem

logger = logging.getLogger(__name__)

PAGE_FORMAT = "products_json"
COLLECTIONS_FORMAT = "collections_json"
FEED_FORMAT = "collection_atom"

LIMIT = 250
"""Products per page; the maximum that Shopify allows."""

MAX_PRODUCTS = 25_000
"""Products that an address lists at most, however many there are."""

_COLOURS = (
    "color",
    "colour",
    "couleur",
    "farbe",
    "colore",
    "kleur",
    "cor",
    "farve",
    "farg",
    "カラー",
    "色",
    "색상",
    "цвет",
)
_STATE = "condition"
"""Part of the name of an option whose values are conditions."""

_CURRENCY_COOKIE = re.compile(r"\bcart_currency=([A-Za-z]{3})\b")
_ATOM = "{http://www.w3.org/2005/Atom}"
_STORE = "{http://jadedpixel.com/-/spec/shopify}"
_IMAGE = re.compile(r"<img\b[^>]*?\bsrc=[\"']([^\"']+)", re.IGNORECASE)
_FEED_SIZE = 50


def parse_page(host: str, currency: str | None, body: bytes, url: str) -> Page:
    """Parse a page of ``/products.json``, of ``/collections.json``, or an Atom feed of a collection.

    Args:
        host: Host of the store; also the name of the site.
        currency: ISO 4217 code of the store's prices, None if unknown.
        body: Body of the page.
        url: URL of the page, including its ``page`` number.

    Returns:
        Page with one listing per product. ``next_urls`` holds the next page number if the page is full, and the
        collections of a store whose products are more than an address lists.

    Raises:
        PageError: The body has none of these formats, or the first page lists no product.
    """
    parsers: Mapping[str, Parser] = {
        PAGE_FORMAT: partial(_parse_products, host, currency),
        COLLECTIONS_FORMAT: _parse_collections,
        FEED_FORMAT: partial(_parse_feed, host, currency),
    }
    return parse_first(host, parsers, body, url, host.removeprefix("www."))


def store(host: str, currency: str | None = None, path: str = "") -> Site:
    """Site of one store, named after its host.

    Args:
        host: Host of the store, in lower case.
        currency: ISO 4217 code of its prices, None if unknown.
        path: Collection to crawl instead of all products, such as ``/collections/shoes`` or its feed
            ``/collections/shoes.atom``.
    """
    path = path.rstrip("/")
    return Site(
        name=host,
        home=f"https://{host}",
        start_path=path if path.endswith(".atom") else f"{path}/products.json?limit={LIMIT}&page=1",
        releases_path=None,
        parse_page=partial(parse_page, host, currency),
        image_hosts=frozenset({"cdn.shopify.com"}),
        page_formats={
            PAGE_FORMAT: ["products", "last_page", "sizes_and_availability"],
            COLLECTIONS_FORMAT: ["collections"],
            FEED_FORMAT: ["collection_feed"],
        },
        response_currency=_response_currency,
    )


def _response_currency(headers: Mapping[str, str]) -> str | None:
    """Currency that a response states for its amounts, None if it states none."""
    found = _CURRENCY_COOKIE.search(headers.get("Set-Cookie", ""))
    return currency_code(found[1]) if found else None


def _parse_products(host: str, currency: str | None, document: Document) -> Page | None:
    products = items(document.json, "products")
    page = page_number(document.url)
    following = with_query(document.url, page=page + 1) if len(products) >= LIMIT else None
    if following and page * LIMIT >= MAX_PRODUCTS:
        logger.warning("%s lists %d products and has more: its collections are crawled", document.url, MAX_PRODUCTS)
        following = document.link(f"/collections.json?limit={LIMIT}&page=1")
    return make_page(
        [_listing(product, document, host, currency) for product in products],
        PAGE_FORMAT,
        following,
        0 if page > 1 and dig(document.json, "products") == [] else None,
    )


def _parse_collections(document: Document) -> Page | None:
    """The collections of a store, whose products are on pages of their own."""
    found = dig(document.json, "collections")
    if not isinstance(found, list):
        return None
    handles = [handle for collection in found if (handle := text(dig(collection, "handle")))]
    addresses = [f"/collections/{quote(handle, safe='')}/products.json?limit={LIMIT}&page=1" for handle in handles]
    following = with_query(document.url, page=page_number(document.url) + 1) if len(found) >= LIMIT else None
    links = (*map(document.link, addresses), *((following,) if following else ()))
    return Page((), COLLECTIONS_FORMAT, links, listed=0)


def _listing(product: Any, document: Document, host: str, currency: str | None) -> Listing | None:
    product_id, title, handle = (text(dig(product, name)) for name in ("id", "title", "handle"))
    if product_id is None or title is None or handle is None:
        return None
    variants = items(product, "variants")
    names, tags = _options(product), _tags(product)
    size_key, colour_key = size_option(names, variants), _colour_option(product)
    size_system = stated_size_system(names[int(size_key[-1]) - 1]) if size_key and names else None
    kind = first_text(dig(product, "product_type"), dig(product, "type"))
    state_keys = [f"option{place}" for place, name in enumerate(names, start=1) if _STATE in name.lower()]
    state = _condition(kind, *tags)
    return Listing(
        site=host,
        product_id=product_id,
        url=document.link(f"/products/{handle}"),
        title=title,
        image_url=document.link(first_text(dig(product, "images", 0, "src"), dig(product, "image", "src"))),
        page_format=PAGE_FORMAT,
        brand=text(dig(product, "vendor")),
        style_code=_only(text(dig(variant, "sku")) for variant in variants),
        colourway=_only(text(dig(variant, colour_key)) for variant in variants) if colour_key else None,
        prices=_by_size(
            _described(
                _prices(variant, currency, text(dig(variant, size_key)) if size_key else None),
                size_system,
                _condition(*(dig(variant, key) for key in state_keys)) or state,
            )
            for variant in variants
        ),
        exclusion=exclusion([kind], tags=tags, title=title),
    )


def _condition(*labels: Any) -> Condition | None:
    """Condition that labels state; one that is not new prevails, since shops also tag new arrivals as new."""
    stated = {condition_of(text(label)) for label in labels} - {None}
    return next((condition for condition in ("used", "defects", "new") if condition in stated), None)


def _described(
    found: Iterable[Price], size_system: SizeSystem | None, condition: Condition | None
) -> tuple[Price, ...]:
    """Prices with the condition of their variant, and the system of sizes that do not state one."""
    return tuple(
        replace(price, size_system=price.size_system or size_system, condition=condition) for price in found
    )


def _tags(product: Any) -> list[str]:
    tags = dig(product, "tags")
    found = tags.split(",") if isinstance(tags, str) else items(tags)
    return [label for tag in found if (label := text(tag))]


def _prices(variant: Any, currency: str | None, size: str | None = None) -> tuple[Price, ...]:
    """The full price of a variant, and the sale price if it is reduced."""
    available = is_available(dig(variant, "available"))
    return list_and_sale(dig(variant, "compare_at_price"), dig(variant, "price"), currency, size, available=available)


def _by_size(variants: Iterable[tuple[Price, ...]]) -> tuple[Price, ...]:
    """Prices of the cheapest variant that is available, and of each size."""
    offers = [found for found in variants if found]
    paid = [found[-1] for found in offers]
    ranked = lowest_and_sizes(paid)
    full = {id(found[-1]): found[0] for found in offers if len(found) > 1}
    return tuple(_with_full_price(ranked, paid, full))


def _with_full_price(ranked: Sequence[Price], paid: Sequence[Price], full: Mapping[int, Price]) -> Iterable[Price]:
    """Each price that is paid, after the price that it was reduced from."""
    for price in ranked:
        source = next(
            found
            for found in paid
            if (found.amount, found.available, found.problem, found.condition)
            == (price.amount, price.available, price.problem, price.condition)
            and price.size in (None, found.size)
        )
        if before := full.get(id(source)):
            yield Price(
                before.amount,
                before.currency,
                before.label_kind,
                price.size,
                before.raw_text,
                available=price.available,
                condition=price.condition,
                size_system=price.size_system,
            )
        yield price


def _options(product: Any) -> list[str]:
    """Names of the options, in the order in which variants hold their values under ``option1`` to ``option3``."""
    return [first_text(dig(option, "name"), option) or "" for option in items(product, "options")]


def _colour_option(product: Any) -> str | None:
    """Key under which variants hold their colour."""
    for place, name in enumerate(_options(product), start=1):
        if any(word in name.lower() for word in _COLOURS):
            return f"option{place}"
    return None


def _only(values: Iterable[str | None]) -> str | None:
    """The common value if all values are equal, otherwise None."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _parse_feed(host: str, currency: str | None, document: Document) -> Page | None:
    """Atom feed of a collection, which states the currency of each price but not what is available."""
    from lxml import etree

    if b"http://www.w3.org/2005/Atom" not in document.body[:2000]:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, load_dtd=False)
    feed = etree.fromstring(document.body, parser)
    if feed is None or feed.tag != f"{_ATOM}feed":
        return None
    entries = feed.findall(f"{_ATOM}entry")
    page = page_number(document.url)
    return make_page(
        [_entry_listing(entry, document, host, currency) for entry in entries],
        FEED_FORMAT,
        with_query(document.url, page=page + 1) if len(entries) >= _FEED_SIZE else None,
        0 if page > 1 and not entries else None,
    )


def _entry_listing(entry: Any, document: Document, host: str, currency: str | None) -> Listing | None:
    links = [link.get("href") for link in entry.findall(f"{_ATOM}link") if link.get("rel", "alternate") == "alternate"]
    title, address = text(entry.findtext(f"{_ATOM}title")), document.link(links[0] if links else None)
    product_id = (text(entry.findtext(f"{_ATOM}id")) or "").rpartition("/")[2]
    if title is None or not product_id or not _is_path(address):
        return None
    variants = [
        {"option1": value, "price": price.text, "currency": price.get("currency"), "sku": sku}
        for variant in entry.findall(f"{_STORE}variant")
        if (price := variant.find(f"{_STORE}price")) is not None
        for value, sku in [(variant.findtext(f"{_ATOM}title"), variant.findtext(f"{_STORE}sku"))]
    ]
    parts = [{**variant, **_split_title(variant["option1"])} for variant in variants]
    size_key = size_option(["", "", ""], parts)
    image = _IMAGE.search(entry.findtext(f"{_ATOM}summary") or "")
    return Listing(
        site=host,
        product_id=product_id,
        url=address,
        title=title,
        image_url=document.link(image[1] if image else None),
        page_format=FEED_FORMAT,
        brand=text(entry.findtext(f"{_STORE}vendor")),
        style_code=_only(text(variant["sku"]) for variant in parts),
        prices=_by_size(
            _prices(variant, variant["currency"] or currency, text(variant.get(size_key)) if size_key else None)
            for variant in parts
        ),
        exclusion=exclusion(
            [text(entry.findtext(f"{_STORE}type"))],
            tags=[text(tag.text) for tag in entry.findall(f"{_STORE}tag")],
            title=title,
        ),
    )


def _split_title(title: str | None) -> dict[str, str]:
    """Values of the options that the title of a variant joins, such as ``9 / Black``."""
    return {f"option{place}": value for place, value in enumerate((title or "").split(" / ")[:3], start=1)}


def _is_path(address: str) -> bool:
    try:
        return bool(urlsplit(address).path.strip("/"))
    except ValueError:
        return False
