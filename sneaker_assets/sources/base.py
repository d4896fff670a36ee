"""Interface of all sources of listings.

A source returns tables and stores images in the lake; writing the tables is the concern of the pipeline.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import pandas as pd

from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.errors import SneakerError


class SourceError(SneakerError, ValueError):
    """A source cannot be read, or lacks the site it was asked for; the message is one line with the remedy."""


class ListingSource(Protocol):
    """Where listings come from; a source describes one or several sites."""

    def sites(self) -> Sequence[str]:
        """Names of the sites that the source has listings of, sorted."""
        ...

    def release_sites(self) -> Sequence[str]:
        """Names of the sites whose upcoming releases the source announces, sorted."""
        ...

    def observe(self, site: str) -> pd.DataFrame:
        """Current prices of a site (``tables.Observations``).

        Raises:
            SourceError: The source has no listing of the site; the message names the sites that it has.
        """
        ...

    def images(self, site: str, image_urls: Iterable[str], known: pd.DataFrame | None = None) -> pd.DataFrame:
        """Store images in the lake and return their records (``tables.Images``).

        Args:
            site: Name of the site.
            image_urls: Image URLs returned by :meth:`observe`.
            known: Table of an earlier call, whose images are not fetched again.
        """
        ...

    def releases(self, site: str) -> pd.DataFrame:
        """Products that are announced but not released yet (``tables.Observations``)."""
        ...

    def report(self, site: str) -> CrawlReport:
        """Totals of the last :meth:`observe` or :meth:`releases` of a site."""
        ...
