"""Circuit breaker that stops the crawl of a site as soon as the site blocks the client.

A block is a 401 or 403 response, or a block page sent with any status, 200 included. It ends the crawl of the site;
no attempt is made to get around it. A challenge with another status than 401 and 403 only pauses the crawl, see
``refusals``.
"""

import re
import threading

from sneaker_assets.crawl.errors import CrawlStopped, SiteBlocked
from sneaker_assets.crawl.http import Response
from sneaker_assets.crawl.refusals import is_challenge, is_markup

BLOCK_STATUSES = frozenset({401, 403})
MAX_REFUSED_IMAGES = 5
"""Number of consecutive refused images that counts as a block; storage services answer 403 for a missing file too."""

MAX_PAGES_FOR_IMAGES = 5
"""Number of consecutive pages in place of images that counts as a refusal; some shops answer a missing file so."""

_BLOCK_PAGE = re.compile(
    rb"<(title|h1|h2)\b[^>]*>[^<]{0,200}"
    rb"(access (to this page )?(has been )?denied|security check|request (was )?blocked|you have been blocked)",
    re.IGNORECASE,
)
_MAX_SEARCHED_BYTES = 65_536


def is_block_page(body: bytes) -> bool:
    """Whether an HTML page blocks the client instead of showing content."""
    return _BLOCK_PAGE.search(body[:_MAX_SEARCHED_BYTES]) is not None or is_challenge(body)


class CircuitBreaker:
    """Opens when a site blocks the client and stays open, so that no further request is sent.

    Args:
        site: Name of the site.
    """

    def __init__(self, site: str) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._reason: CrawlStopped | None = None
        self._refused_images = self._pages_for_images = 0

    def check(self) -> None:
        """Allow a request.

        Raises:
            CrawlStopped: The site has blocked the client before, or the breaker was opened for another reason.
        """
        if self._reason is not None:
            raise self._reason.with_traceback(None)

    def open(self, reason: CrawlStopped) -> None:
        """Allow no further request; :meth:`check` raises the reason."""
        self._reason = reason

    def check_page(self, response: Response) -> None:
        """Open on a blocked page.

        Raises:
            SiteBlocked: The response has a block status or is a block page.
        """
        if response.status in BLOCK_STATUSES or _has_block_page(response):
            self._block(response)

    def check_image(self, response: Response) -> bool:
        """Open on a blocked image.

        Returns:
            Whether the last :data:`MAX_PAGES_FOR_IMAGES` responses were pages instead of images, which asks the client
            to wait.

        Raises:
            SiteBlocked: The response is a block page, or the last :data:`MAX_REFUSED_IMAGES` images were refused.
        """
        with self._lock:
            self._refused_images = self._refused_images + 1 if response.status in BLOCK_STATUSES else 0
            too_many = self._refused_images >= MAX_REFUSED_IMAGES
            is_page = response.status == 200 and is_markup(response.body)
            self._pages_for_images = self._pages_for_images + 1 if is_page else 0
            only_pages = self._pages_for_images >= MAX_PAGES_FOR_IMAGES
        if too_many or _has_block_page(response):
            self._block(response)
        return only_pages

    def _block(self, response: Response) -> None:
        reason = f"{self._site} refuses us: {response.url} answered {response.status} without content"
        self.open(SiteBlocked(reason))
        raise SiteBlocked(reason)


def is_html(response: Response) -> bool:
    """Whether a response declares an HTML content type."""
    return "html" in response.headers.get("Content-Type", "").lower()


def _has_block_page(response: Response) -> bool:
    return (is_html(response) or is_markup(response.body) or is_challenge(response.body)) and is_block_page(
        response.body
    )
