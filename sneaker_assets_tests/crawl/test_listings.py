"""Crawl of listing pages, and of the offline shop."""

import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import count
from typing import Any

import pandas as pd
import pytest

from sneaker_assets.crawl.database import Database
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.frontier import Frontier, Walk
from sneaker_assets.crawl.listings import walk_listings
from sneaker_assets.crawl.observations import observations
from sneaker_assets.demo_shop.pages import LAYOUTS
from sneaker_assets.lake import Lake
from sneaker_assets.progress import Progress
from sneaker_assets.sites.base import Page, PageError
from sneaker_assets.sources.demo import demo_source
from sneaker_assets.tables import Images, Observations
from sneaker_assets_tests.crawl.answers import Answer, by_validator, reply
from sneaker_assets_tests.crawl.shop import Shop, parse_page


def page(listings: dict[str, list[float]], *following: str) -> Answer:
    return reply(body=page_body(listings, *following), kind="application/json")


def page_body(listings: dict[str, list[float]], *following: str) -> bytes:
    products = [{"id": name, "prices": prices, "image": f"/{name}.jpg"} for name, prices in listings.items()]
    return json.dumps({"listings": products, "next": following}).encode()


@pytest.fixture
def walk(shop: Shop, fetcher: Callable[..., Fetcher], lake: Lake, database: Database) -> Callable[..., Walk]:
    def run(adapter: Callable[[bytes, str], Page] = parse_page, **arguments: Any) -> Walk:
        return walk_listings(shop.site(adapter), fetcher(), Frontier(database), lake, **arguments)

    return run


@pytest.fixture
def crawl(walk: Callable[..., Walk]) -> Callable[..., pd.DataFrame]:
    return lambda **arguments: observations(walk(**arguments).listings())


def test_each_price_is_one_row_and_a_product_without_prices_too(shop: Shop, crawl: Callable[..., pd.DataFrame]) -> None:
    shop.answers["/"] = page({"a": [120, 99], "b": []})
    table = crawl()
    Observations.validate(table)
    assert list(table["product_id"]) == ["a", "a", "b"]
    assert list(table["amount"].fillna(0)) == [120, 99, 0]


def test_crawl_ends_although_pagination_repeats_and_shifts(shop: Shop, crawl: Callable[..., pd.DataFrame]) -> None:
    shop.answers |= {
        "/": page({"a": [1], "b": [2]}, "/?page=2", "/?page=2#top"),
        "/?page=2": page({"b": [2], "c": [3]}, "/", "/?page=2", "/?page=3"),
        "/?page=3": page({"c": [3]}, "/?page=2"),
    }
    assert list(crawl()["product_id"]) == ["a", "b", "c"]
    assert sorted(request.path for request in shop.log) == ["/", "/?page=2", "/?page=3", "/robots.txt"]


def test_max_pages_ends_the_crawl(shop: Shop, crawl: Callable[..., pd.DataFrame]) -> None:
    for number in range(1, 6):
        shop.answers[f"/p{number}"] = page({f"shoe{number}": [1]}, f"/p{number + 1}")
    assert len(crawl(start_path="/p1", max_pages=3)) == 3


