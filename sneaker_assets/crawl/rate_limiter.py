"""Rate limiting of requests by host: a minimum delay between requests, and holds requested by ``Retry-After``.

Requests to one host are serialised: the next one is sent only after the response to the last one has begun and the
delay has passed since. Hence, with any number of threads:

- requests reach a host at least one delay apart;
- when a host answers 429, no other request to it is in flight, and none is sent until the hold is over;
- a host that responds slowly receives fewer requests.

Response bodies are read concurrently.

Retry-After: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from sneaker_assets.crawl.errors import CrawlPaused
from sneaker_assets.progress import duration

logger = logging.getLogger(__name__)

MIN_LOGGED_WAIT = 5.0
"""Seconds from which a hold is logged, since the progress line stands still meanwhile."""

MAX_HOLD = 365 * 24 * 3600.0
"""Seconds to which longer holds are cut, so that their end is a valid date."""


@dataclass(slots=True)
class _Host:
    """State of one host; ``next_at`` and ``held_until`` are times of the clock before which no request is sent."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    delay: float = 0.0
    next_at: float = 0.0
    held_until: float = 0.0


class RateLimiter:
    """Serialises and delays the requests to each host.

    Args:
        delay: Minimum number of seconds between two requests to one host.
        hold_cap: Longest hold or delay, in seconds, that is waited for; a longer one raises.
        clock: Monotonic clock, in seconds.
        sleep: Blocks for a number of seconds of that clock.

    Attributes:
        held_back: Number of requests that had to wait for the end of a hold.
    """

    def __init__(
        self,
        delay: float,
        hold_cap: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._delay, self._hold_cap = delay, hold_cap
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}
        self.held_back = 0

    def set_delay(self, host: str, delay: float) -> None:
        """Set the delay that a host asks for (Crawl-delay, Request-rate); a shorter one than the default is ignored."""
        self._host(host).delay = delay

    def hold(self, host: str, seconds: float) -> None:
        """Send no request to a host for a number of seconds; never shortens an existing hold."""
        held = self._host(host)
        held.held_until = max(held.held_until, self._clock() + min(seconds, MAX_HOLD))

    @contextmanager
    def slot(self, host: str) -> Iterator[None]:
        """Wait until a request may be sent; the block sends it and ends when its response has begun.

        Raises:
            CrawlPaused: The wait would be longer than ``hold_cap``.
        """
        requested_at, state = self._clock(), self._host(host)
        with state.lock:
            self._wait(host, state, requested_at)
            try:
                yield
            finally:
                state.next_at = self._clock() + max(self._delay, state.delay)

    def _wait(self, name: str, host: _Host, requested_at: float) -> None:
        if requested_at < host.held_until:
            with self._lock:
                self.held_back += 1
        while (seconds := max(host.held_until, host.next_at) - self._clock()) > 0:
            if seconds > self._hold_cap:
                raise CrawlPaused(name, datetime.now(UTC) + timedelta(seconds=min(seconds, MAX_HOLD)))
            if host.held_until - self._clock() > MIN_LOGGED_WAIT:
                logger.info("%s asked for a pause: waiting %s before the next request", name, duration(seconds))
            self._sleep(seconds)

    def _host(self, name: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(name, _Host())


def retry_after_seconds(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks to wait, given as a number or as a date; None if it is invalid."""
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
