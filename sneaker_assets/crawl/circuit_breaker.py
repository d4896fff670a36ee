"""How a site shows that it does not want us, and the breaker that takes it at its word.

A refusal is an answer: a 401 or 403, or a page for humans sent with any status, 200 included. It stops the crawl of the
site, and nothing is done to get around it.
"""

import re
import threading

from sneaker_assets.crawl.errors import SiteBlocked
from sneaker_assets.crawl.http import Response

REFUSED = frozenset({401, 403})
MAX_REFUSED_IMAGES = 5
"""Refused images in a row that mean the site and not the image: storage services answer 403 for what is missing."""

_TITLES = (
    rb"access (to this page )?(has been )?denied|just a moment|attention required|pardon our interruption|"
    rb"(are|verify) (that )?you.{0,10} human|human verification|security check|request blocked"
)
_REFUSAL = re.compile(
    rb"<(title|h1|h2)\b[^>]*>[^<]{0,200}(" + _TITLES + rb")|id=.px-captcha|//geo\.captcha-delivery\.com/",
    re.IGNORECASE,
)
_LOOKED_AT = 65_536


def is_block_page(body: bytes) -> bool:
    """Whether an HTML page refuses the client in place of showing content."""
    return _REFUSAL.search(body[:_LOOKED_AT]) is not None


class CircuitBreaker:
    """Remembers that a site refuses us: after that nothing more is asked of it.

    Args:
        site: the site's name.
    """

    def __init__(self, site: str) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._refusal: str | None = None
        self._refused_images = 0

    def check(self) -> None:
        """Raise :class:`~sneaker_assets.crawl.errors.SiteBlocked` where the site has refused us before."""
        if self._refusal:
            raise SiteBlocked(self._refusal)

    def check_page(self, response: Response) -> None:
        """Trip where a page is a refusal; raises what :meth:`check` does."""
        if response.status in REFUSED or _has_block_page(response):
            self._trip(response)

    def check_image(self, response: Response) -> None:
        """Trip where a page for humans came instead, or :data:`MAX_REFUSED_IMAGES` images were refused in a row."""
        with self._lock:
            self._refused_images = self._refused_images + 1 if response.status in REFUSED else 0
            too_often = self._refused_images >= MAX_REFUSED_IMAGES
        if too_often or _has_block_page(response):
            self._trip(response)

    def _trip(self, response: Response) -> None:
        self._refusal = f"{self._site} refuses us: {response.url} answered {response.status} without content"
        raise SiteBlocked(self._refusal)


def is_html(response: Response) -> bool:
    """Whether a page came, by its own word."""
    return "html" in response.headers.get("Content-Type", "").lower()


def _has_block_page(response: Response) -> bool:
    return is_html(response) and is_block_page(response.body)
