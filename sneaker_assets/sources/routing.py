"""Which source describes which site: several sources fill one lake, each with sites of its own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from sneaker_assets.crawl.report import CrawlReport
from sneaker_assets.settings.model import SettingsError
from sneaker_assets.sources.base import ListingSource, SourceError


@dataclass(frozen=True)
class Offer:
    """The sites of a source.

    Attributes:
        sites: Sites that the source can describe.
        default: Those that it describes unless the settings name sites.
        any_store: Whether it can describe any host, as a Shopify store.
        yields: Whether a site that another source offers too is left to that source.
    """

    sites: frozenset[str]
    default: frozenset[str]
    any_store: bool = False
    yields: bool = False


def route_sites(offers: Mapping[str, Offer], chosen: Mapping[str, str | None]) -> dict[str, str]:
    """Assign each site to the source that describes it.

    Args:
        offers: Sites by source.
        chosen: Sites of the settings, each with the source to use or None; empty for the defaults of all sources.

    Returns:
        Source by site, sorted by site.

    Raises:
        SettingsError: No source has a site, or several have it and the settings do not choose one.
    """
    wanted = chosen or dict.fromkeys(site for offer in offers.values() for site in offer.default)
    return {site: _source_of(site, wanted[site], offers, by_default=not chosen) for site in sorted(wanted)}


def _source_of(site: str, source: str | None, offers: Mapping[str, Offer], *, by_default: bool) -> str:
    if source is not None and source not in offers:
        raise SettingsError(
            f"SNEAKER_SITES: {site}={source}, but SNEAKER_SOURCE is {','.join(offers)}: add {source} to it"
        )
    asked = {name: offer for name, offer in offers.items() if source in (None, name)}
    able = [name for name, offer in asked.items() if site in (offer.default if by_default else offer.sites)]
    able = able or [name for name, offer in asked.items() if offer.any_store and "." in site]
    firm = [name for name in able if not offers[name].yields] or able
    if not firm:
        known = "; ".join(f"{name} has {_known(offer)}" for name, offer in asked.items())
        raise SettingsError(f"SNEAKER_SITES: no site {site!r}: {known}")
    if len(firm) > 1:
        raise SettingsError(
            f"{site} is described by {' and '.join(firm)}: choose one in SNEAKER_SITES, such as {site}={firm[0]}"
        )
    return firm[0]


def _known(offer: Offer) -> str:
    return (", ".join(sorted(offer.sites)) or "none") + (" and the host of any Shopify store" * offer.any_store)


@dataclass(frozen=True)
class RoutedSource:
    """Several sources as one; each site is read from the source it is assigned to.

    Attributes:
        routes: Source by site.
        releases_only: Sources of announcements whose sites have no listings, by site.
    """

    routes: Mapping[str, ListingSource]
    releases_only: Mapping[str, ListingSource]

    def sites(self) -> Sequence[str]:
        """Names of the sites that their sources have listings of, sorted.

        Raises:
            SourceError: A source cannot be read.
        """
        return sorted(site for source in self._distinct() for site in source.sites() if self.routes.get(site) is source)

    def release_sites(self) -> Sequence[str]:
        """Names of the sites whose upcoming releases are announced, sorted.

        Raises:
            SourceError: A source cannot be read.
        """
        announced = [
            site for source in self._distinct() for site in source.release_sites() if self.routes.get(site) is source
        ]
        return sorted([*announced, *self.releases_only])

    def observe(self, site: str) -> pd.DataFrame:
        """Current prices of a site (``tables.Observations``).

        Raises:
            SourceError: No source has the site.
        """
        return self._source(site).observe(site)

    def images(self, site: str, image_urls: Iterable[str], known: pd.DataFrame | None = None) -> pd.DataFrame:
        """Store images in the lake and return their records (``tables.Images``).

        Args:
            site: Name of the site.
            image_urls: Image URLs of its observations.
            known: Table of an earlier call, whose images are not fetched again.

        Raises:
            SourceError: No source has the site.
        """
        return self._source(site).images(site, image_urls, known)

    def releases(self, site: str) -> pd.DataFrame:
        """Products that are announced but not released yet (``tables.Observations``).

        Raises:
            SourceError: No source has the site.
        """
        return self._source(site).releases(site)

    def report(self, site: str) -> CrawlReport:
        """Totals of the last :meth:`observe` or :meth:`releases` of a site.

        Raises:
            SourceError: No source has the site.
        """
        return self._source(site).report(site)

    def _source(self, site: str) -> ListingSource:
        source = self.routes.get(site) or self.releases_only.get(site)
        if source is None:
            known = ", ".join(sorted([*self.routes, *self.releases_only])) or "none"
            raise SourceError(f"no source has the site {site!r}; its sites: {known}")
        return source

    def _distinct(self) -> list[ListingSource]:
        return list({id(source): source for source in self.routes.values()}.values())
