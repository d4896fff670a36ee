"""The release sensor on an ephemeral instance, with two servers that announce what a test configures."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster._core.test_utils import create_run_for_test

from sneaker_assets.assets.partitions import release_partitions
from sneaker_assets.automation.jobs import PARTITION_TAG
from sneaker_assets.automation.sensors import RUN_KEY_TAG, _requests, release_sensor, run_key
from sneaker_assets.crawl.database import open_database
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.definitions import defs
from sneaker_assets.lake import Lake, write_table
from sneaker_assets.resources import LakeResource, ListingSourceResource
from sneaker_assets.settings.automation import AutomationSettings
from sneaker_assets.sites.base import Listing, Page, Price, Site
from sneaker_assets.sources.announcements import read_announcements
from sneaker_assets.sources.base import ListingSource
from sneaker_assets.sources.web import WebSource
from sneaker_assets_tests.crawl.answers import endless, reply
from sneaker_assets_tests.crawl.shop import Shop, open_shop

Shops = dict[str, Shop]


def site_of(name: str, shop: Shop) -> Site:
    def parse_page(body: bytes, url: str) -> Page:
        found = json.loads(body)
        listings = [
            Listing(
                name, shoe["id"], f"{url}/{shoe['id']}", shoe.get("title", "Shoe"), f"{shop.base}/{shoe['image']}",
                "test", retail_price=shoe["retail"], release_date=datetime.fromisoformat(shoe["date"]),
                prices=(Price(shoe.get("ask", 0.5), "USD", "lowest_ask"),),
            )
            for shoe in found
        ]  # fmt: skip
        return Page(tuple(listings), "test", listed=len(found))

    return Site(name, shop.base, "/", "/soon", parse_page)


def source_of(lake: Lake, shops: Shops) -> WebSource:
    settings = FetchSettings(delay=0.0, backoff=0.01, attempts=2, deadline=3.0, allow_loopback=True)
    return WebSource(lake, settings, sites_by_name={name: site_of(name, shop) for name, shop in shops.items()})


def shoe(product: str = "p", **changed: Any) -> dict[str, Any]:
    return {"id": product, "image": "p.jpg", "retail": 100.0, "date": "2026-03-02T00:00:00+00:00"} | changed


@pytest.fixture
def shops() -> Iterator[Shops]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(open_shop()) for name in ("stockx", "farfetch")}


class Watch:
    """The sensor, with Dagster's part simulated: partitions are added and runs created as requested."""

    def __init__(self, lake: Lake, shops: Shops, instance: dg.DagsterInstance) -> None:
        self.shops, self.instance, self.lake = shops, instance, lake
        self.sensor = release_sensor(AutomationSettings())
        write_table(lake.table("model_leaderboard"), pd.DataFrame({"champion": [True]}))
        for name in shops:
            self.announce(name)

    def announce(self, site: str, *shoes: dict[str, Any]) -> None:
        self.shops[site].answers["/soon"] = reply(body=json.dumps(shoes).encode())

    def tick(self, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
        shops, lake = self.shops, self.lake

        class Source(ListingSourceResource):
            @contextmanager
            def open(self, lake: Lake) -> Iterator[ListingSource]:
                yield source_of(lake, shops)

        resources = {"listing_source": Source(), "lake": LakeResource(root=str(lake.root))}
        result = self.sensor(dg.build_sensor_context(self.instance, cursor=cursor, resources=resources))
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        return result

    def asked(self, cursor: str | None = None, *, begin: bool = True) -> list[str]:
        """The run keys that a tick requests; its runs are created unless the daemon is killed at that point."""
        result = self.tick(cursor)
        if isinstance(result, dg.SkipReason):
            return []
        for partitions in result.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(partitions.partitions_def_name, list(partitions.partition_keys))
        for request in result.run_requests or [] if begin else []:
            known_by = {"dagster/run_key": request.run_key or "", "dagster/partition": request.partition_key or ""}
            self.instance.create_run_for_job(defs.resolve_job_def("price_release"), tags={**request.tags, **known_by})
        return [request.run_key or "" for request in result.run_requests or []]


@pytest.fixture
def watch(lake: Lake, shops: Shops) -> Iterator[Watch]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Watch(lake, shops, instance)


def releases(keys: list[str]) -> list[str]:
    return [key.split(":")[0] for key in keys]


def test_each_release_of_each_site_is_requested_once(watch: Watch) -> None:
    assert watch.asked() == []
    watch.announce("stockx", shoe("a"), shoe("b"))
    watch.announce("farfetch", shoe("a"))
    assert sorted(releases(watch.asked())) == ["farfetch--a", "stockx--a", "stockx--b"]
    assert sorted(watch.instance.get_dynamic_partitions(release_partitions.name or "")) == [
        "farfetch--a", "stockx--a", "stockx--b",
    ]  # fmt: skip
    assert watch.asked() == watch.asked() == []


@pytest.mark.parametrize(
    "changed", [{"date": "2026-03-09T00:00:00+00:00"}, {"retail": 110.0}, {"image": "q.jpg"}], ids=str
)
def test_changed_announcement_is_priced_again_even_if_it_changes_back(watch: Watch, changed: dict[str, Any]) -> None:
    keys = []
    for announced in (shoe(), shoe(**changed), shoe(), shoe(**changed)):
        watch.announce("stockx", announced)
        keys += watch.asked()
        assert watch.asked() == []
    assert releases(keys) == ["stockx--p"] * 4
    assert len(set(keys)) == 4


def fail_runs(instance: dg.DagsterInstance) -> None:
    """End all unfinished runs with a failure."""
    for run in instance.get_runs():
        if not run.is_finished:
            instance.report_run_failed(run)


def test_failed_release_is_requested_again_after_growing_pauses(watch: Watch) -> None:
    content = {"stockx--p": "0123456789abcdef"}
    now, waited, keys = datetime.now(UTC), [], [run_key("stockx--p", content["stockx--p"])]
    for _ in range(6):
        tags = {PARTITION_TAG: "stockx--p", RUN_KEY_TAG: keys[-1]}
        watch.instance.create_run_for_job(defs.resolve_job_def("price_release"), tags=tags)
        assert _requests(watch.instance, content, now + timedelta(days=1)) == [], "a queued run blocks the next request"
        fail_runs(watch.instance)
        minutes = next(
            m for m in range(0, 120, 5) if _requests(watch.instance, content, now + timedelta(minutes=m, seconds=30))
        )
        (request,) = _requests(watch.instance, content, now + timedelta(minutes=minutes, seconds=30))
        waited.append(minutes)
        keys.append(request.run_key or "")
    assert waited == [5, 10, 20, 40, 60, 60]
    assert len(set(keys)) == 7
    assert _requests(watch.instance, {}, now + timedelta(days=1)) == [], "no longer announced"


def test_canceled_release_is_requested_again_and_a_priced_one_is_not(watch: Watch) -> None:
    later = datetime.now(UTC) + timedelta(hours=2)
    for status, expected in ((dg.DagsterRunStatus.CANCELED, 1), (dg.DagsterRunStatus.SUCCESS, 0)):
        release = f"stockx--{status.value}"
        tags = {PARTITION_TAG: release, RUN_KEY_TAG: run_key(release, "0123456789abcdef")}
        create_run_for_test(watch.instance, job_name="price_release", status=status, tags=tags)
        assert len(_requests(watch.instance, {release: "0123456789abcdef"}, later)) == expected


def test_changed_title_or_ask_is_ignored(watch: Watch) -> None:
    watch.announce("stockx", shoe())
    watch.asked()
    watch.announce("stockx", shoe(title="Schuh", ask=250.0))
    assert watch.asked() == []


@pytest.mark.parametrize("cursor", [None, "", "nonsense", '{"stockx--p": "another"}'])
def test_lost_or_corrupted_cursor_neither_drops_nor_repeats_a_release(watch: Watch, cursor: str | None) -> None:
    watch.announce("stockx", shoe())
    assert releases(watch.asked(cursor)) == ["stockx--p"]
    assert watch.asked(cursor) == []


def test_killed_tick_is_repeated_with_the_same_run_key(watch: Watch) -> None:
    watch.announce("stockx", shoe())
    killed = watch.asked(begin=False)
    assert watch.asked() == killed
    assert watch.asked() == []


def test_retry_has_the_run_key_of_its_run(watch: Watch) -> None:
    watch.announce("stockx", shoe())
    watch.asked()
    (run,) = watch.instance.get_runs()
    watch.instance.create_run_for_job(defs.resolve_job_def("price_release"), tags=run.tags)
    assert watch.asked() == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [(reply(503), "answered 503"), (reply(body=b"<html>"), "JSONDecodeError"), (reply(403), "SiteBlocked")],
)
def test_failed_site_does_not_affect_others_and_is_retried(watch: Watch, answer: Any, why: str) -> None:
    watch.shops["farfetch"].answers["/soon"] = answer
    watch.announce("stockx", shoe())
    assert releases(watch.asked()) == ["stockx--p"]
    with pytest.raises(dg.Failure, match=f"retried at the next tick: farfetch: .*{why}"):
        watch.tick()
    watch.announce("farfetch", shoe("late"))
    assert releases(watch.asked()) == ["farfetch--late"]


