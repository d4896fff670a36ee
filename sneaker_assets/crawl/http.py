"""What comes back from a site: whole responses, and the validators by which the site recognises a version of a page.

Conditional requests: https://www.rfc-editor.org/rfc/rfc9110#section-13  Freshness: https://www.rfc-editor.org/rfc/rfc9111
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Validators:
    """By what a site recognises the version that we have."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The conditions of a request for what changed since."""
        conditions = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in conditions.items() if value is not None}

    def __bool__(self) -> bool:
        return self.etag is not None or self.last_modified is not None


NO_VALIDATORS = Validators()


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response; header names are case-insensitive, ``status`` 304 has an empty body."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime

    @property
    def unchanged(self) -> bool:
        """Whether the site says that what we have still stands."""
        return self.status == 304

    @property
    def validators(self) -> Validators:
        """By what the site will recognise this version."""
        return Validators(self.headers.get("ETag"), self.headers.get("Last-Modified"))

    @property
    def fresh_for(self) -> float:
        """Seconds for which the site itself says that this version stands (``Cache-Control: max-age``), else 0."""
        found = re.search(r"\bmax-age\s*=\s*\"?(\d{1,9})\b", self.headers.get("Cache-Control", ""), re.IGNORECASE)
        return float(found[1]) if found else 0.0
