"""Errors of a crawl: a single URL that could not be fetched, or a reason to stop crawling a site."""

from datetime import datetime

from sneaker_assets.errors import SneakerError


class ContactMissing(SneakerError, ValueError):  # noqa: N818 - a setting that is missing
    """A live crawl has no contact in its user agent."""


class FetchError(SneakerError, OSError):
    """A URL could not be fetched; the message is one line that names it and the reason."""


class UnreachableError(FetchError):
    """No complete response was received in any attempt; a later crawl may succeed."""


class ForeignAddressError(FetchError):
    """The URL is outside the site or the offline shop, or resolves to a private address; it is never requested."""


class CrawlStopped(SneakerError, RuntimeError):  # noqa: N818 - not an error of the program
    """The crawl of a site must stop; everything fetched so far remains valid."""


class CrawlPaused(CrawlStopped):
    """The site asked for a longer wait than the configured limit.

    ``resume_at`` is the time (UTC) from which requests are allowed again.
    """

    def __init__(self, host: str, resume_at: datetime) -> None:
        super().__init__(f"{host} asks us to wait: come back after {resume_at:%Y-%m-%d %H:%M:%S} UTC")
        self.host, self.resume_at = host, resume_at


class SiteBlocked(CrawlStopped):
    """The site blocks the client (401, 403 or a block page)."""


class CredentialsRefused(CrawlStopped):
    """The site rejects the key or token; the crawl resumes once they are renewed."""


class CrawlRunning(CrawlStopped):
    """Another process is crawling the site."""
