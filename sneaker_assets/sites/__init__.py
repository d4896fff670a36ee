"""Registry of the sites that can be crawled: one adapter module per site, one line per module in ``ADAPTERS``.

An adapter parses pages; fetching them is the concern of ``crawl``.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module

from sneaker_assets.errors import SneakerError
from sneaker_assets.sites import shopify
from sneaker_assets.sites.base import Site
from sneaker_assets.sites.parsing import host_of

ADAPTERS = (
    "sneaker_assets.sites.stockx",
    "sneaker_assets.sites.farfetch",
    "sneaker_assets.sites.goat",
)
"""Modules that define ``SITES``, an iterable of the sites they provide."""

DEFAULT_SITES = ("farfetch", "stockx")
"""Sites that are crawled unless the settings name others."""


class UnknownSiteError(SneakerError, LookupError):
    """A site is not registered; the message lists the known ones."""


def load_sites(adapters: Iterable[str] = ADAPTERS, stores: Mapping[str, str | None] | None = None) -> dict[str, Site]:
    """Sites by name.

    Args:
        adapters: Importable names of modules that define ``SITES``.
        stores: Currency of each Shopify store by its address, a host with an optional path; None if unknown.
    """
    shops = [
        shopify.store(host, currency, slash + path)
        for address, currency in (stores or {}).items()
        for host, slash, path in [address.partition("/")]
    ]
    sites = [site for adapter in adapters for site in import_module(adapter).SITES]
    return {site.name: site for site in (*sites, *shops)}


SITES: Mapping[str, Site] = load_sites()
"""The registered sites, without the Shopify stores of the settings."""


def get_site(name: str, sites: Mapping[str, Site] = SITES) -> Site:
    """Return the site of that name.

    Raises:
        UnknownSiteError: No such site.
    """
    if name not in sites:
        raise UnknownSiteError(f"unknown site {name!r}; known: {', '.join(sorted(sites))}")
    return sites[name]


def site_of_address(url: str, sites: Mapping[str, Site] = SITES) -> Site | None:
    """The site whose adapter parses a page, judged by its address; None if it is that of none of the sites.

    A host belongs to a site if it is the host of its ``home`` without ``www.``, one of its ``hosts``, or a subdomain of
    these. If it belongs to several sites, the one with the longest host is returned.

    Args:
        url: Absolute URL of the page.
        sites: Sites by name.
    """
    host = host_of(url.strip())
    matches = [
        (len(own), site) for site in sites.values() for own in _hosts(site) if host == own or host.endswith(f".{own}")
    ]
    return max(matches, key=lambda match: match[0])[1] if matches else None


def _hosts(site: Site) -> set[str]:
    return {host_of(site.home).removeprefix("www."), *site.hosts} - {""}
