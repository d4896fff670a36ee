"""Sites of Shopify stores, and the setting that adds them."""

import json
import os
import subprocess
import sys
from typing import Any

import pandas as pd
import pytest

from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sites.base import Page
from sneaker_assets.sites.shopify import store
from sneaker_assets.sites.sizes import is_size
from sneaker_assets.sources.web import WebSource
from sneaker_assets_tests.crawl.answers import reply
from sneaker_assets_tests.crawl.shop import open_shop


def test_store_is_a_site_named_after_its_host() -> None:
    site = store("shop.example.org", "USD")
    assert (site.name, site.home) == ("shop.example.org", "https://shop.example.org")
    assert site.start_path == "/products.json?limit=250&page=1"


def test_full_page_links_to_the_next() -> None:
    products = ",".join(f'{{"id": {i}, "title": "t", "handle": "h{i}"}}' for i in range(250))
    page = store("example.com").parse_page(
        f'{{"products": [{products}]}}'.encode(), "https://example.com/products.json?limit=250&page=1"
    )
    assert page.next_urls == ("https://example.com/products.json?limit=250&page=2",)
    assert page.listed == 250


def test_stores_of_the_setting_are_registered_on_import() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", "from sneaker_assets.assets.partitions import SITES; print(*SITES)"],
        env={**os.environ, "SNEAKER_SOURCE": "live", "SNEAKER_SHOPIFY_STORES": "shop.example.org=USD"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.split() == ["farfetch", "shop.example.org", "stockx"]


def parse(*variants: dict[str, Any], options: tuple[str, ...] = ("Size",), currency: str | None = "USD") -> Page:
    product = {
        "id": 1,
        "title": "Shoe",
        "handle": "shoe",
        "options": [{"name": name} for name in options],
        "variants": [{"price": "100.00", **variant} for variant in variants],
    }
    body = json.dumps({"products": [product]}).encode()
    return store("shop.example", currency).parse_page(body, "https://shop.example/products.json")


@pytest.mark.parametrize("name", ["Taille", "Größe", "サイズ", "Talla", "Option", ""])
def test_sizes_are_recognised_by_their_values_in_any_language(name: str) -> None:
    variants = [{"option1": "Noir", "option2": size} for size in ("40", "41.5", "42 2/3")]
    (listing,) = parse(*variants, options=("Couleur", name)).listings
    assert [price.size for price in listing.prices] == [None, "40", "41.5", "42 2/3"]


@pytest.mark.parametrize(
    "value", ["9", "10.5", "42,5", "EU 42", "US M 9 / W 10.5", "4Y", "10.5C", "41 1/3", "9½", "27 cm", "XL", "One Size"]
)
def test_value_is_a_size(value: str) -> None:
    assert is_size(value)


@pytest.mark.parametrize("value", ["", "Black", "Default Title", "Pack of 2", "2024", "White/Gum", "0", "Jordan 1"])
def test_value_is_no_size(value: str) -> None:
    assert not is_size(value)


def test_product_has_the_lowest_price_that_is_available() -> None:
    variants = [
        {"option1": "4Y", "price": "180.00", "available": False},
        {"option1": "10", "price": "1450.00", "available": True},
        {"option1": "11", "price": "1500.00", "available": True},
        {"option1": "12", "price": "9999.00", "available": False},
    ]
    (listing,) = parse(*variants).listings
    assert [(price.size, price.amount, price.available) for price in listing.prices] == [
        (None, 1450.0, True),
        ("4Y", 180.0, False),
        ("10", 1450.0, True),
        ("11", 1500.0, True),
    ]


def test_price_of_a_product_that_is_sold_out_is_kept_as_unavailable() -> None:
    (listing,) = parse({"option1": "9", "available": False}).listings
    assert [(price.amount, price.available) for price in listing.prices if price.size is None] == [(100.0, False)]


@pytest.mark.parametrize(
    ("stated", "cookie", "currency"),
    [("USD", None, "USD"), ("USD", "USD", "USD"), ("USD", "EUR", None), (None, "EUR", "EUR"), (None, None, None)],
)
def test_response_may_state_another_currency_than_the_setting(
    lake: Lake, stated: str | None, cookie: str | None, currency: str | None
) -> None:
    products = [{"id": 1, "title": "Shoe", "handle": "s", "variants": [{"price": "100.00"}]}]
    headers = {} if cookie is None else {"Set-Cookie": f"cart_currency={cookie}; path=/"}
    with open_shop() as shop:
        shop.answers["/products.json?limit=250&page=1"] = reply(
            200, json.dumps({"products": products}).encode(), "application/json", **headers
        )
        source = WebSource(
            lake,
            FetchSettings(delay=0.0, allow_loopback=True),
            homes={"shop.example": shop.base},
            sites_by_name={"shop.example": store("shop.example", stated)},
        )
        seen = source.observe("shop.example")
    assert seen["amount"].tolist() == [100.0]
    assert [None if pd.isna(value) else value for value in seen["currency"]] == [currency]


def test_products_beyond_the_cap_are_reached_by_collections(caplog: pytest.LogCaptureFixture) -> None:
    products = [{"id": i, "title": "t", "handle": f"h{i}"} for i in range(250)]
    page = store("shop.example").parse_page(
        json.dumps({"products": products}).encode(), "https://shop.example/products.json?limit=250&page=100"
    )
    assert page.next_urls == ("https://shop.example/collections.json?limit=250&page=1",)
    assert "lists 25000 products and has more" in caplog.text


def test_collection_or_its_feed_is_a_starting_point() -> None:
    collection, feed = (store("shop.example", "USD", f"/collections/{name}") for name in ("shoes", "shoes.atom"))
    assert collection.start_path == "/collections/shoes/products.json?limit=250&page=1"
    assert feed.start_path == "/collections/shoes.atom"
