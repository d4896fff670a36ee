"""Shopify: any store on that platform, which lists its products as JSON at ``/products.json``.

Prices are the store's own, one a variant: ``list``, and ``sale`` where the store compares it with a higher one. The
lowest of them is the product's, since a store shows it so. The JSON names no currency: it is the store's setting, or
missing. Pages run on with ``?page=N`` until one is not full.

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
    page_number,
    page_of,
    prices,
    read_first,
    text,
    with_query,
)

LIMIT = 250
"""Products a page, the most that Shopify gives."""


def read_page(host: str, currency: str | None, body: bytes, url: str) -> Page:
    """Read a page of a store's products.

    Raises:
        PageError: there is no product on it.
    """
    return read_first(host, {"products_json": partial(_read_products, host, currency)}, body, url)


def store(host: str, currency: str | None = None) -> Site:
    """The site of a store, named after its host.

    Args:
        host: The store's host, such as ``example.com``.
        currency: ISO 4217 code of its prices, None if unknown.
    """
    return Site(
        name=host,
        home=f"https://{host}",
        start_path=f"/products.json?limit={LIMIT}&page=1",
        releases_path=None,
        read_page=partial(read_page, host, currency),
        image_hosts=frozenset({"cdn.shopify.com"}),
    )


def _read_products(host: str, currency: str | None, document: Document) -> Page | None:
    products = items(document.json, "products")
    number = page_number(document.url)
    return page_of(
        [_listing(product, document, host, currency) for product in products],
        "products_json",
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
        generation="products_json",
        brand=text(dig(product, "vendor")),
        style_code=_only(text(dig(variant, "sku")) for variant in variants),
        colourway=_only(text(dig(variant, colour_option)) for variant in variants) if colour_option else None,
        prices=(*_lowest(variants, currency), *(price for price in by_size if price.size is not None)),
    )


def _prices(variant: Any, currency: str | None, size: str | None = None) -> tuple[Price, ...]:
    """The full price of a variant, and the reduced one where there is a reduction."""
    now, before = dig(variant, "price"), dig(variant, "compare_at_price")
    full, final = amount(before), amount(now)
    if full is not None and final is not None and full > final:
        return prices(currency, {"list": before, "sale": now}, size)
    return prices(currency, {"list": now}, size)


def _lowest(variants: list[Any], currency: str | None) -> tuple[Price, ...]:
    """The product's prices: those of its cheapest variant."""
    priced: Mapping[int, float] = {
        i: value for i, variant in enumerate(variants) if (value := amount(dig(variant, "price"))) is not None
    }
    return _prices(variants[min(priced, key=lambda i: priced[i])], currency) if priced else ()


def _option(product: Any, word: str) -> str | None:
    """The variants' field (``option1`` to ``option3``) that holds the option of this name."""
    for place, option in enumerate(items(product, "options"), start=1):
        if word in (first_text(dig(option, "name"), option) or "").lower():
            return f"option{place}"
    return None


def _only(values: Iterable[str | None]) -> str | None:
    """The value that all have in common."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None
