"""StockX and GOAT through KicksDB: prices, sales, releases, the quota, and confidentiality of the key."""

import json
import logging
import multiprocessing
import traceback
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sneaker_assets.crawl.errors import CrawlPaused, CredentialsRefused, FetchError
from sneaker_assets.lake import Lake
from sneaker_assets.market.observations import append_observations
from sneaker_assets.sites import kicksdb
from sneaker_assets.sites.base import PageError
from sneaker_assets_tests.crawl.answers import in_turn, reply
from sneaker_assets_tests.crawl.api_shop import files_of
from sneaker_assets_tests.crawl.crawling import kill_after
from sneaker_assets_tests.crawl.kicks_service import (
    KEY,
    Service,
    crawl_kicks,
    first_of_next_month,
    goat_product,
    kicks_sites,
    kicks_source,
    open_service,
    sale,
    stockx_product,
)

SEARCH = "/v3/stockx/products"


@pytest.fixture
def service() -> Iterator[Service]:
    with open_service() as opened:
        opened.stockx = [stockx_product(number, opened.base, 100 * number) for number in range(1, 6)]
        opened.goat = [goat_product(number, opened.base) for number in (7, 8)]
        yield opened


def rows(table: pd.DataFrame, product: str, *columns: str) -> list[tuple[Any, ...]]:
    found = table.loc[table["product_id"] == product, list(columns)].astype(object)
    return list(found.where(found.notna(), None).itertuples(index=False, name=None))


def json_page(products: list[dict[str, Any]]) -> bytes:
    return json.dumps({"data": products}).encode()


def test_one_search_has_prices_by_size_traits_and_pictures(service: Service, lake: Lake) -> None:
    source = kicks_source(service.base, lake)
    table = source.observe("stockx")
    assert table["product_id"].unique().tolist() == [f"shoe-{number}" for number in range(1, 6)]
    assert len(service.requests()) == 3
    assert rows(table, "shoe-2", "label_kind", "size", "size_system", "amount", "currency", "available") == [
        ("lowest_ask", None, None, 200.0, "USD", True),
        ("lowest_ask", "9", "us_men", 200.0, "USD", True),
    ]
    assert rows(table, "shoe-2", "url", "style_code", "colourway", "retail_price", "retail_currency")[0] == (
        "https://stockx.com/example-2",
        "EX-2",
        "Sail",
        170.0,
        "USD",
    )
    assert set(table["release_date"]) == {pd.Timestamp("2021-02-27", tz="UTC")}
    images = source.images("stockx", table["image_url"])
    assert images["problem"].isna().all()
    report = source.report("stockx")
    assert (report.pages, report.listed, report.yielded, report.complete) == (3, 5, 5, True)


def test_goat_is_read_in_dollars_by_its_own_name(service: Service, lake: Lake) -> None:
    table = kicks_source(service.base, lake).observe("goat")
    assert rows(table, "7", "site", "url", "size", "amount", "currency", "style_code") == [
        ("goat", "https://www.goat.com/sneakers/example-7", None, 202.0, "USD", "EX 7"),
        ("goat", "https://www.goat.com/sneakers/example-7", "9", 202.0, "USD", "EX 7"),
    ]


def test_product_without_prices_in_the_search_is_read_from_its_own_page(service: Service, lake: Lake) -> None:
    own = json.dumps({"data": service.goat[0] | {"name": "Seven"}}).encode()
    service.answers["/v3/goat/products/7"] = reply(body=own, kind="application/json")
    service.goat[0].update(variants=None)
    source = kicks_source(service.base, lake)
    table = source.observe("goat")
    assert rows(table, "7", "title", "amount")[0] == ("Seven", 202.0)
    assert source.report("goat").complete
    assert len([path for path in service.requests() if path.startswith("/v3/goat/products/7?")]) == 1


def test_price_or_count_of_zero_is_unavailable_and_no_price(service: Service, lake: Lake) -> None:
    asks = [(0, 3), (250, 0), ("0", 1)]
    variants = [{"size": str(i), "lowest_ask": ask, "total_asks": count} for i, (ask, count) in enumerate(asks)]
    service.stockx = [
        stockx_product(1, service.base, variants=variants, min_price=250),
        stockx_product(2, service.base, variants=[], min_price=0),
        stockx_product(3, service.base, variants=[], min_price=130),
    ]
    table = kicks_source(service.base, lake).observe("stockx")
    assert rows(table, "shoe-1", "amount", "size", "available", "problem") == [(None, None, False, None)]
    assert rows(table, "shoe-2", "amount", "available") == [(None, False)]
    assert rows(table, "shoe-3", "amount", "available") == [(130.0, None)]


