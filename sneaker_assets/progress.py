"""Periodic log lines that report the progress of long-running work."""

import logging
import threading
import time
from collections.abc import Callable


class Progress:
    """Thread-safe counter of finished items that logs a line every few seconds.

    Args:
        logger: Receives the lines at level INFO.
        what: What is counted, such as ``images``.
        of: Total number of items, where known; adds the share done and the time left.
        more: Returns further words for a line; called when the line is written.
        every: Seconds between lines.
        done: Items that earlier work finished before this one resumed it.
    """

    def __init__(
        self,
        logger: logging.Logger,
        what: str,
        of: int | None = None,
        more: Callable[[], str] | None = None,
        every: float = 5.0,
        *,
        done: int = 0,
    ) -> None:
        self._logger, self._what, self._of, self._more, self._every = logger, what, of, more, every
        self._lock = threading.Lock()
        self._started = self._last_logged = time.monotonic()
        self._done = self._done_before = done

    def add(self, n: int = 1) -> None:
        """Count ``n`` more items as done."""
        with self._lock:
            self._done += n
            now = time.monotonic()
            due = now - self._last_logged >= self._every
            if due:
                self._last_logged = now
        if due:
            self._log()

    def expect(self, of: int | None) -> None:
        """Set the total number of items; None where it is unknown."""
        with self._lock:
            self._of = of

    def finish(self) -> None:
        """Log the last line."""
        self._log()

    def _log(self) -> None:
        with self._lock:
            done, new, of = self._done, self._done - self._done_before, self._of
        seconds = time.monotonic() - self._started
        words = [f"{self._what}: {done:,}" + (f" of {of:,}" if of is not None and done <= of else "")]
        if self._more is not None:
            words.append(self._more())
        words.append(duration(seconds))
        if of is not None and new and done < of:
            words.append(f"{duration(seconds / new * (of - done))} left")
        self._logger.info(", ".join(words))


def duration(seconds: float) -> str:
    """Format a duration in a readable unit: ``95 s``, ``12 min``, ``6.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
