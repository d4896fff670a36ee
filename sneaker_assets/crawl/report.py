"""Totals of a crawl, shown as metadata and used to decide whether the crawl was complete."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sneaker_assets.crawl.frontier import WalkStats

if TYPE_CHECKING:
    from sneaker_assets.crawl.fetcher import Fetcher

MIN_SHARE = 0.8
"""Minimum share of the products on a page that must be parsed; below it the page counts as incompletely parsed."""


@dataclass(frozen=True, slots=True)
class CrawlReport:
    """Totals of the last crawl of a source.

    Attributes:
        pages: Pages parsed, unchanged ones included.
        unchanged: Pages that had not changed since an earlier crawl.
        failed: Pages that could not be fetched, or files of saved pages that could not be read to their end.
        unreadable: Pages that were fetched but could not be parsed.
        listed: Products on the pages according to the pages themselves.
        yielded: Products parsed.
        min_share: Smallest share of its products that was parsed from any page.
        requests: Requests sent, including robots.txt and retries; 0 for a source without a network.
        megabytes: Millions of bytes received.
        held_back: Requests delayed because a host had asked for a pause.
        skipped: Number of saved responses without a listing, by reason; empty for a source that reads none.
        broken: Files of saved pages that could not be read to their end, each with the place, in one line.
    """

    pages: int
    unchanged: int = 0
    failed: int = 0
    unreadable: int = 0
    listed: int = 0
    yielded: int = 0
    min_share: float = 1.0
    requests: int = 0
    megabytes: float = 0.0
    held_back: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    broken: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every page was fetched and at least ``MIN_SHARE`` of its products were parsed."""
        return self.failed == self.unreadable == 0 and self.min_share >= MIN_SHARE

    @classmethod
    def from_stats(cls, stats: WalkStats, fetcher: "Fetcher") -> "CrawlReport":
        """Report of a crawl over HTTP."""
        requests, n_bytes, held_back = fetcher.counts()
        return cls(
            pages=stats.parsed + stats.unchanged,
            unchanged=stats.unchanged,
            failed=stats.failed,
            unreadable=stats.unreadable,
            listed=stats.listed,
            yielded=stats.yielded,
            min_share=stats.min_share,
            requests=requests,
            megabytes=round(n_bytes / 1e6, 1),
            held_back=held_back,
        )
