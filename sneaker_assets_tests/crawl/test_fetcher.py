"""Fetcher against a misbehaving server."""

import gzip
import ipaddress
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import requests
import trustme
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.crawl.errors import CrawlPaused, FetchError, SiteBlocked
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.http import Validators
from sneaker_assets.crawl.robots import Robots
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.crawl.transport import is_public
from sneaker_assets.sites import get_site
from sneaker_assets.sites.base import Page, Site
from sneaker_assets_tests.crawl.answers import endless, in_turn, jpeg, raw, reply
from sneaker_assets_tests.crawl.shop import Shop, open_shop

MakeFetcher = Callable[..., Fetcher]
REFUSAL = b"<html><head><title>Access to this page has been denied</title></head><body>Please verify</body></html>"
CUT = raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nhalf")
CUT_CHUNKED = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n64\r\nhalf")


def test_page_is_fetched_with_the_contact_in_the_user_agent(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/shoes"] = reply(body=b"<p>shoes</p>", ETag='"v1"')
    response = fetcher(contact="crawl@example.org").page(f"{shop.base}/shoes")
    assert (response.status, response.body, response.headers["etag"]) == (200, b"<p>shoes</p>", '"v1"')
    assert all("crawl@example.org" in request.headers["User-Agent"] for request in shop.log)


def test_server_with_an_untrusted_certificate_is_rejected(tmp_path: Path) -> None:
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


def test_validators_are_sent_and_an_unchanged_page_is_a_304(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/shoes"] = reply(304)
    response = fetcher().page(f"{shop.base}/shoes", Validators('"v1"', "Wed, 21 Oct 2015 07:28:00 GMT"))
    assert (response.status, response.body) == (304, b"")
    assert shop.asked("/shoes")[0].headers["If-None-Match"] == '"v1"'
    assert "2015" in shop.asked("/shoes")[0].headers["If-Modified-Since"]


def test_disallowed_path_is_never_requested(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/robots.txt"] = reply(body=b"User-agent: *\nDisallow: /private", kind="text/plain")
    with pytest.raises(FetchError, match=r"robots\.txt"):
        fetcher().page(f"{shop.base}/private/1")
    assert [request.path for request in shop.log] == ["/robots.txt"]


@pytest.mark.parametrize("answer", [reply(500), reply(200, REFUSAL)], ids=["500", "refusal"])
def test_unavailable_robots_txt_disallows_everything(
    shop: Shop, fetcher: MakeFetcher, answer: Callable[..., None]
) -> None:
    shop.answers |= {"/robots.txt": answer, "/shoes": reply(body=b"shoes")}
    with pytest.raises(FetchError, match=r"robots\.txt"):
        fetcher().page(f"{shop.base}/shoes")
    assert not shop.asked("/shoes")


def test_crawl_delay_separates_requests(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers |= {
        "/robots.txt": reply(body=b"User-agent: *\nCrawl-delay: 0.1", kind="text/plain"),
        "/shoes": reply(body=b"shoes"),
    }
    client = fetcher()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(client.page, [f"{shop.base}/shoes"] * 4))
    times = [request.at for request in shop.asked("/shoes")]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.1


def test_retry_after_delays_every_thread(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers |= {
        "/busy": in_turn(reply(429, Retry_After="0.5"), reply(body=b"at last")),
        "/shoes": reply(body=b"shoes"),
    }
    client = fetcher()
    client.page(f"{shop.base}/shoes")

    def fetch_others(_: int) -> None:
        while not busy.done():
            client.page(f"{shop.base}/shoes")

    with ThreadPoolExecutor(5) as pool:
        busy = pool.submit(client.page, f"{shop.base}/busy")
        list(pool.map(fetch_others, range(4)))
        assert busy.result().body == b"at last"
    refused_at = shop.asked("/busy")[0].at
    assert not [request for request in shop.log if refused_at < request.at < refused_at + 0.5]
    assert [request for request in shop.log if request.at >= refused_at + 0.5]


def test_long_retry_after_pauses_the_crawl(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/busy"] = reply(503, Retry_After="3600")
    client = fetcher()
    for path in ("/busy", "/shoes"):
        with pytest.raises(CrawlPaused, match="come back after"):
            client.page(f"{shop.base}{path}")
    assert len(shop.asked("/busy")) == 1
    assert not shop.asked("/shoes")


def test_host_that_stays_overloaded_pauses_the_crawl(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/busy"] = reply(429, Retry_After="whenever")
    with pytest.raises(CrawlPaused):
        fetcher().page(f"{shop.base}/busy")
    assert len(shop.asked("/busy")) == 3


@pytest.mark.parametrize("trouble", [CUT, CUT_CHUNKED, raw(b""), reply(500), reply(503)])
def test_transient_failures_are_retried(shop: Shop, fetcher: MakeFetcher, trouble: Callable[..., None]) -> None:
    shop.answers["/shoes"] = in_turn(trouble, trouble, reply(body=b"whole"))
    assert fetcher().page(f"{shop.base}/shoes").body == b"whole"
    assert len(shop.asked("/shoes")) == 3


def test_persistent_failure_is_named_with_the_number_of_attempts(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/shoes"] = CUT
    with pytest.raises(FetchError, match=r"/shoes: .* \(3 attempts\)"):
        fetcher().page(f"{shop.base}/shoes")


def test_missing_page_is_requested_once(shop: Shop, fetcher: MakeFetcher) -> None:
    with pytest.raises(FetchError, match="answered 404"):
        fetcher().page(f"{shop.base}/gone")
    assert len(shop.asked("/gone")) == 1


@pytest.mark.parametrize("answer", [reply(401), reply(403), reply(200, REFUSAL)], ids=["401", "403", "200"])
def test_block_page_or_status_stops_the_crawl_of_the_site(
    shop: Shop, fetcher: MakeFetcher, answer: Callable[..., None]
) -> None:
    shop.answers |= {"/shoes": answer, "/more": reply(body=b"more")}
    client = fetcher()
    for path in ("/shoes", "/more"):
        with pytest.raises(SiteBlocked, match="shop refuses us"):
            client.page(f"{shop.base}{path}")
    assert not shop.asked("/more")


def test_slow_body_ends_at_the_deadline(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/drip"] = endless(b".", pause=0.02)
    with pytest.raises(FetchError, match=r"took longer than 0\.2 s"):
        fetcher(deadline=0.2, attempts=1).page(f"{shop.base}/drip")


def test_endless_body_ends_at_the_size_limit(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/endless"] = endless(b"x" * 10_000)
    with pytest.raises(FetchError, match="longer than 100,000 bytes"):
        fetcher(max_page_bytes=100_000).page(f"{shop.base}/endless")
    assert len(shop.asked("/endless")) == 1


def test_gzip_bomb_ends_at_the_size_limit(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/bomb"] = reply(body=gzip.compress(bytes(20_000_000)), Content_Encoding="gzip")
    with pytest.raises(FetchError, match="longer than 100,000 bytes"):
        fetcher(max_page_bytes=100_000).page(f"{shop.base}/bomb")


def test_redirects_are_followed_on_allowed_hosts_only(shop: Shop, fetcher: MakeFetcher) -> None:
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


def test_image_is_fetched_without_content_encoding(shop: Shop, fetcher: MakeFetcher) -> None:
    shop.answers["/a.jpg"] = reply(body=jpeg(), kind="image/jpeg")
    assert fetcher().image(f"{shop.base}/a.jpg").body == jpeg()
    assert shop.asked("/a.jpg")[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_live_crawl_rejects_private_addresses(host: str) -> None:
    def parse_page(body: bytes, url: str) -> Page:
        raise AssertionError(body, url)

    site = Site("shop", "https://shop.example", "/", "/", parse_page, frozenset({host}))
    with pytest.raises(FetchError, match="private address"):
        Fetcher(site, FetchSettings(contact="crawl@example.org")).image(f"http://{host}/a.jpg")


@pytest.mark.parametrize(
    "address",
    [
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "ff02::1",
        "fec0::1",
        "fe80::1%eth0",
        "fd00::1",
        "2001:db8::1",
        "::",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "100.64.0.1",
        "192.88.99.1",
        "198.18.0.1",
    ],
)
def test_address_that_is_not_public_unicast_is_rejected(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::6810:84e5", "2a00:1450:4001::200e"])
def test_public_address_is_accepted(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_ipv4_address_is_never_more_public_when_embedded(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    embedded = [0x64FF9B << 96 | number, 0x2002 << 112 | number << 80, 0xFFFF << 32 | number, number]
    assert not any(is_public(str(ipaddress.IPv6Address(value))) for value in embedded)


def test_host_is_resolved_once_and_checked_before_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that returns a public address first and a private one later (DNS rebinding) has no effect."""
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
def test_urls_outside_the_site_are_rejected(url: str) -> None:
    with pytest.raises(FetchError, match="lies outside stockx"):
        Fetcher(get_site("stockx"), FetchSettings(contact="crawl@example.org")).image(url)


def test_live_crawl_without_a_contact_is_an_error() -> None:
    with pytest.raises(ValueError, match="contact"):
        Fetcher(get_site("stockx"), FetchSettings())
