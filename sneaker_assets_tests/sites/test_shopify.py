"""The setting that names Shopify stores."""

import os
import subprocess
import sys

import pytest

from sneaker_assets.sites.shopify import stores


def test_each_store_is_a_site_of_its_own() -> None:
    first, second = stores("example.com=USD, Shop.Example.org ,")
    assert (first.name, second.name) == ("example.com", "shop.example.org")
    assert first.start_path == "/products.json?limit=250&page=1"
    assert not stores("")


def test_a_full_page_leads_to_the_next() -> None:
    products = ",".join(f'{{"id": {i}, "title": "t", "handle": "h{i}"}}' for i in range(250))
    (store,) = stores("example.com")
    page = store.parse_page(
        f'{{"products": [{products}]}}'.encode(), "https://example.com/products.json?limit=250&page=1"
    )
    assert page.next_urls == ("https://example.com/products.json?limit=250&page=2",)
    assert page.listed == 250


@pytest.mark.parametrize("setting", ["https://example.com", "example", "example.com=dollars", "example.com="])
def test_a_wrong_setting_is_named(setting: str) -> None:
    with pytest.raises(ValueError, match="SNEAKER_SHOPIFY_STORES has the entry"):
        stores(setting)


def test_the_setting_is_read_when_the_package_is_imported() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "from sneaker_assets.sites import SITES; print(sorted(SITES))"],
        env={**os.environ, "SNEAKER_SHOPIFY_STORES": "shop.example.org=USD"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.strip() == "['farfetch', 'shop.example.org', 'stockx']"
