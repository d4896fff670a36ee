"""Responses that ask the client to wait, and pages that only look like them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.crawl.circuit_breaker import MAX_PAGES_FOR_IMAGES
from sneaker_assets.crawl.database import Database
from sneaker_assets.crawl.errors import CrawlPaused, FetchError, SiteBlocked
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.frontier import Frontier
from sneaker_assets.crawl.listings import walk_listings
from sneaker_assets.crawl.refusals import is_challenge, is_throttle_status
from sneaker_assets.lake import Lake
from sneaker_assets_tests.crawl.answers import Answer, in_turn, jpeg, reply
from sneaker_assets_tests.crawl.misbehaving_shop import CHALLENGES
from sneaker_assets_tests.crawl.shop import Shop

MakeFetcher = Callable[..., Fetcher]
REFUSALS: dict[str, Answer] = {
    **{str(status): reply(status) for status in (202, 418, 420, 428, 429, 430, 529, 999)},
    "503 with Retry-After": reply(503, Retry_After="0.05"),
    **CHALLENGES,
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_rests_the_host_and_then_pauses_the_crawl(shop: Shop, fetcher: MakeFetcher, name: str) -> None:
    shop.answers["/shoes"] = REFUSALS[name]
    held: list[str] = []
    client = fetcher(hold_cap=1.0)
    client.on_hold = lambda host, _: held.append(host)
    with pytest.raises(CrawlPaused, match="come back after"):
        client.page(f"{shop.base}/shoes")
    assert held == [shop.host] * 3
    assert len(shop.asked("/shoes")) == 3


@pytest.mark.parametrize("name", REFUSALS)
def test_refused_image_pauses_the_crawl(shop: Shop, fetcher: MakeFetcher, name: str) -> None:
    shop.answers["/a.jpg"] = REFUSALS[name]
    with pytest.raises(CrawlPaused):
        fetcher(hold_cap=1.0).image(f"{shop.base}/a.jpg")


@pytest.mark.parametrize("name", REFUSALS)
def test_crawl_continues_after_a_refusal_that_ends(shop: Shop, fetcher: MakeFetcher, name: str) -> None:
    shop.answers["/shoes"] = in_turn(REFUSALS[name], reply(body=b"shoes"))
    assert fetcher(hold_cap=1.0).page(f"{shop.base}/shoes").body == b"shoes"


def test_retry_after_of_a_challenge_is_respected(shop: Shop, fetcher: MakeFetcher) -> None:
    body = b"<html><title>Just a moment...</title></html>"
    shop.answers["/shoes"] = reply(body=body, Retry_After="3600")
    with pytest.raises(CrawlPaused):
        fetcher().page(f"{shop.base}/shoes")
    assert len(shop.asked("/shoes")) == 1


def test_challenge_is_not_stored_as_a_page(shop: Shop, fetcher: MakeFetcher, lake: Lake, database: Database) -> None:
    for answer in CHALLENGES.values():
        shop.answers["/"] = answer
        with pytest.raises(CrawlPaused):
            walk_listings(shop.site(), fetcher(hold_cap=1.0), Frontier(database), lake)
    assert not lake.folder("crawls", "shop", "unreadable").exists()
    assert not database.rows("SELECT 1 FROM readings")


def test_challenge_in_place_of_robots_txt_pauses_the_crawl(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers |= {"/robots.txt": CHALLENGES["cloudflare"], "/shoes": reply(body=b"shoes")}
    with pytest.raises(CrawlPaused):
        fetcher(hold_cap=1.0).page(f"{shop.base}/shoes")
    assert not shop.asked("/shoes")


@pytest.mark.parametrize("status", [401, 403])
def test_challenge_with_a_block_status_stops_at_once(shop: Shop, fetcher: MakeFetcher, status: int) -> None:
    shop.answers["/shoes"] = reply(status, b"<title>Just a moment...</title>", cf_mitigated="challenge")
    with pytest.raises(SiteBlocked):
        fetcher().page(f"{shop.base}/shoes")
    assert len(shop.asked("/shoes")) == 1


def test_pages_in_place_of_images_pause_the_crawl(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers |= {"/page.jpg": reply(body=b"<!DOCTYPE html><p>later</p>"), "/a.jpg": reply(body=jpeg())}
    client = fetcher()
    for _ in range(2):
        for _ in range(MAX_PAGES_FOR_IMAGES - 1):
            client.image(f"{shop.base}/page.jpg")
        client.image(f"{shop.base}/a.jpg")
    for _ in range(MAX_PAGES_FOR_IMAGES - 1):
        client.image(f"{shop.base}/page.jpg")
    with pytest.raises(CrawlPaused):
        client.image(f"{shop.base}/page.jpg")


@pytest.mark.parametrize("status", [404, 410, 451, 522])
def test_other_errors_do_not_pause_the_crawl(shop: Shop, fetcher: MakeFetcher, status: int) -> None:
    shop.answers["/shoes"] = reply(status, b"<title>Sorry</title>")
    with pytest.raises(FetchError, match=f"answered {status}"):
        fetcher(hold_cap=1.0).page(f"{shop.base}/shoes")


@pytest.mark.parametrize(
    "body",
    [
        b"<html><title>Shoes</title><script src='https://js.datadome.co/tags.js'></script></html>",
        b"<html><title>Shoes</title><script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script></html>",
        b"<html><title>Shoes</title><script>window._pxAppId = 'PX12345678';</script></html>",
        b"<html><title>Shoes</title><script src='https://x.token.awswaf.com/x/challenge.js'></script></html>",
        b"<html><title>Shoes</title><p>Just a moment of comfort. Access denied to no one.</p></html>",
        b'{"products": [{"title": "Just a moment", "appId": "PX-90"}]}',
        b'{"appId": "PX-90", "products": []}',
        b"",
    ],
)
def test_protected_page_with_content_is_no_challenge(body: bytes) -> None:
    assert not is_challenge(body)


@given(st.binary(max_size=200), st.sampled_from([b"", b"<", b"{", b"\xef\xbb\xbf<html>"]))
def test_any_body_is_classified(body: bytes, start: bytes) -> None:
    assert is_challenge(start + body) in (True, False)


@given(st.integers(100, 999))
def test_success_and_registered_errors_do_not_ask_to_wait(status: int) -> None:
    registered = {*range(400, 418), *range(421, 427), 431, 451, *range(500, 509), 510, 511}
    if status in registered or (status < 400 and status != 202):
        assert not is_throttle_status(status)
