"""Registry of the sites that can be crawled: one adapter module per site, one line per module in ``ADAPTERS``.

An adapter parses pages; fetching them is the concern of ``crawl``.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module

from sneaker_assets.errors import SneakerError
from sneaker_assets.sites import shopify
from sneaker_assets.sites.base import Site

ADAPTERS = (
    "sneaker_assets.sites.stockx",
    "sneaker_assets.sites.farfetch",
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
