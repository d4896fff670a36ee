"""Guarantees of the crawler, verified with the request log of a server in another process."""

import multiprocessing
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sneaker_assets.crawl.database import open_database
from sneaker_assets.crawl.errors import CrawlPaused, CrawlRunning, CrawlStopped, FetchError, SiteBlocked
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets_tests.crawl.crawling import crawl_shop, kill_after, shop_source
from sneaker_assets_tests.crawl.misbehaving_shop import CHALLENGES, MISBEHAVIOURS, RunningShop, running_shop
from sneaker_assets_tests.crawl.shop import shop_site

pytestmark = pytest.mark.slow

KILLS = 20


@pytest.fixture(scope="module")
def bad_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with running_shop(tmp_path_factory.mktemp("shop") / "log.jsonl") as shop:
        yield shop


def fetcher_of(shop: RunningShop, **settings: Any) -> Fetcher:
    quick = {"delay": 0.0, "backoff": 0.05, "attempts": 3, "timeout": 0.5, "deadline": 1.0, "max_page_bytes": 100_000}
    return Fetcher(shop_site(shop.base), FetchSettings(**{**quick, **settings}, allow_loopback=True))


UNCHANGED, AT_LAST = b"unchanged", b"at last"
OUTCOMES: dict[str, bytes | tuple[type[Exception], str]] = {
    **dict.fromkeys(
        (f"/{status}/{asked}" for status in (429, 503) for asked in ("seconds", "fraction", "garbage", "date")),
        AT_LAST,
    ),
    **dict.fromkeys(("/cut/with-length", "/cut/chunked", "/reset"), AT_LAST),
    "/same": UNCHANGED,
    "/429/hour": (CrawlPaused, "come back after"),
    "/503/hour": (CrawlPaused, "come back after"),
    "/drip/body": (FetchError, "took longer than 1 s"),
    "/drip/headers": (FetchError, "took longer than 1 s"),
    "/hang": (FetchError, "timed out"),
    "/redirect/loop": (FetchError, "more than 5 redirects"),
    "/redirect/away": (FetchError, "lies outside shop"),
    "/bomb.gz": (FetchError, "longer than 100,000 bytes"),
    "/endless": (FetchError, "longer than 100,000 bytes"),
    "/block-page": (SiteBlocked, "refuses us"),
    **dict.fromkeys((f"/challenge/{name}" for name in CHALLENGES), (CrawlPaused, "come back after")),
    **dict.fromkeys((f"/unregistered/{status}" for status in (420, 430, 529)), (CrawlPaused, "come back after")),
    "/private/shoes": (FetchError, r"robots\.txt"),
}
PICTURES = {path for path in MISBEHAVIOURS if path.endswith((".jpg", ".png"))}


def test_every_misbehaviour_has_an_outcome() -> None:
    assert OUTCOMES.keys() | PICTURES == MISBEHAVIOURS.keys()


@pytest.mark.parametrize("path", OUTCOMES)
def test_misbehaviour_has_its_expected_outcome(bad_shop: RunningShop, path: str) -> None:
    client, expected = fetcher_of(bad_shop, attempts=1 if "drip" in path or path == "/hang" else 3), OUTCOMES[path]
    if isinstance(expected, bytes):
        assert client.page(bad_shop.base + path).body == expected
    else:
        with pytest.raises(expected[0], match=expected[1]):
            client.page(bad_shop.base + path)
    assert not bad_shop.log("/private")


def test_invalid_images_are_problems_and_a_fresh_one_is_not_requested(bad_shop: RunningShop, lake: Lake) -> None:
    source = shop_source(bad_shop.base, lake, recheck=0.0)
    urls = [bad_shop.base + path for path in sorted(PICTURES)]
    for _ in range(2):
        table = source.images("shop", urls)
    assert list(table["image_url"][table["problem"].isna()]) == [f"{bad_shop.base}/same/for-an-hour.jpg"]
    assert len(bad_shop.log("/same/for-an-hour.jpg")) == 1


