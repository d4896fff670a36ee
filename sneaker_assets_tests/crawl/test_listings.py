"""The walk over listing pages, and the offline shop from end to end."""

import json
from collections.abc import Callable
from datetime import date
from itertools import count
from typing import Any

import pandas as pd
import pytest

from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.listings import crawl_listings
from sneaker_assets.crawl.source import demo_source
from sneaker_assets.lake import Lake
from sneaker_assets.sites.base import Listing, Page, PageError, Price
from sneaker_assets.tables import Images, Observations
from sneaker_assets_tests.crawl.shop import Answer, Shop, reply


def read_page(body: bytes, url: str) -> Page:
    """A page of the test's own site: product ids, each with its prices, and the next pages."""
    try:
        content = json.loads(body)
    except ValueError as error:
        raise PageError(f"shop: no listing on {url}") from error
    listings = [
        Listing(
            "shop", name, url, name, f"{url}{name}.jpg", "json", prices=tuple(Price(p, "USD", "list") for p in prices)
        )
        for name, prices in content["listings"].items()
    ]
    return Page(tuple(listings), "json", tuple(content["next"]))


def page(listings: dict[str, list[float]], *following: str) -> Answer:
    return reply(body=json.dumps({"listings": listings, "next": following}).encode(), kind="application/json")


@pytest.fixture
def crawl(shop: Shop, fetcher: Callable[..., Fetcher]) -> Callable[..., pd.DataFrame]:
    def run(**arguments: Any) -> pd.DataFrame:
        return crawl_listings(shop.site(read_page), fetcher(), shop.base, **arguments)

    return run


def test_one_row_a_price_and_one_for_a_product_without(shop: Shop, crawl: Callable[..., pd.DataFrame]) -> None:
    shop.answers["/"] = page({"a": [120, 99], "b": []})
    table = crawl()
    Observations.validate(table)
    assert list(table["product_id"]) == ["a", "a", "b"]
    assert list(table["amount"].fillna(0)) == [120, 99, 0]


def test_pagination_that_repeats_and_shifts_ends(shop: Shop, crawl: Callable[..., pd.DataFrame]) -> None:
    shop.answers |= {
        "/": page({"a": [1], "b": [2]}, "/?page=2", "/?page=2#top"),
        "/?page=2": page({"b": [2], "c": [3]}, "/", "/?page=2", "/?page=3"),
        "/?page=3": page({"c": [3]}, "/?page=2"),
    }
    assert list(crawl()["product_id"]) == ["a", "b", "c"]
    assert sorted(request.path for request in shop.log) == ["/", "/?page=2", "/?page=3", "/robots.txt"]


def test_a_crawl_may_end_early(shop: Shop, crawl: Callable[..., pd.DataFrame]) -> None:
    for number in range(1, 6):
        shop.answers[f"/p{number}"] = page({f"shoe{number}": [1]}, f"/p{number + 1}")
    assert len(crawl(start_path="/p1", max_pages=3)) == 3


def test_a_later_page_that_fails_is_named_and_left_out(
    shop: Shop, crawl: Callable[..., pd.DataFrame], caplog: pytest.LogCaptureFixture
) -> None:
    shop.answers |= {
        "/": page({"a": [1]}, "/gone", "/broken", "/good"),
        "/broken": reply(body=b"<html>"),
        "/good": page({"b": [2]}),
    }
    assert list(crawl()["product_id"]) == ["a", "b"]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert ["/gone" in warnings[0], "/broken" in warnings[1]] == [True, True]


def test_a_first_page_that_cannot_be_read_is_an_error(shop: Shop, crawl: Callable[..., pd.DataFrame]) -> None:
    shop.answers["/"] = reply(body=b"<html>")
    with pytest.raises(PageError):
        crawl()


@pytest.mark.parametrize("site", ["stockx", "farfetch"])
def test_the_offline_shop_end_to_end(site: str, lake: Lake) -> None:
    with demo_source(lake, n_products=60, seed=7) as source:
        observations = source.observe(site)
        images = source.images(site, observations["image_url"])
        again = source.images(site, observations["image_url"], images)
        releases = source.releases(site)
    Observations.validate(observations)
    Images.validate(images)
    assert observations["amount"].notna().any()
    assert images["problem"].isna().all()
    assert all(lake.image(sha256).exists() for sha256 in images["sha256"])
    pd.testing.assert_frame_equal(images, again)
    assert releases["release_date"].notna().all()


def test_the_offline_shop_announces_and_then_sells(lake: Lake) -> None:
    """A release leaves the page of coming products some day, and an empty page of them is no error."""
    for year in count(2026):
        with demo_source(lake, n_products=60, seed=7, today=date(year, 12, 31)) as source:
            if source.releases("stockx").empty:
                break
        assert year < 2040
