"""Pages that imitate StockX: server-rendered React with its query cache in ``script#__NEXT_DATA__``.

Listing pages have the format used since 2024 (``market.state.lowestAsk.amount``), product pages that of October 2024
(prices under ``pricing``).
"""

from typing import Any

from sneaker_assets.demo_shop import html
from sneaker_assets.demo_shop.catalogue import Product
from sneaker_assets.demo_shop.html import ResultPage

LISTING_PATH = "/sneakers"
RELEASES_PATH = "/new-releases/sneakers"
PAGE_SIZE = 40
IMAGE_SIZE = (700, 500)
SIZES = ("8", "9", "10", "11", "12")

_MENU = {"Sneakers": LISTING_PATH, "New releases": RELEASES_PATH}


def product_path(shoe: Product) -> str:
    """Path of the page of a product."""
    return f"/{shoe.slug}"


def listing_page(results: ResultPage, base: str) -> str:
    """HTML of one page of search results.

    Args:
        results: Products and page numbers.
        base: Base URL of images.
    """
    edges = [{"isAd": False, "objectId": shoe.product_id, "node": _node(shoe, base)} for shoe in results.products]
    info = {"limit": PAGE_SIZE, "page": results.page, "pageCount": results.n_pages, "total": results.total}
    query = _query("getDiscoveryData", {"browse": {"results": {"pageInfo": info, "edges": edges}}})
    cards = "".join(html.card(shoe, product_path(shoe), _card_price(shoe)) for shoe in results.products)
    return html.listing("STOCKX demo", _MENU, results, cards, _next_data(query))


def product_page(shoe: Product, base: str) -> str:
    """HTML of the page of one product.

    Args:
        shoe: The product.
        base: Base URL of images.
    """
    facts = {
        "Style": shoe.style_code,
        "Colorway": shoe.colourway,
        "Retail price": html.dollars(shoe.retail_price),
        "Release date": shoe.release_date.isoformat(),
        "Last sale": html.dollars(shoe.price),
        "Lowest ask": html.dollars(shoe.lowest_ask),
    }
    query = _query("GetProduct", {"product": _product(shoe, base)}, id=shoe.slug)
    return html.product("STOCKX demo", _MENU, shoe, facts, _next_data(query))


def _card_price(shoe: Product) -> str:
    if shoe.announced:
        return f"{html.dollars(shoe.retail_price)} retail, {shoe.release_date.isoformat()}"
    return html.dollars(shoe.price)


def _next_data(query: dict[str, Any]) -> str:
    states = {"query": {"value": {"mutations": [], "queries": [query]}}}
    data = {"props": {"pageProps": {"req": {"appContext": {"states": states}}}}, "page": "/[[...slug]]", "query": {}}
    return f'<script id="__NEXT_DATA__" type="application/json">{html.script_json(data)}</script>'


def _query(name: str, data: dict[str, Any], **variables: str) -> dict[str, Any]:
    key = [name, {"countryCode": "US", "currencyCode": "USD", **variables}]
    return {"queryKey": key, "queryHash": html.script_json(key), "state": {"data": data, "status": "success"}}


def _amount(value: int | None) -> dict[str, int] | None:
    return None if value is None else {"amount": value}


def _market(shoe: Product) -> dict[str, Any]:
    """Asks, bids and sales; the last sale of a shoe that was never sold is null or 0, both of which the site uses."""
    last_sale = _sold(shoe, shoe.price)
    return {
        "state": {
            "lowestAsk": _amount(shoe.lowest_ask),
            "highestBid": _amount(shoe.highest_bid),
            "numberOfCustodialAsks": None,
        },
        "salesInformation": {"lastSale": last_sale, "salesLast72Hours": _n_sold(shoe) % 7},
        "statistics": {"lastSale": {"amount": last_sale, "changePercentage": 0, "changeValue": 0, "sameFees": None}},
    }


def _sold(shoe: Product, amount: int | None) -> int | None:
    if amount is None:
        return 0 if len(shoe.slug) % 2 else None
    return amount


def _n_sold(shoe: Product) -> int:
    return 0 if shoe.price is None else 100 + shoe.design.grain % 900


def _traits(shoe: Product) -> list[dict[str, Any]]:
    traits = {
        "Style": shoe.style_code,
        "Colorway": shoe.colourway,
        "Retail Price": str(shoe.retail_price),
        "Release Date": shoe.release_date.isoformat(),
    }
    return [{"name": name, "value": value} for name, value in traits.items()]


def _node(shoe: Product, base: str) -> dict[str, Any]:
    image = f"{base}/images/{shoe.image_name}"
    average, market = _sold(shoe, shoe.average_price), _market(shoe)
    market["statistics"]["last90Days"] = {"averagePrice": average}
    return {
        "id": shoe.product_id,
        "name": shoe.colourway,
        "urlKey": shoe.slug,
        "title": shoe.title,
        "brand": shoe.brand,
        "description": "",
        "model": f"{shoe.brand} {shoe.model}",
        "condition": "New",
        "productCategory": "sneakers",
        "listingType": "STANDARD",
        "gender": "men",
        "browseVerticals": ["sneakers"],
        "styleId": shoe.style_code,
        "media": {"thumbUrl": image, "smallImageUrl": image, "imageUrl": image},
        "favorite": None,
        "productTraits": _traits(shoe),
        "variants": _variants(shoe),
        "market": {
            "currencyCode": "USD",
            "deadStock": {"sold": _n_sold(shoe), "averagePrice": average},
            **market,
        },
    }


def _variants(shoe: Product) -> list[dict[str, Any]]:
    return [{"id": f"{shoe.product_id}-{size}", "hidden": False, "traits": {"size": size}} for size in SIZES]


def _product(shoe: Product, base: str) -> dict[str, Any]:
    image = f"{base}/images/{shoe.image_name}"
    return {
        "sizeDescriptor": "Size",
        "urlKey": shoe.slug,
        "id": shoe.product_id,
        "productCategory": "sneakers",
        "primaryCategory": shoe.brand,
        "primaryTitle": f"{shoe.brand} {shoe.model}",
        "secondaryTitle": shoe.colourway,
        "brand": shoe.brand,
        "title": shoe.title,
        "model": f"{shoe.brand} {shoe.model}",
        "description": "",
        "contentGroup": "sneakers",
        "listingType": "STANDARD",
        "deleted": False,
        "gender": "men",
        "browseVerticals": ["sneakers"],
        "condition": "New",
        "styleId": shoe.style_code,
        "media": {"all360Images": [], "gallery": [image], "smallImageUrl": image, "thumbUrl": image, "imageUrl": image},
        "traits": [{**trait, "visible": True, "format": None} for trait in _traits(shoe)],
        "variants": _variants(shoe),
        "pricing": {"minimumBid": 25, "market": _market(shoe), "variants": []},
    }