def test_prices_are_in_the_currency_of_the_market_and_retail_prices_only_in_dollars(
    service: Service, lake: Lake
) -> None:
    table = kicks_source(service.base, lake, market="FR").observe("stockx")
    assert set(table["currency"]) == {"EUR"}
    assert set(table["retail_price"]) == {170.0}
    assert table["retail_currency"].isna().all()
    assert all("market=FR&currency=EUR" in path for path in service.requests())
    assert kicks_sites(service.base, market="gb")["stockx"].start_path.endswith("market=UK&currency=GBP")


def test_products_other_than_shoes_and_placeholder_pictures_are_left_out(service: Service, lake: Lake) -> None:
    placeholder = "https://images.stockx.com/images/Product-Placeholder-Default.jpg"
    service.stockx[1].update(product_type="streetwear")
    service.stockx[2].update(image=placeholder)
    table = kicks_source(service.base, lake).observe("stockx")
    assert {str(reason) for (reason,) in rows(table, "shoe-2", "exclusion")} == {"not footwear: streetwear"}
    assert {image for (image,) in rows(table, "shoe-3", "image_url")} == {""}


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        ("2026-12-05", "2026-12-05"),
        ("20261205", "2026-12-05"),
        (20261205, "2026-12-05"),
        ("2026-12-05T23:59:59.999Z", "2026-12-05"),
        ("2026", None),
        ("20261305", None),
        ("", None),
        (None, None),
        (["2026-12-05"], None),
    ],
)
def test_release_dates_are_read_in_every_documented_form(stated: Any, read: str | None) -> None:
    site = kicks_sites(kicksdb.HOME)["goat"]
    body = json_page([goat_product(7, kicksdb.HOME) | {"release_date": stated}])
    (listing,) = site.parse_page(body, f"{kicksdb.HOME}{site.start_path}").listings
    assert (listing.release_date and listing.release_date.date().isoformat()) == read


def test_sales_are_observed_at_their_own_time(service: Service, lake: Lake) -> None:
    service.stockx = service.stockx[:1]
    service.sales["shoe-1"] = [
        sale(182, "2026-11-20T01:55:24Z", "11"),
        sale(189, "2026-11-24T01:30:11Z"),
        sale(150, "yesterday"),
        sale(0, "2026-11-24T02:00:00Z"),
    ]
    source = kicks_source(service.base, lake, sales=True)
    table = source.observe("stockx")
    sold = table[table["label_kind"] == "last_sale"]
    assert rows(sold, "shoe-1", "size", "amount", "observed_at", "problem") == [
        (None, 189.0, pd.Timestamp("2026-11-24T01:30:11Z"), None),
        ("11", 182.0, pd.Timestamp("2026-11-20T01:55:24Z"), None),
        ("9", 189.0, pd.Timestamp("2026-11-24T01:30:11Z"), None),
        ("9", None, sold["observed_at"].iloc[-1], "the sale has no date"),
    ]
    asks = table[table["label_kind"] == "lowest_ask"]
    assert asks["observed_at"].min() > pd.Timestamp("2026-11-24T01:30:11Z")
    service.sales["shoe-1"].insert(0, sale(195, "2026-11-25T10:00:00Z"))
    again = source.observe("stockx")
    history = append_observations(table, again)
    history = history[history["problem"].isna() & history["size"].notna()]
    assert sorted(history.loc[history["label_kind"] == "last_sale", "amount"]) == [182.0, 189.0, 195.0]


def test_sales_of_another_market_have_no_currency(service: Service, lake: Lake) -> None:
    service.stockx = service.stockx[:1]
    service.sales["shoe-1"] = [sale(182, "2026-11-20T01:55:24Z")]
    table = kicks_source(service.base, lake, sales=True, market="UK").observe("stockx")
    assert table.loc[table["label_kind"] == "last_sale", "currency"].isna().all()


def test_upcoming_releases_are_asked_for_by_date(service: Service, lake: Lake) -> None:
    coming = {"traits": [{"trait": "Release Date", "value": "2026-12-05"}, {"trait": "Retail Price", "value": 190}]}
    service.stockx[3].update(coming, release_date="2026-12-05", variants=[], min_price=0)
    service.goat[1].update(release_date="20261224")
    source = kicks_source(service.base, lake)
    announced = source.releases("stockx")
    assert rows(announced, "shoe-4", "title", "retail_price", "release_date") == [
        ("Example 4", 190.0, pd.Timestamp("2026-12-05", tz="UTC"))
    ]
    assert len(announced) == 1
    assert source.releases("goat")["product_id"].unique().tolist() == ["8"]
    assert source.release_sites() == ["goat", "stockx"]


