"""StockX, a sneaker marketplace whose pages embed their data as JSON.

Prices are the last sale, average sale, lowest ask and highest bid, in the currency of the market, else of the query
that returned it; retail prices are in US dollars on every page. Listing pages are numbered by ``?page=N``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sneaker_assets.sites import json_ld
from sneaker_assets.sites.base import Listing, Page, Price, Site
from sneaker_assets.sites.money import currency_code
from sneaker_assets.sites.parsing import (
    Document,
    Parser,
    attribute,
    dig,
    first_text,
    host_of,
    items,
    make_page,
    mapping,
    nested_objects,
    next_link,
    number,
    objects,
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

NAME = "stockx"
HOME = "https://stockx.com"
DOMAIN = "stockx.com"
RETAIL_CURRENCY = "USD"

_API_HOSTS = ("api.stockx.com", "gateway.stockx.com")
_QUERY_KEYS = ("queryKey", "variables", "query")
_CURRENCY_KEYS = ("currencyCode", "currency", "selectedCurrency")


def parse_page(body: bytes, url: str) -> Page:
    """Parse a StockX page.

    Raises:
        PageError: The page has none of the known formats or lists no product.
    """
    return parse_first(NAME, PARSERS, body, url, DOMAIN)


def _parse_search(document: Document) -> Page | None:
    """Search results in ``__NEXT_DATA__`` since 2023, or the response of the site's GraphQL API."""
    for state in _states(document):
        for found, above in nested_objects(state):
            results = dig(found, "results")
            if isinstance(dig(results, "edges"), list):
                currency = _stated_currency((*above, found), document)
                listings = [_search_listing(dig(edge, "node"), document, currency) for edge in items(results, "edges")]
                info = dig(results, "pageInfo")
                following, pages = _next_page(info, document), _pages(info)
                return make_page(listings, "next_data_search", following, dig(info, "total"), pages)
    return None


def _parse_product(document: Document) -> Page | None:
    """Product page in ``__NEXT_DATA__`` since 2023, or the response of the site's GraphQL API."""
    for state in _states(document):
        for found, above in nested_objects(state):
            product = dig(found, "product")
            if _key(product) and (dig(product, "market") or dig(product, "pricing")):
                listing = _product_listing(product, document, _stated_currency((*above, found), document))
                return make_page([listing], "next_data_product")
    return None


def _parse_browse(document: Document) -> Page | None:
    """JSON response of the 2020 catalogue API."""
    products, pagination = items(document.json, "Products"), dig(document.json, "Pagination")
    listings = [_browse_listing(product, document) for product in products]
    following, last = (document.link(text(dig(pagination, name))) for name in ("nextPage", "lastPage"))
    pages = page_number(last) if last else None
    return make_page(listings, "browse_2020", following, dig(pagination, "total"), pages)


def _parse_json_ld(document: Document) -> Page | None:
    """JSON-LD of listing and product pages; ``lowPrice`` is the lowest ask."""
    dialect = json_ld.Dialect(NAME, "lowest_ask", _json_ld_id, style_field="sku")
    return make_page(json_ld.parse_products(document, dialect), json_ld.PAGE_FORMAT, next_link(document))


def _json_ld_id(node: dict[str, Any], address: str) -> str | None:
    """Product ID, or the last path segment of the URL, which other page formats call ``urlKey``."""
    return first_text(node.get("productID"), urlsplit(address).path.rpartition("/")[2])


PARSERS: Mapping[str, Parser] = {
    "next_data_search": _parse_search,
    "next_data_product": _parse_product,
    "browse_2020": _parse_browse,
    json_ld.PAGE_FORMAT: _parse_json_ld,
}

PAGE_FORMATS: Mapping[str, Sequence[str]] = {
    "next_data_search": ["empty_search_2024"],
    "next_data_search_2023": ["next_data_search_2023"],
    "next_data_search_2024": ["next_data_search_2024", "query_script_2024", "graphql_2025"],
    "next_data_product_2023": ["next_data_product_2023"],
    "next_data_product_2024": ["next_data_product_2024"],
    "browse_2020": ["browse_2020"],
    json_ld.PAGE_FORMAT: ["json_ld_list", "json_ld_product"],
}


def _states(document: Document) -> list[Any]:
    if document.json is not None:
        return [document.json]
    return [
        document.script_json(script)
        for script in document.scripts
        if attribute(script, "id") == "__NEXT_DATA__" or attribute(script, "data-name") == "query"
    ]


def _stated_currency(above: Sequence[dict[str, Any]], document: Document) -> str | None:
    """The currency that the query of some results states, else the state around it, else the URL; None if unknown.

    Args:
        above: The objects that contain the results, from the outermost to the innermost.
        document: The page.
    """
    for found in reversed(above):
        queries = [inner for name in _QUERY_KEYS for inner in objects(found.get(name))]
        for scope in ([found], queries):
            codes = {code for part in scope for name in _CURRENCY_KEYS if (code := currency_code(part.get(name)))}
            if codes:
                return codes.pop() if len(codes) == 1 else None
    query = dict(parse_qsl(urlsplit(document.url).query))
    return next((code for name in _CURRENCY_KEYS if (code := currency_code(query.get(name)))), None)


def _search_listing(node: Any, document: Document, currency: str | None) -> Listing | None:
    market = dig(node, "market")
    later = "lowestAsk" in mapping(market, "state")
    return _listing(
        node,
        document,
        "next_data_search_2024" if later else "next_data_search_2023",
        traits=_traits(items(node, "productTraits") or items(node, "traits")),
        found=_market_prices(market, _currency(market) or currency),
    )


