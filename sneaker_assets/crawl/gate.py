"""When the next request to a host may leave: the gate every attempt passes, retries included.

One delay a host, one hold a host, for all threads. What a response means is the fetcher's concern.

Retry-After: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
"""

import math
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from sneaker_assets.crawl.errors import CrawlPaused

LONGEST_HOLD = 365 * 24 * 3600.0
"""Seconds; anybody who asks for more is taken to mean a year."""


class Gate:
    """Spaces the requests to each host and holds a host back altogether when it asks for that.

    Args:
        delay: least seconds between two requests to one host, more where the host's robots.txt asks for it.
        hold_cap: longest hold in seconds that is waited for; a longer one raises.
    """

    def __init__(self, delay: float, hold_cap: float) -> None:
        self._delay, self._hold_cap = delay, hold_cap
        self._lock = threading.Lock()
        self._host_delay: dict[str, float] = {}
        self._next: dict[str, float] = {}
        self._held_until: dict[str, float] = {}
        self.held_back = 0

    def slow_down(self, host: str, delay: float) -> None:
        """Ask for at least ``delay`` seconds between requests to this host (Crawl-delay, Request-rate)."""
        with self._lock:
            self._host_delay[host] = delay

    def hold(self, host: str, seconds: float) -> None:
        """Let no request to this host leave for so many seconds; a shorter hold never ends a longer one."""
        until = time.monotonic() + min(seconds, LONGEST_HOLD)
        with self._lock:
            self._held_until[host] = max(until, self._held_until.get(host, 0.0))

    def wait(self, host: str) -> None:
        """Return when it is this caller's turn.

        Raises:
            CrawlPaused: the host is held for longer than the cap.
        """
        waited = False
        while (seconds := self._take_turn(host)) > 0:
            if not waited:
                waited = True
                with self._lock:
                    self.held_back += 1
            time.sleep(seconds)

    def _take_turn(self, host: str) -> float:
        """Take the turn and return 0, or return the seconds after which to try again."""
        with self._lock:
            now = time.monotonic()
            held = self._held_until.get(host, 0.0) - now
            if held > self._hold_cap:
                raise CrawlPaused(host, datetime.now(UTC) + timedelta(seconds=held))
            seconds = max(held, self._next.get(host, 0.0) - now)
            if seconds <= 0:
                self._next[host] = now + max(self._delay, self._host_delay.get(host, 0.0))
            return max(seconds, 0.0)


def retry_after_seconds(value: str | None) -> float | None:
    """Seconds a Retry-After header asks for, fractions and dates included; None where it says nothing usable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