def test_released_shoes_are_not_announced_if_the_service_ignores_the_filter(service: Service, lake: Lake) -> None:
    service.answers[SEARCH] = reply(body=json_page(service.stockx), kind="application/json")
    with pytest.raises(PageError, match=r"^[^\n]*'Example 1' of 2021-02-27: the service does not apply the filter$"):
        kicks_source(service.base, lake).releases("stockx")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_pages_without_totals_are_followed_to_the_last(service: Service, lake: Lake, count: int) -> None:
    service.has_meta = False
    service.stockx = service.stockx[:count]
    assert kicks_source(service.base, lake).observe("stockx")["product_id"].nunique() == count
    assert len(service.requests()) == count // 2 + 1  # a full page may be the last one


def test_number_of_search_pages_is_limited(service: Service, lake: Lake) -> None:
    table = kicks_source(service.base, lake, max_pages=2).observe("stockx")
    assert table["product_id"].nunique() == 4


def test_used_up_quota_pauses_the_crawl_until_the_next_month(service: Service, lake: Lake) -> None:
    service.quota = 998
    with pytest.raises(CrawlPaused, match=r"1,000 requests a month are used up \(SNEAKER_KICKSDB_QUOTA\)") as paused:
        kicks_source(service.base, lake).observe("stockx")
    assert "\n" not in str(paused.value)
    expected = first_of_next_month(datetime.now(UTC))
    assert abs((paused.value.resume_at - expected).total_seconds()) < 60
    assert (service.quota, len(service.requests())) == (1000, 2)
    source = kicks_source(service.base, lake)
    with pytest.raises(CrawlPaused):
        source.observe("stockx")
    assert len(service.requests()) == 2
    assert source.images("stockx", [f"{service.base}/picture.jpg"])["problem"].isna().all()


def test_crawl_resumes_with_a_larger_quota(service: Service, lake: Lake) -> None:
    service.quota = 9
    with pytest.raises(CrawlPaused):
        kicks_source(service.base, lake, quota=10).observe("stockx")
    table = kicks_source(service.base, lake, quota=5000).observe("stockx")
    assert table["product_id"].nunique() == 5
    assert set(Counter(service.requests()).values()) == {1}


def test_last_page_of_the_quota_completes_the_crawl(service: Service, lake: Lake) -> None:
    service.quota = 997
    source = kicks_source(service.base, lake)
    assert source.observe("stockx")["product_id"].nunique() == 5
    with pytest.raises(CrawlPaused):
        source.observe("stockx")
    assert len(service.requests()) == 3


def test_throttled_crawl_pauses_as_long_as_it_is_asked(service: Service, lake: Lake) -> None:
    limited = reply(429, b'{"title": "Too Many Requests"}', "application/json", Retry_After="60")
    service.answers[SEARCH] = limited
    with pytest.raises(CrawlPaused, match="asks us to wait"):
        kicks_source(service.base, lake).observe("stockx")
    assert len(service.requests()) == 1
    with pytest.raises(CrawlPaused):
        kicks_source(service.base, lake).observe("stockx")
    assert len(service.requests()) == 1


def test_key_that_expires_halfway_is_named_and_the_crawl_resumes_with_a_new_one(service: Service, lake: Lake) -> None:
    service.stockx = service.stockx[:2]
    service.sales["shoe-1"] = [sale(182, "2026-11-20T01:55:24Z")]
    expired = reply(401, b'{"title": "Unauthorized", "detail": "Invalid key"}', "application/json")
    service.answers[f"{SEARCH}/shoe-2/sales"] = expired
    with pytest.raises(CredentialsRefused, match=r"answered 401.*: set SNEAKER_KICKSDB_KEY to a valid key"):
        kicks_source(service.base, lake, sales=True).observe("stockx")
    read = service.requests()
    del service.answers[f"{SEARCH}/shoe-2/sales"]
    service.key = "new"
    table = kicks_source(service.base, lake, "new", sales=True).observe("stockx")
    assert table["product_id"].nunique() == 2
    assert rows(table[table["label_kind"] == "last_sale"], "shoe-1", "amount") == [(182.0,), (182.0,)]
    assert [path for path in service.requests()[len(read) :] if path in read] == [read[-1]]


@pytest.mark.parametrize(
    "answer",
    [
        reply(body=b"<html><title>Error</title>Internal</html>"),
        reply(body=b'{"status": "success"}', kind="application/json"),
        reply(body=b'{"data": null}', kind="application/json"),
        reply(body=b'{"data": "none"}', kind="application/json"),
        reply(body=b'{"data": [{"id": 1}, null, "x"]}', kind="application/json"),
        reply(body=b"[]", kind="application/json"),
        reply(body=b"", kind="application/json"),
    ],
)
def test_unreadable_answer_is_one_line_and_is_saved(service: Service, lake: Lake, answer: Any) -> None:
    service.answers[SEARCH] = answer
    with pytest.raises(PageError, match=r"^kicksdb, stockx: no listing on [^\n]*$"):
        kicks_source(service.base, lake).observe("stockx")
    assert [name for name in files_of(Path(str(lake.root))) if "unreadable" in name]


