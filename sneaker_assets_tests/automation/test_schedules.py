from datetime import datetime, timedelta
from unittest.mock import patch
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from sneaker_assets.assets.partitions import SITES
from sneaker_assets.automation.schedules import WINDOW_TAG, recrawl_schedule, recrawl_schedules, schedule_name, window
from sneaker_assets.definitions import defs
from sneaker_assets.settings.automation import ALL_SITES, AutomationSettings
from sneaker_assets.settings.model import SettingsError

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = datetime(2026, 3, 2, 2, 50, tzinfo=BERLIN)
JITTERY = AutomationSettings(recrawl_cron={ALL_SITES: "50 2 * * *"}, time_zone="Europe/Berlin", recrawl_jitter=30)


def tick(schedule: dg.ScheduleDefinition, at: datetime, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(scheduled_execution_time=at, repository_def=defs.get_repository_def())
    with patch.object(type(context), "instance", instance):  # the builder takes none that is in memory
        found = schedule(context)
    assert isinstance(found, dg.RunRequest | dg.SkipReason)
    return found


def test_every_tick_crawls_without_jitter() -> None:
    settings = AutomationSettings(
        recrawl_cron={ALL_SITES: "*/20 2-4 1 * *"}, recrawl_jitter=0, time_zone="Europe/Berlin"
    )
    schedule = recrawl_schedule("stockx", settings)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("*/20 2-4 1 * *", "Europe/Berlin")
    with dg.DagsterInstance.ephemeral() as instance:
        request = tick(schedule, NIGHT, instance)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "stockx"


def test_each_site_has_its_own_cron() -> None:
    settings = AutomationSettings(recrawl_cron={"farfetch": "0 5 * * 1"}, recrawl_jitter=0)
    default = {schedule_name(site): "0 3 * * *" for site in SITES}
    crons = {schedule.name: schedule.cron_schedule for schedule in recrawl_schedules(settings)}
    assert crons == default | {"recrawl_farfetch": "0 5 * * 1"}
    with pytest.raises(SettingsError, match=f"no site ebay; known: {', '.join(SITES)}"):
        recrawl_schedules(AutomationSettings(recrawl_cron={"ebay": "0 5 * * 1"}))


@pytest.mark.parametrize(
    ("cron", "jitter", "ticks"),
    [
        ("0 3 * * *", 30, ["0-30 3 * * *"]),
        ("50 2 * * 1-5", 30, ["50-59 2 * * 1-5", "0-20 3 * * 1-5"]),
        ("30 1 1 * *", 120, ["30-59 1 1 * *", "0-59 2 1 * *", "0-30 3 1 * *"]),
    ],
)
def test_jitter_opens_a_window_of_minutes(cron: str, jitter: int, ticks: list[str]) -> None:
    assert window(cron, jitter) == ticks


@pytest.mark.parametrize(
    ("cron", "why"), [("*/5 3 * * *", "SNEAKER_RECRAWL_JITTER=0"), ("50 23 * * *", "into the next day")]
)
def test_cron_incompatible_with_jitter_is_rejected(cron: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        window(cron, 30)


def test_jitter_crawls_once_a_night_at_varying_minutes() -> None:
    schedule, begins = recrawl_schedule("stockx", JITTERY), []
    with dg.DagsterInstance.ephemeral() as instance:
        for night in range(5):
            for minute in range(31):
                at = NIGHT + timedelta(days=night, minutes=minute)
                request = tick(schedule, at, instance)
                if isinstance(request, dg.RunRequest):
                    begins.append(minute)
                    tags = dict(request.tags) | {"dagster/partition": "stockx"}
                    instance.create_run_for_job(defs.resolve_job_def("crawl_site"), tags=tags)
    assert len(begins) == 5
    assert len(set(begins)) > 2


def test_missed_minute_is_made_up_for_later_in_the_window() -> None:
    schedule = recrawl_schedule("stockx", JITTERY)
    with dg.DagsterInstance.ephemeral() as instance:
        request = tick(schedule, NIGHT + timedelta(minutes=30), instance)
    assert isinstance(request, dg.RunRequest)
    assert request.tags[WINDOW_TAG] == "stockx 2026-03-02"


def test_site_with_dots_in_its_name_has_a_schedule() -> None:
    assert schedule_name("shop.example.org") == "recrawl_shop_example_org"
