"""What can go wrong on the way to a page: one address failed, or the crawl of the site must stop."""

from datetime import datetime

from sneaker_assets.errors import SneakerError


class FetchError(SneakerError, OSError):
    """One address could not be fetched; the message names it and says why in one line."""


class UnreachableError(FetchError):
    """No whole answer came, however often the address was tried; the next crawl may be luckier."""


class ForeignAddressError(FetchError):
    """The address lies outside the site, or inside somebody's own network; it is never asked."""


class CrawlStopped(SneakerError, RuntimeError):  # noqa: N818 - an answer to respect, no failure
    """The crawl of a site must not go on; what was fetched before stays valid."""


class CrawlPaused(CrawlStopped):
    """The site asked us to come back later than the cap allows to wait for.

    ``resume_at`` is the moment (UTC) from which it may be asked again.
    """

    def __init__(self, host: str, resume_at: datetime) -> None:
        super().__init__(f"{host} asks us to wait: come back after {resume_at:%Y-%m-%d %H:%M:%S} UTC")
        self.host, self.resume_at = host, resume_at


class SiteBlocked(CrawlStopped):
    """The site refuses us (401, 403, or a page for humans in place of the content); nothing is done to evade that."""


class CredentialsRefused(CrawlStopped):
    """The site does not accept the key or token that we have; a new one goes on from here."""


class CrawlRunning(CrawlStopped):
    """Another process crawls the site right now."""