def test_suddenly_empty_page_is_a_failure(watch: Watch) -> None:
    watch.announce("stockx", shoe())
    watch.asked()
    watch.announce("stockx")
    watch.announce("farfetch", shoe())
    assert releases(watch.asked()) == ["farfetch--p"]
    with pytest.raises(dg.Failure, match="stockx: its page shows no release, and it has shown some before"):
        watch.tick()


def test_nothing_is_requested_without_a_champion_and_no_release_is_lost(watch: Watch, lake: Lake) -> None:
    watch.announce("stockx", shoe())
    board = lake.table("model_leaderboard")
    board.rename(board.with_suffix(".away"))
    result = watch.tick()
    assert isinstance(result, dg.SkipReason)
    assert "no champion yet" in (result.skip_message or "")
    board.with_suffix(".away").rename(board)
    assert releases(watch.asked()) == ["stockx--p"]


def test_site_being_crawled_is_not_a_failure(watch: Watch, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sneaker_assets.crawl.database.LOCK_TIMEOUT", 0.1)
    watch.announce("stockx", shoe())
    with open_database(lake, "stockx"):
        result = watch.tick()
        assert isinstance(result, dg.SkipReason)
        assert "stockx is being crawled and is read afterwards" in (result.skip_message or "")
    assert releases(watch.asked()) == ["stockx--p"]


def test_unresponsive_site_does_not_delay_others(lake: Lake, shops: Shops) -> None:
    shops["stockx"].answers["/soon"] = reply(body=json.dumps([shoe()]).encode())
    shops["farfetch"].answers["/soon"] = endless(b" ", pause=0.05)
    announced = read_announcements(source_of(lake, shops), sorted(shops), timeout=1.0)
    assert {site: len(table) for site, table in announced.observations.items()} == {"stockx": 1}
    assert announced.failures == {"farfetch": "no answer within 1 s"}
