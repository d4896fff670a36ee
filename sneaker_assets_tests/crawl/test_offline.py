"""The offline shop: no other host is looked up or connected to."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from sneaker_assets.crawl.errors import FetchError
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sites import UnknownSiteError, shopify
from sneaker_assets.sources.demo import demo_source
from sneaker_assets.sources.web import WebSource
from sneaker_assets_tests.crawl.answers import reply
from sneaker_assets_tests.crawl.shop import Shop, parse_page

STORE = "kicks-store.example"


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that were looked up, other than this machine's."""
    names: list[str] = []
    look_up = socket.getaddrinfo

    def spy(host: Any, *args: Any, **options: Any) -> Any:
        if host not in ("127.0.0.1", "localhost"):
            names.append(str(host))
            raise socket.gaierror(f"{host} is outside the test")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", spy)
    return names


@pytest.fixture
def source(lake: Lake) -> Iterator[WebSource]:
    with demo_source(lake, n_products=4) as source:
        yield source


def test_site_outside_the_offline_shop_is_an_error_that_names_its_sites(
    source: WebSource, looked_up: list[str]
) -> None:
    for read in (source.observe, source.releases):
        with pytest.raises(UnknownSiteError, match="known: farfetch, stockx"):
            read(STORE)
    assert not looked_up


def test_image_outside_the_offline_shop_has_a_problem(source: WebSource, looked_up: list[str]) -> None:
    assert len(source.images("stockx", source.observe("stockx")["image_url"])["sha256"].dropna())
    urls = [f"https://{STORE}/a.jpg", "https://cdn.shopify.com/a.jpg", "http://10.0.0.1/a.jpg"]
    urls.append("https://images.stockx.com/a.jpg")
    assert source.images("stockx", urls)["problem"].notna().all()
    assert not looked_up


def test_transport_refuses_a_host_that_the_offline_shop_lacks(shop: Shop, looked_up: list[str]) -> None:
    shop.answers["/shoes"] = reply(body=b"shoes")
    port = int(shop.base.rpartition(":")[2])
    settings = FetchSettings(delay=0.0, allow_loopback=True)
    overrides = {"shop.localhost": ("127.0.0.1", port)}
    site = shopify.store(STORE, "USD")
    with pytest.raises(FetchError, match=f"the offline shop has no host {STORE}"):
        Fetcher(site, settings, overrides).page(f"{site.home}/products.json")
    known = shop.site(parse_page)
    assert known.home == shop.base
    assert not looked_up
    assert not shop.log