def _product_listing(product: Any, document: Document, currency: str | None) -> Listing | None:
    """Listing of a product page, whose market data is nested in the product (2023) or under ``pricing`` (2024)."""
    later = dig(product, "pricing")
    market = dig(later or product, "market")
    currency = _currency(market) or currency
    sizes = {text(dig(variant, "id")): text(dig(variant, "traits", "size")) for variant in items(product, "variants")}
    systems = {
        text(dig(variant, "id")): stated_size_system(text(dig(variant, "sizeChart", "baseType")) or "")
        for variant in items(product, "variants")
    }
    by_size = [
        replace(price, size_system=systems.get(text(dig(variant, "id"))))
        for variant in items(later or product, "variants")
        for price in _market_prices(
            dig(variant, "market"), _currency(dig(variant, "market")) or currency, sizes.get(text(dig(variant, "id")))
        )
        if price.size is not None
    ]
    return _listing(
        product,
        document,
        "next_data_product_2024" if later else "next_data_product_2023",
        traits=_traits(items(product, "traits")),
        found=(*_market_prices(market, currency), *by_size),
    )


def _browse_listing(product: Any, document: Document) -> Listing | None:
    market = dig(product, "market")
    found = prices(
        _currency(market),
        {
            "last_sale": dig(market, "lastSale"),
            "average_sale": dig(market, "averageDeadstockPrice"),
            "lowest_ask": dig(market, "lowestAsk"),
            "highest_bid": dig(market, "highestBid"),
        },
    )
    return _listing(product, document, "browse_2020", traits=_traits(items(product, "traits")), found=found)


def _listing(
    node: Any, document: Document, page_format: str, *, traits: Mapping[str, Any], found: tuple[Price, ...]
) -> Listing | None:
    """Listing from the fields that all formats share; None if the node is not a product."""
    key, title = _key(node), text(dig(node, "title"))
    if key is None or title is None:
        return None
    media = dig(node, "media")
    retail = next(
        (
            stated
            for raw in (dig(node, "retailPrice"), traits.get("Retail Price"))
            if (stated := price(raw, RETAIL_CURRENCY, "retail"))
        ),
        None,
    )
    types = (dig(node, "productCategory"), *items(node, "browseVerticals"), dig(node, "contentGroup"))
    return Listing(
        site=NAME,
        product_id=first_text(dig(node, "id"), key) or key,
        url=f"{HOME}/{key}" if host_of(document.url) in _API_HOSTS else document.link(f"/{key}"),
        title=title,
        image_url=first_text(*(dig(media, name) for name in ("imageUrl", "smallImageUrl", "thumbUrl"))) or "",
        page_format=page_format,
        brand=first_text(dig(node, "brand"), dig(node, "brands", "default", "name")),
        style_code=first_text(dig(node, "styleId"), traits.get("Style")),
        colourway=first_text(dig(node, "colorway"), traits.get("Colorway"), traits.get("Color")),
        retail_price=retail.amount if retail else None,
        retail_currency=retail.currency if retail and retail.amount is not None else None,
        release_date=parse_date(dig(node, "releaseDate")) or parse_date(traits.get("Release Date")),
        prices=(*found, *((retail,) if retail and retail.problem else ())),
        exclusion=exclusion(text(label) for label in types),
    )


def _key(node: Any) -> str | None:
    """Last path segment of the product's URL; the ID, which also leads there, in data without one."""
    return first_text(dig(node, "urlKey"), dig(node, "id"))


def _market_prices(market: Any, currency: str | None, size: str | None = None) -> tuple[Price, ...]:
    """Prices of a market: plain numbers in 2023, objects with an ``amount`` since 2024."""
    sales = dig(market, "salesInformation", "lastSale")
    return prices(
        currency,
        {
            "last_sale": sales if sales is not None else dig(market, "statistics", "lastSale", "amount"),
            "average_sale": dig(market, "deadStock", "averagePrice"),
            "lowest_ask": _plain(dig(market, "state", "lowestAsk"), dig(market, "bidAskData", "lowestAsk")),
            "highest_bid": _plain(dig(market, "state", "highestBid"), dig(market, "bidAskData", "highestBid")),
        },
        size,
    )


def _plain(later: Any, earlier: Any) -> Any:
    return dig(later, "amount") if isinstance(later, dict) else earlier


def _currency(market: Any) -> str | None:
    return currency_code(dig(market, "currencyCode"))


def _traits(traits: list[Any]) -> dict[str, Any]:
    return {str(dig(trait, "name")): dig(trait, "value") for trait in traits}


def _next_page(info: Any, document: Document) -> str | None:
    page, pages = number(dig(info, "page")), _pages(info)
    return (
        with_query(document.url, page=int(page) + 1)
        if page is not None and pages is not None and page < pages
        else None
    )


def _pages(info: Any) -> float | None:
    """Number of pages, computed from the total if it is not stated; rounded up by the caller."""
    pages, total, limit = (number(dig(info, name)) for name in ("pageCount", "total", "limit"))
    return total / limit if pages is None and total is not None and limit else pages


SITE = Site(
    name=NAME,
    home=HOME,
    start_path="/sneakers",
    releases_path="/new-releases/sneakers",
    parse_page=parse_page,
    image_hosts=frozenset({"images.stockx.com", "stockx.imgix.net", "stockx-assets.imgix.net"}),
    page_formats=PAGE_FORMATS,
)
SITES = (SITE,)
