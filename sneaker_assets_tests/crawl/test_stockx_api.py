"""StockX through its official API: prices, resumption, and confidentiality of the key."""

import logging
import multiprocessing
import random
import traceback
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from sneaker_assets.crawl.errors import CredentialsRefused, FetchError, SiteBlocked
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.resources import ListingSourceResource
from sneaker_assets.resources.source import live_sites
from sneaker_assets.settings.environment import load_settings
from sneaker_assets.sites import SITES, stockx_api
from sneaker_assets_tests.crawl.answers import jpeg, reply
from sneaker_assets_tests.crawl.api_shop import (
    KEY,
    TOKEN,
    api_site,
    api_source,
    authenticated,
    crawl_api,
    files_of,
    fill,
    market_path,
    search_path,
    variants_path,
)
from sneaker_assets_tests.crawl.crawling import kill_after
from sneaker_assets_tests.crawl.shop import Shop, open_shop

ASKS = {1: 200, 2: 300, 3: 400, 4: 500, 5: 600}
LOOPBACK = FetchSettings(delay=0.0, backoff=0.01, attempts=2, allow_loopback=True)


@pytest.fixture
def api(shop: Shop) -> Shop:
    fill(shop, ASKS)
    return shop


def prices_of(table: pd.DataFrame, product: str) -> list[tuple[str, str | None, float]]:
    rows = table[table["product_id"] == product]
    sizes = rows["size"].astype(object).where(rows["size"].notna(), None)
    return sorted(zip(rows["label_kind"], sizes, rows["amount"], strict=True), key=str)


def test_products_have_the_prices_of_their_sizes(api: Shop, lake: Lake) -> None:
    source = api_source(api.base, lake)
    table = source.observe("stockx")
    assert list(table["product_id"].unique()) == [f"shoe-{i}" for i in ASKS]
    assert prices_of(table, "shoe-3") == [
        ("highest_bid", "9", 350.0),
        ("highest_bid", None, 350.0),
        ("lowest_ask", "9", 400.0),
        ("lowest_ask", "9.5", 410.0),
        ("lowest_ask", None, 400.0),
    ]
    row = table.iloc[0]
    assert (row["url"], row["style_code"], row["retail_price"]) == ("https://stockx.com/example-1", "EX-1", 170.0)
    assert set(table["image_url"]) == {""}
    report = source.report("stockx")
    assert (report.pages, report.listed, report.yielded, report.complete) == (3 + 2 * 5, 5, 5, True)


def test_every_page_is_requested_once_with_the_key(api: Shop, lake: Lake) -> None:
    api_source(api.base, lake).observe("stockx")
    assert set(Counter(request.path for request in api.log).values()) == {1}
    with_key = {request.path for request in api.log if request.headers.get("x-api-key") == KEY}
    assert with_key == {request.path for request in api.log} - {"/robots.txt"}
    assert all(request.headers["Authorization"] == f"Bearer {TOKEN}" for request in api.log if request.path in with_key)


def test_prices_without_a_known_size_are_dropped(api: Shop, lake: Lake) -> None:
    api.answers[variants_path(2)] = reply(404)
    source = api_source(api.base, lake)
    assert prices_of(source.observe("stockx"), "shoe-2") == [("highest_bid", None, 250.0), ("lowest_ask", None, 300.0)]
    assert not source.report("stockx").complete


def test_second_crawl_revalidates_every_page(api: Shop, lake: Lake) -> None:
    first = api_source(api.base, lake).observe("stockx")
    asked = len(api.log)
    fill(api, {**ASKS, 3: 390})
    second = api_source(api.base, lake).observe("stockx")
    again = [request for request in api.log[asked:] if request.path != "/robots.txt"]
    assert all("If-None-Match" in request.headers for request in again)
    assert len(again) == 3 + 2 * 5
    assert prices_of(second, "shoe-3")[2] == ("lowest_ask", "9", 390.0)
    assert second["observed_at"].min() > first["observed_at"].max()
    before, after = (table[table["product_id"] != "shoe-3"].drop(columns="observed_at") for table in (first, second))
    pd.testing.assert_frame_equal(before, after)


def test_killed_crawls_of_the_api_lose_nothing(api: Shop, tmp_path: Path) -> None:
    fill(api, {i: 100 + i for i in range(20)})
    moments, processes = random.Random(7), multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([crawl_api.__module__])
    kills = 6
    for _ in range(kills):
        process = processes.Process(target=crawl_api, args=(api.base, str(tmp_path / "disturbed"), 0.02))
        kill_after(process, moments.randint(2, 6), lambda: len(api.log))
    disturbed = crawl_api(api.base, str(tmp_path / "disturbed"))
    assert len(api.asked("/robots.txt")) == kills + 1
    asked = Counter(request.path for request in api.log if request.path != "/robots.txt")
    undisturbed = crawl_api(api.base, str(tmp_path / "undisturbed"))
    pd.testing.assert_frame_equal(disturbed.drop(columns="observed_at"), undisturbed.drop(columns="observed_at"))
    assert len(asked) == 10 + 2 * 20
    assert sum(asked.values()) <= len(asked) + kills  # a request in flight at a kill is repeated


