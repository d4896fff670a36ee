"""Reading of the upcoming releases of all sites at once, where the failure of one site does not affect the others.

What counts as a changed announcement is the concern of ``market.releases``.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import pandas as pd

from sneaker_assets.crawl.errors import CrawlRunning
from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.sources.base import ListingSource

TIMEOUT = 40.0
"""Seconds to wait for the slowest site; Dagster cancels a sensor tick after 60."""


@dataclass(frozen=True, slots=True)
class Announced:
    """Upcoming releases and the sites that could not be read.

    Attributes:
        observations: ``tables.Observations`` of the page of upcoming releases, by site.
        failures: One-line reason why a site could not be read completely, by site.
        busy: Sites that another process is crawling; they are read next time.
    """

    observations: Mapping[str, pd.DataFrame]
    failures: Mapping[str, str]
    busy: Sequence[str] = ()


def read_announcements(
    source: ListingSource, sites: Iterable[str], seen_before: Collection[str] = (), timeout: float = TIMEOUT
) -> Announced:
    """Read the upcoming releases of several sites concurrently.

    An empty page of a site that has announced releases before is a failure, since it may have other reasons than that
    there are no releases. If some pages of a site fail, the releases on its other pages are still returned.

    Args:
        source: Source of listings.
        sites: Names of the sites.
        seen_before: Sites that have announced releases before.
        timeout: Seconds after which a site that has not answered counts as failed.
    """
    pool = ThreadPoolExecutor(thread_name_prefix="announcements")
    futures = {site: pool.submit(_read, source, site) for site in sites}
    wait(futures.values(), timeout=timeout)
    pool.shutdown(wait=False, cancel_futures=True)
    observations: dict[str, pd.DataFrame] = {}
    failures: dict[str, str] = {}
    busy = [site for site, future in futures.items() if _is_busy(future)]
    for site, future in futures.items():
        if site in busy:
            continue
        problem = _problem(future, site in seen_before, timeout)
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
        return observations, None  # a site without a page of releases was not crawled


def _is_busy(future: Future[tuple[pd.DataFrame, CrawlReport | None]]) -> bool:
    return future.done() and not future.cancelled() and isinstance(future.exception(), CrawlRunning)


def _problem(future: Future[tuple[pd.DataFrame, CrawlReport | None]], seen_before: bool, timeout: float) -> str | None:
    if not future.done() or future.cancelled():
        return f"no answer within {timeout:.0f} s"
    error = future.exception()
    if error is not None:
        return " ".join(f"{type(error).__name__}: {error}".split())
    observations, report = future.result()
    if observations.empty and seen_before:
        return "its page shows no release, and it has shown some before"
    if report is not None and not report.complete:
        return (
            f"{report.failed} of its pages could not be fetched, {report.unreadable} could not be parsed, and the "
            f"worst parsed page yielded {report.min_share:.0%} of its products"
        )
    return None
