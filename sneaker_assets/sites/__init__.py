"""Registry of the sites that can be crawled: one adapter module per site, one line per module in ``ADAPTERS``.

An adapter parses pages; fetching them is the concern of ``crawl``.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module

from sneaker_assets.settings.environment import load_settings
from sneaker_assets.sites import shopify
from sneaker_assets.sites.base import Site

ADAPTERS = (
    "sneaker_assets.sites.stockx",
    "sneaker_assets.sites.farfetch",
)
"""Modules that define ``SITES``, an iterable of the sites they provide."""


def load_sites(adapters: Iterable[str] = ADAPTERS) -> dict[str, Site]:
    """Sites of the given adapter modules and the Shopify stores of the settings, by name.

    Args:
        adapters: Importable names of modules that define ``SITES``.
    """
    stores = [
        shopify.store(host, currency, slash + path)
        for address, currency in load_settings().shopify_stores.items()
        for host, slash, path in [address.partition("/")]
    ]
    sites = [site for adapter in adapters for site in import_module(adapter).SITES]
    return {site.name: site for site in (*sites, *stores)}


SITES: Mapping[str, Site] = load_sites()


def get_site(name: str, sites: Mapping[str, Site] = SITES) -> Site:
    """Return the site of that name.

    Raises:
        KeyError: No such site; the message lists the known ones.
    """
    if name not in sites:
        raise KeyError(f"unknown site {name!r}; known: {', '.join(sorted(sites))}")
    return sites[name]