def test_later_page_that_fails_is_logged_and_skipped(
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


def test_first_page_that_cannot_be_parsed_is_an_error(shop: Shop, crawl: Callable[..., pd.DataFrame]) -> None:
    shop.answers["/"] = reply(body=b"<html>")
    for _ in range(2):
        with pytest.raises(PageError):
            crawl()
    shop.answers["/"] = page({"a": [1]})
    assert list(crawl()["product_id"]) == ["a"]


def test_interrupted_walk_is_resumed(shop: Shop, crawl: Callable[..., pd.DataFrame]) -> None:
    shop.answers |= {"/": page({"a": [1]}, "/2"), "/2": page({"b": [2]}, "/3"), "/3": page({"c": [3]})}

    def interrupted(body: bytes, url: str) -> Page:
        if url.endswith("/3"):
            raise KeyboardInterrupt
        return parse_page(body, url)

    with pytest.raises(KeyboardInterrupt):
        crawl(adapter=interrupted)
    assert list(crawl()["product_id"]) == ["a", "b", "c"]
    assert [len(shop.asked(path)) for path in ("/", "/2", "/3")] == [1, 1, 2]


def test_unchanged_page_is_recorded_as_observed_again(shop: Shop, walk: Callable[..., Walk]) -> None:
    shop.answers |= {"/": by_validator("v1", page_body({"a": [1], "b": [2]}, "/2")), "/2": page({"c": [3]})}
    first, again = walk(), walk()
    assert [listing for listing, _ in first.listings()] == [listing for listing, _ in again.listings()]
    assert min(at for _, at in again.listings()) > max(at for _, at in first.listings())
    assert shop.asked("/")[1].headers["If-None-Match"] == '"v1"'
    assert (again.stats().parsed, again.stats().unchanged) == (0, 2)


def test_changed_price_and_removed_product_are_reflected(shop: Shop, crawl: Callable[..., pd.DataFrame]) -> None:
    shop.answers["/"] = page({"a": [100], "b": [50]})
    crawl()
    shop.answers["/"] = page({"a": [90]})
    assert crawl()[["product_id", "amount"]].to_dict("records") == [{"product_id": "a", "amount": 90.0}]


def test_remaining_time_is_logged_if_the_number_of_pages_is_known(
    shop: Shop, walk: Callable[..., Walk], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given by the site itself, or by the last walk."""
    monkeypatch.setattr("sneaker_assets.crawl.listings.Progress", partial(Progress, every=0.0))
    shop.answers |= {
        "/": page({"a": [1]}, "/2"),
        "/2": page({"b": [2]}, "/3"),
        "/3": page({"c": [3]}),
        "/4": page({"d": [4]}),
    }

    def three(body: bytes, url: str) -> Page:
        return replace(parse_page(body, url), pages=3)

    logged = []
    for arguments in ({}, {}, {"max_pages": 2}, {"adapter": three, "start_path": "/4"}):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            walk(**arguments)
        logged.append([re.sub(r", .* s(?=,|$)|, \d+ s(?= left)", "", record.getMessage()) for record in caplog.records])
    assert logged[0] == ["shop pages: 1", "shop pages: 2", "shop pages: 3", "shop pages: 3"]
    assert logged[1] == [
        "shop pages: 1 of 3 left",
        "shop pages: 2 of 3 left",
        "shop pages: 3 of 3",
        "shop pages: 3",
    ]
    assert logged[2][0] == "shop pages: 1 of 2 left"
    assert logged[3][0] == "shop pages: 1 of 3 left"


def test_failed_page_of_another_host_is_not_retried(shop: Shop, walk: Callable[..., Walk], database: Database) -> None:
    """A site may have two hosts: its web pages and its API."""
    elsewhere = Frontier(database).walk("listings", "http://elsewhere.example/")
    elsewhere.record_failure("http://elsewhere.example/", "timed out")
    elsewhere.finish()
    shop.answers["/"] = page({"a": [1]})
    assert walk().stats().failed == 0


def test_page_that_cannot_be_parsed_is_saved_and_retried(shop: Shop, walk: Callable[..., Walk], lake: Lake) -> None:
    shop.answers |= {"/": page({"a": [1]}, "/odd"), "/odd": reply(body=b"<html>new design")}
    assert walk().stats().unreadable == 1
    assert [file.read_bytes() for file in lake.folder("crawls", "shop", "unreadable").iterdir()] == [
        b"<html>new design"
    ]
    shop.answers["/"] = page({"a": [1]})
    mended = Page((), "mended")
    assert walk(lambda body, url: mended if url.endswith("/odd") else parse_page(body, url)).stats().unreadable == 0
    assert len(shop.asked("/odd")) == 2


def test_products_that_are_not_parsed_lower_the_minimum_share(shop: Shop, walk: Callable[..., Walk]) -> None:
    shop.answers |= {"/": page({"a": [1], "b": [1]}, "/2"), "/2": page({"c": [1]})}

    def parse_half(body: bytes, url: str) -> Page:
        return replace(parse_page(body, url), listed=2)

    stats = walk(parse_half).stats()
    assert (stats.listed, stats.yielded, stats.min_share) == (4, 3, 0.5)


@pytest.mark.parametrize("site", LAYOUTS)
def test_offline_shop_is_crawled_with_its_images(site: str, lake: Lake) -> None:
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


def test_empty_page_of_releases_is_no_error(lake: Lake) -> None:
    """All releases eventually leave the page of upcoming products."""
    for year in count(2026):
        with demo_source(lake, n_products=60, seed=7, today=date(year, 12, 31)) as source:
            if source.releases("stockx").empty:
                break
        assert year < 2040
