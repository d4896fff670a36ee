"""The sites that can be read: one adapter module each, and one line each in the registry below.

An adapter is a pure function from a page's bytes to listings and next pages; fetching pages is ``crawl``'s concern.
"""

from collections.abc import Mapping

from sneaker_assets.settings import load_settings
from sneaker_assets.sites import farfetch, shopify, stockx
from sneaker_assets.sites.base import Site

_STORES = [shopify.store(host, currency) for host, currency in load_settings().shopify_stores.items()]
SITES: Mapping[str, Site] = {site.name: site for site in (stockx.SITE, farfetch.SITE, *_STORES)}


def get_site(name: str, sites: Mapping[str, Site] = SITES) -> Site:
    """The site of this name, among all of them or among these.

    Raises:
        KeyError: there is none; the message lists those known.
    """
    if name not in sites:
        raise KeyError(f"unknown site {name!r}; known: {', '.join(sorted(sites))}")
    return sites[name]
