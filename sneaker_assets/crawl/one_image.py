"""One image from anywhere, by the rules of a live crawl: robots.txt, a contact, a deadline, a cap, public hosts only.

Whether it is an image, and what is done with it, is the caller's concern.
"""

from urllib.parse import urlsplit

from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.sites.base import Page, PageError, Site


def fetch_image(url: str, settings: FetchSettings) -> bytes:
    """The body at this address, whatever it is; redirects must stay on its host.

    Raises:
        FetchError: it could not be fetched, or must not be.
        CrawlStopped: its host asked us to go away, for now or altogether.
        ValueError: the settings name no contact.
    """
    parts = urlsplit(url)
    home = f"{parts.scheme}://{parts.netloc}"
    return Fetcher(Site(parts.hostname or "", home, "/", None, _no_page), settings).image(url).body


def _no_page(_: bytes, url: str) -> Page:
    raise PageError(f"{url} was asked for as an image, not as a page")
