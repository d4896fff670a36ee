"""Sites of Shopify stores, and the setting that adds them."""

import os
import subprocess
import sys

from sneaker_assets.sites import SITES
from sneaker_assets.sites.shopify import store


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
        [sys.executable, "-c", "from sneaker_assets.sites import SITES; print(*sorted(SITES))"],
        env={**os.environ, "SNEAKER_SHOPIFY_STORES": "shop.example.org=USD"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.split() == sorted([*SITES, "shop.example.org"])
