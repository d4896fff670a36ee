"""Fetching of a single image under the rules of a live crawl: robots.txt, deadline, size limit and public hosts."""

from urllib.parse import urlsplit

from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.sites.base import Page, PageError, Site


def fetch_image(url: str, settings: FetchSettings) -> bytes:
    """Body of the response at a URL; redirects to other hosts are not followed. The body is not checked.

    Args:
        url: URL of the image.
        settings: How it is fetched.

    Raises:
        FetchError: The URL could not be fetched or may not be requested.
        CrawlStopped: The host asks for a pause or blocks the client.
        ValueError: The settings have no contact.
    """
    parts = urlsplit(url)
    home = f"{parts.scheme}://{parts.netloc}"
    return Fetcher(Site(parts.hostname or "", home, "/", None, _no_page), settings).image(url).body


def _no_page(_: bytes, url: str) -> Page:
    raise PageError(f"{url} was requested as an image, not as a page")
