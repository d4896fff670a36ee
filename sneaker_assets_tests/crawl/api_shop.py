"""A server that imitates StockX's official API, and crawls of it.

https://developer.stockx.com/openapi/reference
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pandas as pd

from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sites import stockx_api
from sneaker_assets.sites.base import Site
from sneaker_assets.sources.web import WebSource
from sneaker_assets_tests.crawl.answers import Answer, by_validator, reply
from sneaker_assets_tests.crawl.shop import Shop

KEY, TOKEN = "k3y-that-must-not-leak", "t0ken-that-must-not-leak"
PER_PAGE = 2
SIZES = ("9", "9.5")


def api_site(base: str, token: str = TOKEN) -> Site:
    """Site of the API at a loopback address, with small pages and no delay."""
    site = stockx_api.site(KEY, token)
    return replace(site, home=base, start_path=search_path(1), delay=0.0)


def api_source(base: str, lake: Lake, token: str = TOKEN, **settings: Any) -> WebSource:
    quick = {"delay": 0.0, "backoff": 0.01, "attempts": 2, "timeout": 2.0, "allow_loopback": True}
    return WebSource(lake, FetchSettings(**{**quick, **settings}), sites_by_name={"stockx": api_site(base, token)})


def crawl_api(base: str, root: str, delay: float = 0.0) -> pd.DataFrame:
    return api_source(base, Lake.at(root), delay=delay).observe("stockx")


def search_path(number: int) -> str:
    return f"/v2/catalog/search?query=sneakers&pageNumber={number}&pageSize={PER_PAGE}"


def variants_path(product: int) -> str:
    return f"/v2/catalog/products/shoe-{product}/variants"


def market_path(product: int) -> str:
    return f"/v2/catalog/products/shoe-{product}/market-data?currencyCode=USD"


def fill(shop: Shop, asks: Mapping[int, int], token: str = TOKEN) -> None:
    """Serve products of the API; ``asks`` are the lowest asks of their first size by product."""
    products = list(asks)
    for start in range(0, len(products), PER_PAGE):
        number = start // PER_PAGE + 1
        found = {
            "count": len(products),
            "pageSize": PER_PAGE,
            "pageNumber": number,
            "hasNextPage": start + PER_PAGE < len(products),
            "products": [_product(product) for product in products[start : start + PER_PAGE]],
        }
        shop.answers[search_path(number)] = authenticated(found, token)
    for product, ask in asks.items():
        shop.answers[variants_path(product)] = authenticated(_variants(product), token)
        shop.answers[market_path(product)] = authenticated(_market(product, ask), token)


def authenticated(value: Any, token: str = TOKEN) -> Answer:
    """The value as JSON if key and token are sent, otherwise 401."""
    body = json.dumps(value).encode()
    known = by_validator(hashlib.sha256(body).hexdigest()[:8], body, "application/json")
    error = json.dumps({"statusCode": 401, "message": "Unauthorized"}).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        sent = (handler.headers.get("x-api-key"), handler.headers.get("Authorization"))
        (known if sent == (KEY, f"Bearer {token}") else reply(401, error, "application/json"))(handler)

    return answer


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _product(product: int) -> dict[str, Any]:
    traits = {
        "gender": "men",
        "season": None,
        "releaseDate": "2021-02-27",
        "retailPrice": 170,
        "colorway": "Sail",
        "color": None,
    }
    return {
        "productId": f"shoe-{product}",
        "urlKey": f"example-{product}",
        "styleId": f"EX-{product}",
        "productType": "sneakers",
        "title": f"Example {product}",
        "brand": "Example",
        "productAttributes": traits,
    }


def _variants(product: int) -> list[dict[str, Any]]:
    return [
        {
            "productId": f"shoe-{product}",
            "variantId": f"shoe-{product}-{size}",
            "variantName": f"Example-{product}:{i}",
            "variantValue": size,
            "sizeChart": {"availableConversions": [], "defaultConversion": {"size": size, "type": "us m"}},
        }
        for i, size in enumerate(SIZES)
    ]


def _market(product: int, ask: int) -> list[dict[str, Any]]:
    return [
        {
            "productId": f"shoe-{product}",
            "variantId": f"shoe-{product}-{size}",
            "currencyCode": "USD",
            "lowestAskAmount": str(ask + 10 * i),
            "highestBidAmount": None if i else str(ask - 50),
            "sellFasterAmount": None,
            "earnMoreAmount": None,
        }
        for i, size in enumerate(SIZES)
    ]
