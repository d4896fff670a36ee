"""Alerts: stored in the lake, then posted to a webhook or appended to a log file.

An alert is stored in ``alerts/waiting/`` until it is delivered and in ``alerts/sent/`` afterwards: none is lost while a
webhook is down, and none is sent again.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from upath import UPath

from sneaker_assets.lake import Lake, read_json, write_bytes, write_json
from sneaker_assets.names import path_name

AlertKind = Literal["run_failure", "premium"]

TIMEOUT = 5.0
"""Seconds without an answer after which a webhook counts as down."""

BUDGET = 20.0
"""Maximum seconds of one delivery; the remaining alerts wait for the next."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, posted as a JSON object with these fields.

    Attributes:
        id: Identifies the event, so that a receiver can detect repetitions.
        kind: What the alert is about.
        text: One readable line; chat services show this field.
        at: When the alert was created (ISO 8601, UTC).
        details: By kind. ``run_failure``: ``run_id``, ``job``, ``partition`` (or null), ``error``. ``premium``:
            ``release``, ``title``, ``predicted_price`` and ``retail_price`` in US dollars, ``premium`` (0.5 is 50 %).
    """

    id: str
    kind: AlertKind
    text: str
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Outcome of a delivery.

    Attributes:
        sent: Number of alerts delivered.
        waiting: Number of alerts left for the next delivery.
        problem: The last error in one line, or None.
    """

    sent: int
    waiting: int
    problem: str | None = None

    def __str__(self) -> str:
        counts = f"{self.sent} alerts sent, {self.waiting} waiting"
        return counts if self.problem is None else f"{counts}: {self.problem}"


@dataclass(frozen=True)
class Outbox:
    """The alerts of a lake. Any number of processes may add alerts; only one at a time may deliver them."""

    lake: Lake

    def add(self, alert: Alert) -> bool:
        """Store an alert for delivery unless its id is known; returns whether it was stored."""
        if self._file("waiting", alert.id).exists() or self._file("sent", alert.id).exists():
            return False
        write_json(self._file("waiting", alert.id), asdict(alert))
        return True

    def deliver(self, webhook: str = "", budget: float = BUDGET) -> Delivery:
        """Post all waiting alerts, oldest first; those that cannot be posted keep waiting.

        An alert that was posted but could not be marked as sent is posted again with the same ``id``.

        Args:
            webhook: URL to post to; if empty, alerts are appended to ``alerts/alerts.log``, one JSON object per line.
            budget: Seconds after which the remaining alerts are left to the next delivery.
        """
        waiting = sorted(map(read_json, self._waiting()), key=lambda alert: str(alert["at"]))
        deadline, sent, problem = time.monotonic() + budget, 0, None
        for alert in waiting:
            if time.monotonic() >= deadline:
                break
            failure = _post(webhook, alert) if webhook else None
            if failure:
                problem = failure
                continue
            if not webhook:
                self._log(alert)
            write_json(self._file("sent", alert["id"]), alert)
            self._file("waiting", alert["id"]).unlink()
            sent += 1
        return Delivery(sent, len(waiting) - sent, problem)

    def _log(self, alert: Mapping[str, Any]) -> None:
        log = self.lake.folder("alerts") / "alerts.log"
        before = log.read_bytes() if log.exists() else b""
        write_bytes(log, before + json.dumps(alert).encode() + b"\n")

    def _waiting(self) -> list[UPath]:
        folder = self.lake.folder("alerts", "waiting")
        return [file for file in folder.iterdir() if file.suffix == ".json"] if folder.exists() else []

    def _file(self, state: Literal["waiting", "sent"], alert_id: str) -> UPath:
        return self.lake.folder("alerts", state) / f"{path_name(alert_id)}.json"


def _post(webhook: str, alert: Mapping[str, Any]) -> str | None:
    """Post an alert; returns the error or None. Only the host is named, since the path may be a secret."""
    import requests

    host = urlsplit(webhook).netloc.rpartition("@")[2]
    try:
        with requests.post(webhook, json=alert, timeout=TIMEOUT, allow_redirects=False, stream=True) as response:
            return None if response.ok and not response.is_redirect else f"{host} answered {response.status_code}"
    except requests.RequestException as error:
        return f"{host} cannot be reached ({type(error).__name__})"
