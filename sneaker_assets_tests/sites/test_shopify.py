"""Shopify stores and the setting that names them."""

import os
import subprocess
import sys

import pytest

from sneaker_assets.sites import SITES
from sneaker_assets.sites.shopify import stores


def test_each_store_is_a_site_named_after_its_host() -> None:
    first, second = stores("example.com=USD, Shop.Example.org ,")
    assert (first.name, second.name) == ("example.com", "shop.example.org")
    assert first.start_path == "/products.json?limit=250&page=1"
    assert not stores("")


def test_full_page_links_to_the_next() -> None:
    products = ",".join(f'{{"id": {i}, "title": "t", "handle": "h{i}"}}' for i in range(250))
    (store,) = stores("example.com")
    page = store.parse_page(
        f'{{"products": [{products}]}}'.encode(), "https://example.com/products.json?limit=250&page=1"
    )
    assert page.next_urls == ("https://example.com/products.json?limit=250&page=2",)
    assert page.listed == 250


@pytest.mark.parametrize("setting", ["https://example.com", "example", "example.com=dollars", "example.com="])
def test_invalid_entry_of_the_setting_is_named(setting: str) -> None:
    with pytest.raises(ValueError, match="SNEAKER_SHOPIFY_STORES has the entry"):
        stores(setting)


def test_stores_of_the_setting_are_registered_on_import() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", "from sneaker_assets.sites import SITES; print(*sorted(SITES))"],
        env={**os.environ, "SNEAKER_SHOPIFY_STORES": "shop.example.org=USD"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.split() == sorted([*SITES, "shop.example.org"])