@pytest.mark.parametrize(("robots", "pages"), [("missing", 5), ("failing", 0), ("denied", 0)])
def test_status_of_robots_txt_is_evaluated_before_its_body(tmp_path: Path, lake: Lake, robots: str, pages: int) -> None:
    with running_shop(tmp_path / "log.jsonl", robots=robots) as shop:
        source = shop_source(shop.base, lake)
        if pages:
            source.observe("shop")
        else:
            with pytest.raises(FetchError, match=r"the robots\.txt of .* could not be fetched, hence nothing else is"):
                source.observe("shop")
        assert len(shop.log("/shoes")) == pages


def test_no_request_is_sent_during_a_hold(tmp_path: Path, lake: Lake) -> None:
    """Eight threads without delay; the server asks for a pause of one second at its 40th image."""
    with running_shop(tmp_path / "log.jsonl", pages=20, per_page=10, busy_at=40, busy_for=1) as shop:
        source = shop_source(shop.base, lake, threads=8)
        images = source.images("shop", source.observe("shop")["image_url"])
        assert images["problem"].isna().all()
        log = shop.log()
    refused = [entry for entry in log if entry["status"] == 429]
    assert len(refused) == 1
    asked_to_wait = refused[0]["answered_at"]
    assert not [entry for entry in log if asked_to_wait <= entry["at"] < asked_to_wait + 1]
    assert [entry for entry in log if entry["at"] >= asked_to_wait + 1]


def test_requests_are_separated_by_the_requested_delay(tmp_path: Path) -> None:
    with running_shop(tmp_path / "log.jsonl", robots="slow") as shop:
        client = fetcher_of(shop)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(client.image, [f"{shop.base}/images/{i}.jpg" for i in range(12)]))
        moments = [entry["at"] for entry in shop.log("/images")]
    assert len(moments) == 12
    assert min(later - earlier for earlier, later in pairwise(sorted(moments))) >= 0.05


def test_second_crawl_only_revalidates(tmp_path: Path, lake: Lake) -> None:
    with running_shop(tmp_path / "log.jsonl") as shop:
        source = shop_source(shop.base, lake, recheck=0.0)
        first, images = source.observe("shop"), source.images("shop", source.observe("shop")["image_url"])
        asked = len(shop.log())
        second, again = source.observe("shop"), source.images("shop", images["image_url"])
        log = shop.log()[asked:]
    assert {(entry["status"], entry["headers"]["If-None-Match"]) for entry in log} == {(304, '"v1"')}
    assert len(log) == 5 + 20
    pd.testing.assert_frame_equal(first.drop(columns="observed_at"), second.drop(columns="observed_at"))
    pd.testing.assert_frame_equal(images, again)
    assert source.report("shop").unchanged == 5


def test_hold_outlives_the_process(bad_shop: RunningShop, lake: Lake) -> None:
    with pytest.raises(CrawlPaused):
        shop_source(bad_shop.base, lake).images("shop", [f"{bad_shop.base}/429/hour"])
    asked = len(bad_shop.log())
    with pytest.raises(CrawlPaused, match="come back after"):
        shop_source(bad_shop.base, lake).observe("shop")
    assert len(bad_shop.log()) == asked


