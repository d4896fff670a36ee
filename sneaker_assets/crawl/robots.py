"""What a host's robots.txt allows and how slowly it wants to be read. Fetching the file is the fetcher's concern.

The status is judged before the text, since an error page parses as "everything is allowed".

RFC 9309: https://www.rfc-editor.org/rfc/rfc9309  protego: https://github.com/scrapy/protego
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from protego import Protego

DAY = 24 * 3600.0
UNREADABLE_FOR = 600.0
"""Seconds after which a robots.txt that could not be read is asked for again."""


@dataclass(frozen=True, slots=True)
class Rules:
    """One host's rules for one agent; ``parsed`` is None where they could not be read, which forbids everything."""

    agent: str
    parsed: Protego | None

    def allows(self, url: str) -> bool:
        """Whether the agent may read this address."""
        return self.parsed is not None and bool(self.parsed.can_fetch(url, self.agent))

    @property
    def delay(self) -> float:
        """Seconds between requests: the greater of Crawl-delay and Request-rate."""
        if self.parsed is None:
            return 0.0
        rate = self.parsed.request_rate(self.agent)
        return max(self.parsed.crawl_delay(self.agent) or 0.0, rate.seconds / rate.requests if rate else 0.0)


def judge(status: int, text: str, agent: str) -> Rules:
    """The rules that a response to robots.txt stands for: 4xx allows everything, 429 and 5xx forbid everything."""
    if status == 200:
        return Rules(agent, Protego.parse(text))
    return Rules(agent, Protego.parse("") if 400 <= status < 500 and status != 429 else None)


class Robots:
    """Every host's rules, each read once a day.

    Args:
        agent: the product token that robots.txt files address us by.
        read: gives status and text of a robots.txt address, 503 where nothing answers.
        on_read: told a host and the seconds between requests that it wants.
    """

    def __init__(
        self, agent: str, read: Callable[[str], tuple[int, str]], on_read: Callable[[str, float], None]
    ) -> None:
        self._agent, self._read, self._on_read = agent, read, on_read
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Rules, float]] = {}

    def allows(self, url: str) -> bool:
        """Whether we may read this address; reads the host's robots.txt first where that is due."""
        return self._rules(url).allows(url)

    def _rules(self, url: str) -> Rules:
        parts = urlsplit(url)
        root = f"{parts.scheme}://{parts.netloc.lower()}"
        with self._lock:
            rules, until = self._kept.get(root, (None, 0.0))
            if rules is None or time.monotonic() >= until:
                rules = judge(*self._read(f"{root}/robots.txt"), self._agent)
                self._kept[root] = (rules, time.monotonic() + (UNREADABLE_FOR if rules.parsed is None else DAY))
                self._on_read(parts.netloc.lower(), rules.delay)
            return rules
