"""The fetcher against a shop that misbehaves."""

import gzip
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import requests
import trustme

from sneaker_assets.crawl.errors import CrawlPaused, FetchError, SiteBlocked
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.http import Validators
from sneaker_assets.crawl.robots import Robots
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.sites import get_site
from sneaker_assets.sites.base import Page, Site
from sneaker_assets_tests.crawl.answers import endless, in_turn, jpeg, raw, reply
from sneaker_assets_tests.crawl.shop import Shop, open_shop

MakeFetcher = Callable[..., Fetcher]
REFUSAL = b"<html><head><title>Access to this page has been denied</title></head><body>Please verify</body></html>"
CUT = raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nhalf")
CUT_CHUNKED = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n64\r\nhalf")


def test_a_page_comes_whole_and_we_say_who_asks(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/shoes"] = reply(body=b"<p>shoes</p>", ETag='"v1"')
    response = fetcher(contact="crawl@example.org").page(f"{shop.base}/shoes")
    assert (response.status, response.body, response.headers["etag"]) == (200, b"<p>shoes</p>", '"v1"')
    assert all("crawl@example.org" in request.headers["User-Agent"] for request in shop.log)


def test_a_shop_whose_certificate_nobody_vouches_for_is_not_listened_to(tmp_path: Path) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    with open_shop(tls) as shop:
        shop.answers |= {"/robots.txt": reply(404), "/shoes": reply(body=b"shoes")}
        settings = FetchSettings(delay=0.0, backoff=0.01, attempts=2, timeout=2.0, allow_loopback=True)
        with pytest.raises(FetchError, match=r"robots\.txt"):
            Fetcher(shop.site(), settings).page(f"{shop.base}/shoes")
        assert not shop.log
        trusting = requests.get(f"{shop.base}/shoes", timeout=2, verify=str(tmp_path / "authority.pem"))
        assert trusting.content == b"shoes"


def test_validators_make_an_unchanged_page_a_304(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/shoes"] = reply(304)
    response = fetcher().page(f"{shop.base}/shoes", Validators('"v1"', "Wed, 21 Oct 2015 07:28:00 GMT"))
    assert (response.status, response.body) == (304, b"")
    assert shop.asked("/shoes")[0].headers["If-None-Match"] == '"v1"'
    assert "2015" in shop.asked("/shoes")[0].headers["If-Modified-Since"]


def test_a_disallowed_path_is_never_asked_for(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/robots.txt"] = reply(body=b"User-agent: *\nDisallow: /private", kind="text/plain")
    with pytest.raises(FetchError, match=r"robots\.txt"):
        fetcher().page(f"{shop.base}/private/1")
    assert [request.path for request in shop.log] == ["/robots.txt"]


@pytest.mark.parametrize("answer", [reply(500), reply(200, REFUSAL)], ids=["500", "refusal"])
def test_unreadable_robots_forbid(shop: Shop, fetcher: MakeFetcher, answer: Callable[..., None]) -> None:
    shop.answers |= {"/robots.txt": answer, "/shoes": reply(body=b"shoes")}
    with pytest.raises(FetchError, match=r"robots\.txt"):
        fetcher().page(f"{shop.base}/shoes")
    assert not shop.asked("/shoes")


def test_crawl_delay_is_kept(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers |= {
        "/robots.txt": reply(body=b"User-agent: *\nCrawl-delay: 0.1", kind="text/plain"),
        "/shoes": reply(body=b"shoes"),
    }
    client = fetcher()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(client.page, [f"{shop.base}/shoes"] * 4))
    times = [request.at for request in shop.asked("/shoes")]
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.08


def test_retry_after_holds_every_thread(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers |= {
        "/busy": in_turn(reply(429, Retry_After="0.5"), reply(body=b"at last")),
        "/shoes": reply(body=b"shoes"),
    }
    client = fetcher()
    client.page(f"{shop.base}/shoes")

    def read_on(_: int) -> None:
        until = time.monotonic() + 0.9
        while time.monotonic() < until:
            client.page(f"{shop.base}/shoes")

    with ThreadPoolExecutor(5) as pool:
        busy = pool.submit(client.page, f"{shop.base}/busy")
        list(pool.map(read_on, range(4)))
        assert busy.result().body == b"at last"
    refused = shop.asked("/busy")[0].at
    assert not [request for request in shop.log if refused + 0.1 < request.at < refused + 0.5]
    assert [request for request in shop.log if request.at >= refused + 0.5]


def test_a_long_retry_after_pauses_the_crawl(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/busy"] = reply(503, Retry_After="3600")
    client = fetcher()
    for path in ("/busy", "/shoes"):
        with pytest.raises(CrawlPaused, match="come back after"):
            client.page(f"{shop.base}{path}")
    assert len(shop.asked("/busy")) == 1
    assert not shop.asked("/shoes")


def test_a_host_that_stays_busy_pauses_the_crawl(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/busy"] = reply(429, Retry_After="whenever")
    with pytest.raises(CrawlPaused):
        fetcher().page(f"{shop.base}/busy")
    assert len(shop.asked("/busy")) == 3


@pytest.mark.parametrize("trouble", [CUT, CUT_CHUNKED, raw(b""), reply(500), reply(503)])
def test_what_may_pass_is_tried_again(shop: Shop, fetcher: MakeFetcher, trouble: Callable[..., None]) -> None:
    shop.answers["/shoes"] = in_turn(trouble, trouble, reply(body=b"whole"))
    assert fetcher().page(f"{shop.base}/shoes").body == b"whole"
    assert len(shop.asked("/shoes")) == 3


def test_what_does_not_pass_is_named(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/shoes"] = CUT
    with pytest.raises(FetchError, match=r"/shoes: .* \(3 attempts\)"):
        fetcher().page(f"{shop.base}/shoes")


def test_a_missing_page_is_asked_for_once(shop: Shop, fetcher: MakeFetcher) -> None:
    with pytest.raises(FetchError, match="answered 404"):
        fetcher().page(f"{shop.base}/gone")
    assert len(shop.asked("/gone")) == 1


@pytest.mark.parametrize("answer", [reply(401), reply(403), reply(200, REFUSAL)], ids=["401", "403", "200"])
def test_a_refusal_ends_the_crawl_of_the_site(shop: Shop, fetcher: MakeFetcher, answer: Callable[..., None]) -> None:
    shop.answers |= {"/shoes": answer, "/more": reply(body=b"more")}
    client = fetcher()
    for path in ("/shoes", "/more"):
        with pytest.raises(SiteBlocked, match="shop refuses us"):
            client.page(f"{shop.base}{path}")
    assert not shop.asked("/more")


def test_a_drip_ends_at_the_deadline(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/drip"] = endless(b".", pause=0.02)
    begun = time.monotonic()
    with pytest.raises(FetchError, match=r"took longer than 0\.2 s"):
        fetcher(deadline=0.2, attempts=1).page(f"{shop.base}/drip")
    assert time.monotonic() - begun < 1


def test_an_endless_body_ends_at_the_cap(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/endless"] = endless(b"x" * 10_000)
    with pytest.raises(FetchError, match="longer than 100,000 bytes"):
        fetcher(max_page_bytes=100_000).page(f"{shop.base}/endless")
    assert len(shop.asked("/endless")) == 1


def test_a_gzip_bomb_ends_at_the_cap(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/bomb"] = reply(body=gzip.compress(bytes(20_000_000)), Content_Encoding="gzip")
    with pytest.raises(FetchError, match="longer than 100,000 bytes"):
        fetcher(max_page_bytes=100_000).page(f"{shop.base}/bomb")


def test_redirects_stay_on_allowed_hosts(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers |= {
        "/old": reply(301, Location="/new"),
        "/new": reply(body=b"new"),
        "/away": reply(302, Location="http://127.0.0.1:9/elsewhere"),
        "/nowhere": reply(302, Location="http://[::1/"),
        "/round": reply(302, Location="/round"),
    }
    client = fetcher()
    assert client.page(f"{shop.base}/old").url == f"{shop.base}/new"
    for path in ("/away", "/nowhere"):
        with pytest.raises(FetchError, match="lies outside shop"):
            client.page(shop.base + path)
    with pytest.raises(FetchError, match="more than 5 redirects"):
        client.page(f"{shop.base}/round")


def test_images_come_as_they_are(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/a.jpg"] = reply(body=jpeg(), kind="image/jpeg")
    assert fetcher().image(f"{shop.base}/a.jpg").body == jpeg()
    assert shop.asked("/a.jpg")[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_a_live_crawl_asks_no_private_address(host: str) -> None:
    def parse_page(body: bytes, url: str) -> Page:
        raise AssertionError(body, url)

    site = Site("shop", "https://shop.example", "/", "/", parse_page, frozenset({host}))
    with pytest.raises(FetchError, match="private address"):
        Fetcher(site, FetchSettings(contact="crawl@example.org")).image(f"http://{host}/a.jpg")


def test_a_name_is_looked_up_once_and_judged_before_it_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that says a public address first and a private one afterwards gains nothing by it."""
    answers = iter(["93.184.215.14", "127.0.0.1"])
    connected: list[tuple[str, int]] = []

    def look_up(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 443))]

    def connect(address: tuple[str, int], *_: object) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    client = Fetcher(get_site("stockx"), FetchSettings(contact="crawl@example.org", attempts=2, delay=0.0, backoff=0.0))
    monkeypatch.setattr(client, "_robots", Robots("sneaker-assets", lambda _: (404, ""), lambda *_: None))
    with pytest.raises(FetchError, match=r"leads to a private address \(stockx.com is 127.0.0.1\)"):
        client.page("https://stockx.com/sneakers")
    assert connected == [("93.184.215.14", 443)]


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/a.jpg",
        "file:///etc/passwd",
        "https://stockx.com@x.example/",
        "https://[::1/a.jpg",
        "https://stockx.com:x/a.jpg",
        "",
    ],
)
def test_only_the_site_itself_is_asked(url: str) -> None:
    with pytest.raises(FetchError, match="lies outside stockx"):
        Fetcher(get_site("stockx"), FetchSettings(contact="crawl@example.org")).image(url)


def test_a_live_crawl_needs_a_contact() -> None:
    with pytest.raises(ValueError, match="contact"):
        Fetcher(get_site("stockx"), FetchSettings())
