"""One log line every few seconds: how far a long piece of work is. Where the lines go is logging's concern."""

import logging
import threading
import time
from collections.abc import Callable


class Progress:
    """Counts finished pieces from any thread and logs a line now and then.

    Args:
        logger: where the lines go (INFO).
        what: what is counted.
        of: how many there are, where that is known; gives the line a share and the time left.
        more: further words for the line, asked for when it is written.
        every: seconds between lines.
        done: how many were done before, by earlier work that this one goes on with.
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
        self._begun = self._said = time.monotonic()
        self._done = self._done_before = done

    def add(self, n: int = 1) -> None:
        """Count ``n`` more as done."""
        with self._lock:
            self._done += n
            now = time.monotonic()
            due = now - self._said >= self._every
            if due:
                self._said = now
        if due:
            self._log()

    def expect(self, of: int | None) -> None:
        """Say how many there are, or that this is not known, in the course of the work."""
        with self._lock:
            self._of = of

    def finish(self) -> None:
        """Write the last line."""
        self._log()

    def _log(self) -> None:
        with self._lock:
            done, new, of = self._done, self._done - self._done_before, self._of
        seconds = time.monotonic() - self._begun
        words = [f"{self._what}: {done:,}" + (f" of {of:,}" if of is not None and done <= of else "")]
        if self._more is not None:
            words.append(self._more())
        words.append(duration(seconds))
        if of is not None and new and done < of:
            words.append(f"{duration(seconds / new * (of - done))} left")
        self._logger.info(", ".join(words))


def duration(seconds: float) -> str:
    """A length of time in the unit that suits it: ``95 s``, ``12 min``, ``6.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