def test_empty_results_are_no_error(service: Service, lake: Lake) -> None:
    service.stockx = []
    assert kicks_source(service.base, lake).observe("stockx").empty
    service.answers[SEARCH] = reply(body=b'{"status": "success", "data": null}', kind="application/json")
    assert kicks_source(service.base, lake).observe("stockx").empty


def test_rejected_query_is_named(service: Service, lake: Lake) -> None:
    service.answers[SEARCH] = reply(400, b'{"title": "Bad Request"}', "application/json")
    with pytest.raises(FetchError, match="answered 400"):
        kicks_source(service.base, lake).observe("stockx")


def test_failure_of_the_server_is_retried(service: Service, lake: Lake) -> None:
    whole = reply(body=json_page(service.stockx), kind="application/json")
    service.answers[SEARCH] = in_turn(reply(500), whole, reply(body=json_page([]), kind="application/json"))
    assert kicks_source(service.base, lake).observe("stockx")["product_id"].nunique() == 5


def test_killed_crawls_lose_nothing(service: Service, tmp_path: Path) -> None:
    service.sales = {f"shoe-{i}": [sale(100 + i, "2026-11-20T01:55:24Z")] for i in range(1, 6)}
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([crawl_kicks.__module__])
    process = processes.Process(target=crawl_kicks, args=(service.base, str(tmp_path / "disturbed"), 0.05))
    kill_after(process, 4, lambda: len(service.log))
    assert process.exitcode != 0
    disturbed = crawl_kicks(service.base, str(tmp_path / "disturbed"))
    asked = Counter(service.requests())
    undisturbed = crawl_kicks(service.base, str(tmp_path / "undisturbed"))
    at_own_time = disturbed["label_kind"] == "last_sale"
    assert at_own_time.sum() == 2 * 5
    pd.testing.assert_frame_equal(disturbed[at_own_time], undisturbed[at_own_time])
    pd.testing.assert_frame_equal(disturbed.drop(columns="observed_at"), undisturbed.drop(columns="observed_at"))
    assert len(asked) == 3 + 5
    assert sum(asked.values()) <= len(asked) + 1  # a request in flight at the kill is repeated


def test_key_is_sent_bare_and_to_the_api_only(service: Service, lake: Lake) -> None:
    with open_service() as elsewhere:
        service.stockx[0]["image"] = f"{elsewhere.base}/picture.jpg"
        source = kicks_source(service.base, lake)
        table = source.observe("stockx")
        source.images("stockx", table["image_url"])
        sent = {headers.get("Authorization") for path, headers in service.log if path.startswith("/v3/")}
        others = [headers for path, headers in service.log if not path.startswith("/v3/")]
        assert elsewhere.log == []
    assert sent == {KEY}
    assert others
    assert not any(KEY in str(headers) for headers in others)


def test_key_does_not_appear_in_logs_state_errors_or_repr(
    service: Service, lake: Lake, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not even in debug logs, nor if the service repeats it in its answer's head."""
    source = kicks_source(service.base, lake, sales=True)
    said = [repr(source), repr(kicks_sites(service.base)), str(kicksdb.sites(KEY)[0].credentials)]
    with caplog.at_level(logging.DEBUG):
        source.observe("stockx")
        service.key = "renewed"
        with pytest.raises(CredentialsRefused) as refused:
            source.observe("stockx")
        service.answers[SEARCH] = reply(500, X_Key=KEY)
        with pytest.raises(FetchError) as failed:
            source.observe("stockx")
    for raised in (refused, failed):
        said += traceback.format_exception(raised.value)
    said += [caplog.text, *capfd.readouterr()]
    kept = files_of(Path(str(lake.root)))
    assert "kicksdb" in str(kept)
    said.append(str(kept))
    assert not [text for text in said if KEY in text]


@pytest.mark.parametrize("key", ["", "a b", f"{KEY}\n", "clé"])
def test_invalid_key_is_named_without_its_value(key: str) -> None:
    with pytest.raises(kicksdb.KicksDBError, match=r"needs SNEAKER_KICKSDB_KEY: it is missing") as raised:
        kicksdb.sites(key)
    assert not key or key not in str(raised.value)


def test_unknown_market_needs_a_currency() -> None:
    with pytest.raises(kicksdb.KicksDBError, match=r"currency of the market 'JP' is not known, only those of AT, BE"):
        kicksdb.sites(KEY, "JP")
    assert "market=JP&currency=JPY" in kicksdb.sites(KEY, "JP", currency="JPY")[0].start_path


def test_limit_of_requests_per_minute_is_respected() -> None:
    assert all(site.delay * 640 >= 60 for site in kicksdb.sites(KEY))
