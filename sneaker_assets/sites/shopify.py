"""Shopify stores, which publish their products as JSON at ``/products.json``.

Each variant has a ``list`` price and, if ``compare_at_price`` is higher, a ``sale`` price; the product gets the prices
of its cheapest variant, as in the storefront. The JSON states no currency. Pages are numbered by ``?page=N``; the first
page that is not full is the last one.

https://shopify.dev/docs/api/ajax/reference/product
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from sneaker_assets.sites.base import Listing, Page, Price, Site
from sneaker_assets.sites.money import amount
from sneaker_assets.sites.parsing import (
    Document,
    dig,
    first_text,
    items,
    make_page,
    page_number,
    parse_first,
    prices,
    text,
    with_query,
)

PAGE_FORMAT = "products_json"
LIMIT = 250
"""Products per page; the maximum that Shopify allows."""


def parse_page(host: str, currency: str | None, body: bytes, url: str) -> Page:
    """Parse a page of ``/products.json``.

    Args:
        host: Host of the store; also the name of the site.
        currency: ISO 4217 code of the store's prices, None if unknown.
        body: Body of the page, a JSON object with the key ``products``.
        url: URL of the page, including its ``page`` number.

    Returns:
        Page with one listing per product, in the format ``products_json``. ``next_urls`` holds the next page number if
        the page is full.

    Raises:
        PageError: The body is not such an object, or the first page lists no product.
    """
    return parse_first(host, {PAGE_FORMAT: partial(_parse_products, host, currency)}, body, url)


def store(host: str, currency: str | None = None) -> Site:
    """Site of one store, named after its host.

    Args:
        host: Host of the store, in lower case.
        currency: ISO 4217 code of its prices, None if unknown.
    """
    return Site(
        name=host,
        home=f"https://{host}",
        start_path=f"/products.json?limit={LIMIT}&page=1",
        releases_path=None,
        parse_page=partial(parse_page, host, currency),
        image_hosts=frozenset({"cdn.shopify.com"}),
        page_formats={PAGE_FORMAT: ["products", "last_page"]},
    )


def _parse_products(host: str, currency: str | None, document: Document) -> Page | None:
    products = items(document.json, "products")
    number = page_number(document.url)
    return make_page(
        [_listing(product, document, host, currency) for product in products],
        PAGE_FORMAT,
        with_query(document.url, page=number + 1) if len(products) >= LIMIT else None,
        0 if number > 1 and dig(document.json, "products") == [] else None,
    )


def _listing(product: Any, document: Document, host: str, currency: str | None) -> Listing | None:
    product_id, title, handle = (text(dig(product, name)) for name in ("id", "title", "handle"))
    if product_id is None or title is None or handle is None:
        return None
    variants, size_option = items(product, "variants"), _option(product, "size")
    by_size = [
        price
        for variant in variants
        for price in _prices(variant, currency, text(dig(variant, size_option)) if size_option else None)
    ]
    colour_option = _option(product, "color") or _option(product, "colour")
    return Listing(
        site=host,
        product_id=product_id,
        url=document.link(f"/products/{handle}"),
        title=title,
        image_url=document.link(first_text(dig(product, "images", 0, "src"), dig(product, "image", "src"))),
        page_format=PAGE_FORMAT,
        brand=text(dig(product, "vendor")),
        style_code=_only(text(dig(variant, "sku")) for variant in variants),
        colourway=_only(text(dig(variant, colour_option)) for variant in variants) if colour_option else None,
        prices=(*_lowest(variants, currency), *(price for price in by_size if price.size is not None)),
    )


def _prices(variant: Any, currency: str | None, size: str | None = None) -> tuple[Price, ...]:
    """The full price of a variant, and the sale price if it is reduced."""
    now, before = dig(variant, "price"), dig(variant, "compare_at_price")
    full, final = amount(before), amount(now)
    if full is not None and final is not None and full > final:
        return prices(currency, {"list": before, "sale": now}, size)
    return prices(currency, {"list": now}, size)


def _lowest(variants: list[Any], currency: str | None) -> tuple[Price, ...]:
    """Prices of the cheapest variant."""
    priced: Mapping[int, float] = {
        i: value for i, variant in enumerate(variants) if (value := amount(dig(variant, "price"))) is not None
    }
    return _prices(variants[min(priced, key=lambda i: priced[i])], currency) if priced else ()


def _option(product: Any, word: str) -> str | None:
    """Key (``option1`` to ``option3``) under which variants hold the option whose name contains ``word``."""
    for place, option in enumerate(items(product, "options"), start=1):
        if word in (first_text(dig(option, "name"), option) or "").lower():
            return f"option{place}"
    return None


def _only(values: Iterable[str | None]) -> str | None:
    """The common value if all values are equal, otherwise None."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None
