"""What all sites announce at this moment; a site that cannot be read is that site's failure and nobody else's.

When they are read and what is done about it is the callers' concern, what an announcement is ``market.releases``'s.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import pandas as pd

from sneaker_assets.crawl.errors import CrawlRunning
from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.crawl.source import ListingSource

PATIENCE = 40.0
"""Seconds for which the slowest site is waited for; Dagster gives a sensor's tick 60."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What was read, and what could not be.

    Attributes:
        observations: by site, ``tables.Observations`` of its page of coming products.
        failures: by site, why it could not be read, or not wholly, in one line.
        busy: the sites that are being crawled right now, which is no failure: they can be read after that.
    """

    observations: Mapping[str, pd.DataFrame]
    failures: Mapping[str, str]
    busy: Sequence[str] = ()


def read_announcements(
    source: ListingSource, sites: Iterable[str], seen_before: Collection[str] = (), patience: float = PATIENCE
) -> Announced:
    """Read every site's page of coming products, the sites at the same time.

    A page without any product, at a site that has announced some before, is a failure: pages come up empty for many
    reasons, and none of them is to be taken for "no releases". What a page shows counts also where others of the site
    failed.

    Args:
        source: where the sites are read.
        sites: which.
        seen_before: the sites that have announced something before.
        patience: seconds after which a site that has not answered is left to the next time.
    """
    pool = ThreadPoolExecutor(thread_name_prefix="announcements")
    reading = {site: pool.submit(_read, source, site) for site in sites}
    wait(reading.values(), timeout=patience)
    pool.shutdown(wait=False, cancel_futures=True)
    observations: dict[str, pd.DataFrame] = {}
    failures: dict[str, str] = {}
    busy = [site for site, future in reading.items() if _is_busy(future)]
    for site, future in reading.items():
        if site in busy:
            continue
        problem = _problem(future, site in seen_before, patience)
        if problem:
            failures[site] = problem
        if future.done() and not future.cancelled() and future.exception() is None:
            observations[site] = future.result()[0]
    return Announced(observations, failures, busy)


def _read(source: ListingSource, site: str) -> tuple[pd.DataFrame, CrawlReport | None]:
    observations = source.releases(site)
    try:
        return observations, source.report(site)
    except KeyError:
        return observations, None  # a site that announces nothing was not walked


def _is_busy(future: Future[tuple[pd.DataFrame, CrawlReport | None]]) -> bool:
    return future.done() and not future.cancelled() and isinstance(future.exception(), CrawlRunning)


def _problem(future: Future[tuple[pd.DataFrame, CrawlReport | None]], seen_before: bool, patience: float) -> str | None:
    if not future.done() or future.cancelled():
        return f"no answer within {patience:.0f} s"
    error = future.exception()
    if error is not None:
        return " ".join(f"{type(error).__name__}: {error}".split())
    observations, report = future.result()
    if observations.empty and seen_before:
        return "its page shows no release, and it has shown some before"
    if report is not None and not report.complete:
        return (
            f"{report.failed} of its pages could not be fetched, {report.unreadable} could not be read, and the worst "
            f"read yielded {report.min_share:.0%} of what it lists"
        )
    return None