def test_expired_token_is_one_line_and_the_crawl_resumes_with_a_new_one(api: Shop, lake: Lake) -> None:
    api.answers[market_path(1)] = authenticated([], token="another")  # the token expires during the crawl
    api.answers["/a.jpg"] = reply(body=jpeg(), kind="image/jpeg")
    source = api_source(api.base, lake)
    with pytest.raises(CredentialsRefused, match=r"answered 401.*: get a new token and set SNEAKER_STOCKX_TOKEN"):
        source.observe("stockx")
    assert source.images("stockx", [f"{api.base}/a.jpg"])["problem"].isna().all()
    read = [request.path for request in api.log]
    fill(api, ASKS, token="new")
    assert len(api_source(api.base, lake, token="new").observe("stockx")["product_id"].unique()) == 5
    again = [request.path for request in api.log[len(read) :] if request.path in read]
    assert again == ["/robots.txt", market_path(1)]


def test_block_page_of_the_api_stops_the_crawl(api: Shop, lake: Lake) -> None:
    api.answers[search_path(1)] = reply(403, b"<html><title>Access Denied</title></html>")
    with pytest.raises(SiteBlocked):
        api_source(api.base, lake).observe("stockx")
    kept = files_of(Path(str(lake.root)))
    assert not [name for name, content in kept.items() if "unreadable" in name or b"Access Denied" in content]


def test_key_is_sent_to_the_api_only(api: Shop) -> None:
    with open_shop() as elsewhere:
        api.answers |= {
            "/away": reply(302, Location=f"{elsewhere.base}/shoes"),
            "/a.jpg": reply(302, Location=f"{elsewhere.base}/a.jpg"),
        }
        elsewhere.answers |= {"/shoes": reply(body=b"[]"), "/a.jpg": reply(body=jpeg(), kind="image/jpeg")}
        site = api_site(api.base)
        pictures = frozenset({elsewhere.host})
        fetcher = Fetcher(replace(site, image_hosts=pictures), LOOPBACK)
        with pytest.raises(FetchError, match="lies outside stockx"):
            fetcher.page(f"{api.base}/away")
        assert elsewhere.log == []
        assert fetcher.image(f"{api.base}/a.jpg").body == jpeg()
        plain = Fetcher(replace(site, home=api.base.replace("http://", "https://")), LOOPBACK)
        with pytest.raises(FetchError, match="answered 404"):
            plain.page(f"{api.base}/in-the-clear")
    unseen = [*elsewhere.log, *api.asked("/a.jpg"), *api.asked("/in-the-clear"), *api.asked("/robots.txt")]
    assert {request.path for request in elsewhere.log} == {"/robots.txt", "/a.jpg"}
    assert not any(secret in str(request.headers) for request in unseen for secret in (KEY, TOKEN))


def test_key_does_not_appear_in_logs_state_errors_or_repr(
    api: Shop, lake: Lake, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not even in debug logs."""
    source = api_source(api.base, lake)
    said = [repr(source), repr(api_site(api.base)), str(api_site(api.base).credentials)]
    with caplog.at_level(logging.DEBUG):
        source.observe("stockx")
        api.answers |= {
            search_path(1): reply(401, b"<html><title>Unauthorized</title></html>"),
            variants_path(1): reply(body=b"<html>odd"),
            market_path(1): reply(500),
        }
        with pytest.raises(CredentialsRefused) as refused:
            source.observe("stockx")
        api.answers[search_path(1)] = reply(500)
        with pytest.raises(FetchError) as failed:
            source.observe("stockx")
    for raised in (refused, failed):
        said += traceback.format_exception(raised.value)
    said += [caplog.text, *capfd.readouterr()]
    assert "api_v2" in str(files_of(Path(str(lake.root))))
    said.append(str(files_of(Path(str(lake.root)))))
    assert not [text for text in said for secret in (KEY, TOKEN) if secret in text]


def test_api_is_used_if_a_key_is_set(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    live = ListingSourceResource(source="live", contact="crawl@example.org")
    assert live_sites(load_settings()) == SITES
    monkeypatch.setenv(stockx_api.KEY, KEY)
    monkeypatch.setenv(stockx_api.TOKEN, TOKEN)
    with live.open(lake) as source:
        assert "home='https://api.stockx.com'" in repr(source)
        assert "home='https://www.farfetch.com'" in repr(source)
    assert KEY not in repr(live) + repr(source)


@pytest.mark.parametrize(("key", "token"), [(KEY, ""), (KEY, "a b"), (f"{KEY}\n", TOKEN), (KEY, "tökén")])
def test_invalid_credentials_are_named_without_their_value(key: str, token: str) -> None:
    with pytest.raises(
        ValueError, match=r"needs SNEAKER_STOCKX_KEY and SNEAKER_STOCKX_TOKEN: \w+ is missing"
    ) as raised:
        stockx_api.site(key, token)
    assert not [secret for secret in (KEY, TOKEN, token) if secret and secret in str(raised.value)]


def test_minimum_delay_of_the_api_is_respected(api: Shop) -> None:
    assert stockx_api.site(KEY, TOKEN).delay == 1.0
    fetcher = Fetcher(replace(api_site(api.base), delay=0.1), LOOPBACK)
    for number in (1, 2, 3):
        fetcher.page(api.base + search_path(number))
    moments = [request.at for request in api.log]
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 0.1
