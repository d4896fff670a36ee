"""How sites are fetched. What a setting does is said where it is kept to: ``fetcher``, ``gate``, ``transport``."""

from dataclasses import dataclass

AGENT = "sneaker-assets"


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How sites are fetched; times in seconds, sizes in bytes.

    Attributes:
        contact: an address or page in the user agent, where a site's owner can reach us; a live crawl needs it.
        delay: least time between two requests to one host.
        attempts: how often one address is tried.
        backoff: pause after the first failed attempt; it doubles with each further one.
        hold_cap: longest Retry-After that is waited for; a longer one pauses the crawl.
        timeout: longest silence of a server.
        deadline: longest time for a whole response, from connecting to its last byte.
        max_page_bytes: longest page, inflated.
        max_image_bytes: largest image file.
        recheck: time for which an image counts as unchanged, or as unusable, before its site is asked about it again.
        threads: images in flight at once, within what the gate lets through.
        allow_loopback: the offline shop's mode, where this machine's own addresses may be fetched.
    """

    contact: str = ""
    delay: float = 2.0
    attempts: int = 5
    backoff: float = 1.0
    hold_cap: float = 300.0
    timeout: float = 20.0
    deadline: float = 60.0
    max_page_bytes: int = 20_000_000
    max_image_bytes: int = 20_000_000
    recheck: float = 20 * 3600.0
    threads: int = 8
    allow_loopback: bool = False

    @property
    def user_agent(self) -> str:
        """Who asks, and how to reach us."""
        return f"{AGENT} (+{self.contact})" if self.contact else AGENT
