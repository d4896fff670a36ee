"""When a site is crawled again: nightly, each site at its own hour; off until switched on."""

import re

import dagster as dg

from sneaker_assets.automation.jobs import crawl_site
from sneaker_assets.sites import SITES

_FIRST_HOUR = 3


def _recrawl(site: str, hour: int) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="recrawl_" + re.sub(r"\W", "_", site),
        job=crawl_site,
        cron_schedule=f"0 {hour} * * *",
        execution_timezone="UTC",
        description=f"Crawl {site} again every night at {hour}:00 UTC.",
    )
    def recrawl() -> dg.RunRequest:
        return dg.RunRequest(partition_key=site)

    return recrawl


SCHEDULES = tuple(_recrawl(site, _FIRST_HOUR + i) for i, site in enumerate(sorted(SITES)))
