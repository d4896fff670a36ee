"""When the next request to a host may leave: the gate every attempt passes, retries included.

A host is asked by one request at a time: nobody's next one leaves before the answer to the last has begun, nor for the
delay after that. From this follow, however many threads there are:

- the requests that reach a host are at least the delay apart, since each is answered before the delay begins;
- when a host answers 429, no other request to it is under way, and none leaves until its Retry-After has passed, since
  the hold stands before the turn ends;
- a host that is slow to answer is asked less often.

Only answers' bodies are read at the same time. What a response means is the fetcher's concern.

Retry-After: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
"""

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from sneaker_assets.crawl.errors import CrawlPaused
from sneaker_assets.progress import duration

logger = logging.getLogger(__name__)

MIN_LOGGED_WAIT = 5.0
"""Seconds; a longer wait is said in the log, where nothing else would be for as long."""

MAX_HOLD = 365 * 24 * 3600.0
"""Seconds; anybody who asks for more is taken to mean a year."""


@dataclass(slots=True)
class _Host:
    """One host's turn, and the moments (monotonic seconds) before which nothing may leave."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    delay: float = 0.0
    next_at: float = 0.0
    held_until: float = 0.0


class Gate:
    """Gives each host's turns to one caller after the other.

    Args:
        delay: least seconds between two requests to one host, more where the host's robots.txt asks for it.
        hold_cap: longest hold or delay in seconds that is waited for; a longer one raises.

    ``held_back`` counts the requests that had to wait for the end of a hold.
    """

    def __init__(self, delay: float, hold_cap: float) -> None:
        self._delay, self._hold_cap = delay, hold_cap
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}
        self.held_back = 0

    def slow_down(self, host: str, delay: float) -> None:
        """Ask for at least ``delay`` seconds between requests to this host (Crawl-delay, Request-rate)."""
        self._host(host).delay = delay

    def hold(self, host: str, seconds: float) -> None:
        """Let no request to this host leave for so many seconds; a shorter hold never ends a longer one."""
        held = self._host(host)
        held.held_until = max(held.held_until, time.monotonic() + min(seconds, MAX_HOLD))

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Wait for the caller's turn; the block sends one request and ends when its answer has begun.

        Raises:
            CrawlPaused: the host asks for more than the cap.
        """
        asked, mine = time.monotonic(), self._host(host)
        with mine.turn:
            self._wait(host, mine, asked)
            try:
                yield
            finally:
                mine.next_at = time.monotonic() + max(self._delay, mine.delay)

    def _wait(self, name: str, host: _Host, asked: float) -> None:
        if asked < host.held_until:
            with self._lock:
                self.held_back += 1
        while (seconds := max(host.held_until, host.next_at) - time.monotonic()) > 0:
            if seconds > self._hold_cap:
                raise CrawlPaused(name, datetime.now(UTC) + timedelta(seconds=min(seconds, MAX_HOLD)))
            if host.held_until - time.monotonic() > MIN_LOGGED_WAIT:
                logger.info("%s asks for rest: nothing is asked of it for %s", name, duration(seconds))
            time.sleep(seconds)

    def _host(self, name: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(name, _Host())


def retry_after_seconds(value: str | None) -> float | None:
    """Seconds a Retry-After header asks for, fractions and dates included; None where it says nothing usable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _seconds_until(value: str) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
