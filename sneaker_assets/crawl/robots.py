"""Rules of robots.txt: which URLs may be fetched, and how often.

The status is evaluated before the body, since an error page parses as "everything is allowed".

RFC 9309: https://www.rfc-editor.org/rfc/rfc9309  protego: https://github.com/scrapy/protego
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from protego import Protego

MAX_AGE = 24 * 3600.0
"""Seconds after which a robots.txt is fetched again."""

RETRY_AFTER = 600.0
"""Seconds after which a robots.txt that could not be fetched is requested again."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of one host for one user agent; ``parsed`` is None if they are unavailable, which disallows everything."""

    agent: str
    parsed: Protego | None

    def allows(self, url: str) -> bool:
        """Whether the user agent may fetch a URL."""
        return self.parsed is not None and bool(self.parsed.can_fetch(url, self.agent))

    @property
    def delay(self) -> float:
        """Seconds between requests: the longer one of Crawl-delay and Request-rate, 0 if neither is given."""
        if self.parsed is None:
            return 0.0
        rate = self.parsed.request_rate(self.agent)
        return max(self.parsed.crawl_delay(self.agent) or 0.0, rate.seconds / rate.requests if rate else 0.0)


def parse_robots(status: int, text: str, agent: str) -> Rules:
    """Rules of a host, given the response to its robots.txt.

    Args:
        status: Status of the response: the body of a 200 is parsed; a 4xx other than 429 allows everything; any other
            status disallows everything.
        text: Body of the response.
        agent: Product token of the user agent.
    """
    if status == 200:
        return Rules(agent, Protego.parse(text))
    return Rules(agent, Protego.parse("") if 400 <= status < 500 and status != 429 else None)


class Robots:
    """Cache of the rules of each host, refreshed once a day.

    Args:
        agent: Product token of the user agent.
        fetch: Returns status and text of the robots.txt at a URL, 503 if it cannot be fetched.
        on_delay: Called with a host and the delay in seconds that it asks for, whenever its rules are fetched.
    """

    def __init__(
        self, agent: str, fetch: Callable[[str], tuple[int, str]], on_delay: Callable[[str, float], None]
    ) -> None:
        self._agent, self._fetch, self._on_delay = agent, fetch, on_delay
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._cache: dict[str, tuple[Rules, float]] = {}

    def allows(self, url: str) -> bool:
        """Whether a URL may be fetched; fetches the robots.txt of its host first if necessary."""
        return self._rules(url).allows(url)

    def refusal(self, url: str) -> str:
        """Why a URL may not be fetched."""
        if self._rules(url).parsed is None:
            return f"the robots.txt of {urlsplit(url).netloc} could not be fetched, hence nothing else is"
        return "robots.txt does not allow it"

    def _rules(self, url: str) -> Rules:
        parts = urlsplit(url)
        root = f"{parts.scheme}://{parts.netloc.lower()}"
        with self._lock:
            lock = self._locks.setdefault(root, threading.Lock())
        with lock:  # one per host, so that a slow one does not delay the others
            rules, expires_at = self._cache.get(root, (None, 0.0))
            if rules is None or time.monotonic() >= expires_at:
                rules = parse_robots(*self._fetch(f"{root}/robots.txt"), self._agent)
                self._cache[root] = (rules, time.monotonic() + (RETRY_AFTER if rules.parsed is None else MAX_AGE))
                self._on_delay(parts.netloc.lower(), rules.delay)
            return rules
