"""What people are told: alerts that are written down first and then posted to a webhook, or to a log file.

An alert lies in the lake's ``alerts/waiting/`` until it has been delivered, and in ``alerts/sent/`` from then on, so a
webhook that is down costs none, and what was sent is not sent again. What is worth an alert is the callers' concern.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from upath import UPath

from sneaker_assets.lake import Lake, read_json, write_bytes, write_json

AlertKind = Literal["run_failure", "premium"]

TIMEOUT = 5.0
"""Seconds of silence after which a webhook counts as down."""

BUDGET = 20.0
"""Seconds that one delivery may take; what is left waits for the next."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; it is posted as a JSON object of just these fields.

    Attributes:
        id: the same for the same matter, by which a receiver knows what it was told before.
        kind: what it is about.
        text: one line for people; chat services show this field.
        at: when it was written down (ISO 8601, UTC).
        details: by kind. ``run_failure``: ``run_id``, ``job``, ``partition`` (or null), ``error``. ``premium``:
            ``release``, ``title``, ``predicted_price`` and ``retail_price`` in US dollars, ``premium`` (0.5 is 50 %).
    """

    id: str
    kind: AlertKind
    text: str
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a delivery came to; ``problem`` is the last thing that went wrong, in one line."""

    sent: int
    waiting: int
    problem: str | None = None

    def __str__(self) -> str:
        told = f"{self.sent} alerts sent, {self.waiting} waiting"
        return told if self.problem is None else f"{told}: {self.problem}"


@dataclass(frozen=True)
class Outbox:
    """The alerts of a lake; any process may write one down, one at a time may deliver."""

    lake: Lake

    def write_down(self, alert: Alert) -> bool:
        """Keep an alert until it is delivered; gives whether it is a new one."""
        if self._file("waiting", alert.id).exists() or self._file("sent", alert.id).exists():
            return False
        write_json(self._file("waiting", alert.id), asdict(alert))
        return True

    def deliver(self, webhook: str = "", budget: float = BUDGET) -> Delivery:
        """Post every alert that waits, the oldest first; one that cannot be posted waits on.

        An alert that was posted and could not be marked as sent is posted twice, with the same ``id``.

        Args:
            webhook: where to; without one, alerts are added to the lake's ``alerts/alerts.log``, a JSON object a line.
            budget: seconds after which the rest is left to the next delivery.
        """
        waiting = sorted(map(read_json, self._waiting()), key=lambda alert: str(alert["at"]))
        ends, sent, problem = time.monotonic() + budget, 0, None
        for alert in waiting:
            if time.monotonic() >= ends:
                break
            refusal = _post(webhook, alert) if webhook else None
            if refusal:
                problem = refusal
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
        write_bytes(log, before + json.dumps(alert, ensure_ascii=False).encode() + b"\n")

    def _waiting(self) -> list[UPath]:
        folder = self.lake.folder("alerts", "waiting")
        return [file for file in folder.iterdir() if file.suffix == ".json"] if folder.exists() else []

    def _file(self, state: Literal["waiting", "sent"], alert_id: str) -> UPath:
        return self.lake.folder("alerts", state) / f"{re.sub(r'[^A-Za-z0-9._-]', '_', alert_id)}.json"


def _post(webhook: str, alert: Mapping[str, Any]) -> str | None:
    """Why the webhook did not take it, or None; only its host is named, since its path may be a secret."""
    import requests

    host = urlsplit(webhook).netloc.rpartition("@")[2]
    try:
        with requests.post(webhook, json=alert, timeout=TIMEOUT, allow_redirects=False, stream=True) as response:
            return None if response.ok and not response.is_redirect else f"{host} answered {response.status_code}"
    except requests.RequestException as error:
        return f"{host} cannot be reached ({type(error).__name__})"
