"""Crawl schedules: a cron with random jitter for each site, stopped by default.

Everything downstream of a crawl is triggered by ``automation.conditions``.

Dagster: https://docs.dagster.io/guides/automate/schedules
"""

import random
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from sneaker_assets.assets.partitions import SITES
from sneaker_assets.automation.jobs import crawl_site
from sneaker_assets.settings.automation import ALL_SITES, AutomationSettings
from sneaker_assets.settings.model import SettingsError

WINDOW_TAG = "sneaker_assets/night"
"""Run tag that identifies a scheduled crawl, so that a site is crawled once per window of ticks."""


def recrawl_schedules(settings: AutomationSettings) -> list[dg.ScheduleDefinition]:
    """One schedule for each site.

    Raises:
        SettingsError: A cron is of no known site, or has no window for the jitter.
    """
    unknown = sorted(set(settings.recrawl_cron) - {ALL_SITES, *SITES})
    if unknown:
        raise SettingsError(f"SNEAKER_RECRAWL_CRON: no site {', '.join(unknown)}; known: {', '.join(SITES)}")
    return [recrawl_schedule(site, settings) for site in SITES]


def schedule_name(site: str) -> str:
    """The name of a site's schedule."""
    return "recrawl_" + re.sub(r"\W", "_", site)


def recrawl_schedule(site: str, settings: AutomationSettings) -> dg.ScheduleDefinition:
    """The schedule of one site; with jitter it ticks every minute of a window and crawls at a random one.

    The minute is derived from site and date, so a restarted daemon selects the same one. A daemon that was down at that
    minute crawls at the next tick of the window.

    Args:
        site: Name of the site.
        settings: Crons, their time zone and the jitter.
    """
    cron, zone = settings.cron_of(site), ZoneInfo(settings.time_zone)

    @dg.schedule(
        name=schedule_name(site),
        job=crawl_site,
        cron_schedule=window(cron, settings.recrawl_jitter),
        execution_timezone=settings.time_zone,
        description=f"Crawl {site}: {cron} ({settings.time_zone}), delayed by up to {settings.recrawl_jitter} minutes.",
    )
    def recrawl(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time.astimezone(zone)
        window_id = f"{site} {now:%Y-%m-%d %H:%M}"
        if settings.recrawl_jitter:
            start = _window_start(cron, now) + timedelta(minutes=_random_minute(site, now, settings.recrawl_jitter))
            window_id = f"{site} {now:%Y-%m-%d}"
            if now < start:
                return dg.SkipReason(f"{site} is crawled at {start:%H:%M} {settings.time_zone} (random jitter)")
            if context.instance.get_runs_count(dg.RunsFilter(job_name=crawl_site.name, tags={WINDOW_TAG: window_id})):
                return dg.SkipReason(f"{site} was crawled at or after {start:%H:%M} {settings.time_zone}")
        return dg.RunRequest(partition_key=site, tags={WINDOW_TAG: window_id})

    return recrawl


def window(cron: str, jitter: int) -> str | list[str]:
    """The crons that tick every minute from ``cron`` to ``jitter`` minutes later.

    Args:
        cron: Cron of five fields with a single minute and hour.
        jitter: Length of the window in minutes; 0 returns ``cron`` unchanged.

    Returns:
        One cron per hour of the window.

    Raises:
        SettingsError: The cron names no single minute and hour, or the window would reach into the next day.
    """
    if not jitter:
        return cron
    minute, hour, *days = cron.split()
    if not (minute.isdecimal() and hour.isdecimal()):
        raise SettingsError(
            f"the cron {cron!r} is not of the form '30 3 * * *', which the jitter needs: set SNEAKER_RECRAWL_JITTER=0"
        )
    first, last = 60 * int(hour) + int(minute), 60 * int(hour) + int(minute) + jitter
    if last >= 24 * 60:
        raise SettingsError(
            f"the cron {cron!r} with {jitter} minutes of jitter extends into the next day: choose an earlier time"
        )
    hours = range(first // 60, last // 60 + 1)
    minutes = [(max(first - 60 * h, 0), min(last - 60 * h, 59)) for h in hours]
    return [f"{start}-{end} {h} {' '.join(days)}" for h, (start, end) in zip(hours, minutes, strict=True)]


def _window_start(cron: str, now: datetime) -> datetime:
    minute, hour = (int(field) for field in cron.split()[:2])
    return now.replace(hour=hour, minute=minute, second=0, microsecond=0)


def _random_minute(site: str, now: datetime, jitter: int) -> int:
    return random.Random(f"{site} {now:%Y-%m-%d}").randint(0, jitter)
