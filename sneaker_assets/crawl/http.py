"""HTTP responses and the validators of conditional requests.

Conditional requests: https://www.rfc-editor.org/rfc/rfc9110#section-13  Freshness: https://www.rfc-editor.org/rfc/rfc9111
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Validators:
    """Validators of a stored response (``ETag`` and ``Last-Modified``); false if it has none."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """Request headers that ask for the resource only if it has changed."""
        conditions = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in conditions.items() if value is not None}

    def __bool__(self) -> bool:
        return self.etag is not None or self.last_modified is not None


NO_VALIDATORS = Validators()


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response; header names are case-insensitive, and the body of a 304 is empty."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime

    @property
    def unchanged(self) -> bool:
        """Whether the stored response is still current (304 Not Modified)."""
        return self.status == 304

    @property
    def validators(self) -> Validators:
        """Validators of this response."""
        return Validators(self.headers.get("ETag"), self.headers.get("Last-Modified"))

    @property
    def fresh_for(self) -> float:
        """Seconds for which the response is fresh (``Cache-Control: max-age``), 0 if not stated."""
        found = re.search(r"\bmax-age\s*=\s*\"?(\d{1,9})\b", self.headers.get("Cache-Control", ""), re.IGNORECASE)
        return float(found[1]) if found else 0.0