def test_second_crawl_of_a_locked_site_is_refused(tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sneaker_assets.crawl.database.LOCK_TIMEOUT", 0.1)
    with running_shop(tmp_path / "log.jsonl") as shop:
        with open_database(lake, "shop"), pytest.raises(CrawlRunning, match="wait for its end"):
            shop_source(shop.base, lake).observe("shop")
        assert not shop.log()
        assert len(shop_source(shop.base, lake).observe("shop")) == 20
    assert issubclass(CrawlRunning, CrawlStopped)


def test_crawl_state_is_uploaded_to_a_remote_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a crawl ends, its state is in the lake and not on this machine."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lake = Lake.at(f"memory://{tmp_path.name}")
    with running_shop(tmp_path / "log.jsonl") as shop:
        source = shop_source(shop.base, lake, recheck=0.0)
        images = source.images("shop", source.observe("shop")["image_url"])
        with pytest.raises(CrawlPaused):
            source.images("shop", [f"{shop.base}/429/hour"])
        asked = len(shop.log())
        with pytest.raises(CrawlPaused):
            shop_source(shop.base, lake).observe("shop")
        assert len(shop.log()) == asked
    assert lake.folder("crawls", "shop", "crawl.sqlite").exists()
    assert all(lake.image(sha256).exists() for sha256 in images["sha256"])
    assert not list(tmp_path.rglob("crawl.sqlite"))


def stored(lake: Lake) -> set[str]:
    """URLs of the images that the crawl state lists as stored."""
    file = Path(str(lake.folder("crawls", "shop"))) / "crawl.sqlite"
    if not file.exists():
        return set()
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as state:
        try:
            return {url for (url,) in state.execute("SELECT url FROM frontier WHERE state = 'stored'")}
        except sqlite3.OperationalError:
            return set()


def test_killed_crawls_lose_nothing(tmp_path: Path) -> None:
    """A crawl killed at random times has the same result as an undisturbed one.

    Only requests in flight at a kill are repeated.
    """
    moments = random.Random(2020)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["sneaker_assets_tests.crawl.crawling"])
    disturbed, undisturbed = Lake.at(tmp_path / "disturbed"), Lake.at(tmp_path / "undisturbed")
    with running_shop(tmp_path / "log.jsonl", pages=30, per_page=6) as shop:
        # Together the killed crawls send fewer requests than a whole crawl, so that each of them is killed midway.
        kept_at: list[tuple[float, set[str]]] = []
        for _ in range(KILLS):
            process = processes.Process(target=crawl_shop, args=(shop.base, str(disturbed.root), 0.012))
            kill_after(process, moments.randint(2, 9), lambda: len(shop.log()))
            kept_at.append((time.monotonic(), stored(disturbed)))
        listings, images = crawl_shop(shop.base, str(disturbed.root), 0.012)
        log, crawls = shop.log("/images"), len(shop.log("/robots.txt"))
        expected_listings, expected_images = crawl_shop(shop.base, str(undisturbed.root), 0.0)
    assert not [
        entry["path"] for at, kept in kept_at for entry in log if entry["at"] > at and shop.base + entry["path"] in kept
    ]
    assert crawls == KILLS + 1
    again = [path for path, count in Counter(entry["path"] for entry in log).items() if count > 1]
    assert len(again) <= KILLS * FetchSettings().threads
    assert listings["product_id"].is_unique
    pd.testing.assert_frame_equal(listings.drop(columns="observed_at"), expected_listings.drop(columns="observed_at"))
    pd.testing.assert_frame_equal(images, expected_images)


def test_hold_outlives_a_kill(tmp_path: Path, lake: Lake) -> None:
    """A crawl that is killed during a hold and restarted immediately respects the hold."""
    processes = multiprocessing.get_context("forkserver")
    with running_shop(tmp_path / "log.jsonl", busy_at=3, busy_for=2) as shop:
        process = processes.Process(target=crawl_shop, args=(shop.base, str(lake.root), 0.0))
        process.start()
        while not (refused := [entry for entry in shop.log("/images") if entry["status"] == 429]):
            time.sleep(0.02)
        time.sleep(0.2)
        process.kill()
        process.join()
        _, images = crawl_shop(shop.base, str(lake.root), 0.0)
        log = shop.log()
    assert images["problem"].isna().all()
    begun = refused[0]["answered_at"]
    assert not [entry for entry in log if begun <= entry["at"] < begun + 2]
    assert [entry for entry in log if entry["at"] >= begun + 2]
