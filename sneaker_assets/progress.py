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
    """

    def __init__(
        self,
        logger: logging.Logger,
        what: str,
        of: int | None = None,
        more: Callable[[], str] | None = None,
        every: float = 5.0,
    ) -> None:
        self._logger, self._what, self._of, self._more, self._every = logger, what, of, more, every
        self._lock = threading.Lock()
        self._begun = self._said = time.monotonic()
        self._done = 0

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

    def finish(self) -> None:
        """Write the last line."""
        self._log()

    def _log(self) -> None:
        seconds = time.monotonic() - self._begun
        words = [f"{self._what}: {self._done:,}" + (f" of {self._of:,}" if self._of is not None else "")]
        if self._more is not None:
            words.append(self._more())
        words.append(f"{seconds:.0f} s")
        if self._of and 0 < self._done < self._of:
            words.append(f"{seconds / self._done * (self._of - self._done):.0f} s left")
        self._logger.info(", ".join(words))
