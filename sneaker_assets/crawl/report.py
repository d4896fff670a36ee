"""What a crawl came to, in numbers: the totals that the pipeline shows and judges the crawl by."""

from dataclasses import dataclass

from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.frontier import WalkStats

MIN_SHARE = 0.8
"""Share of its own products that a page must yield; a page that lists 30 and yields 12 was not read."""


@dataclass(frozen=True, slots=True)
class CrawlReport:
    """The totals of one look at a source.

    Attributes:
        pages: pages read, the unchanged ones included.
        unchanged: pages that were what they had been at an earlier crawl.
        failed: pages that could not be fetched.
        unreadable: pages that came and could not be read.
        listed: products that the pages said they list.
        yielded: products that were read off them.
        min_share: the smallest share of its own products that a page yielded.
        requests: requests sent, robots.txt and retries included; 0 where nothing was asked over a network.
        megabytes: millions of bytes received.
        held_back: requests that waited because a host had asked for it.
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

    @property
    def complete(self) -> bool:
        """Whether every page was read, each for nearly all that it lists."""
        return self.failed == self.unreadable == 0 and self.min_share >= MIN_SHARE

    @classmethod
    def of(cls, stats: WalkStats, fetcher: Fetcher) -> "CrawlReport":
        """The report of a walk over HTTP."""
        requests, n_bytes, held_back = fetcher.counts()
        return cls(
            pages=stats.read + stats.unchanged,
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
