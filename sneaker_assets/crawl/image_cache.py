"""Image cache of a site: the outcome of each image URL, and when it becomes stale.

The files themselves are in the lake.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sneaker_assets.crawl.database import Database
from sneaker_assets.crawl.http import NO_VALIDATORS, Response, Validators
from sneaker_assets.crawl.images import ImageRecord

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CachedImage:
    """Cache entry of an image URL; fresh until ``next_at`` (UTC)."""

    record: ImageRecord
    validators: Validators
    next_at: datetime

    @property
    def stale(self) -> bool:
        """Whether the image has to be requested again."""
        return datetime.now(UTC) >= self.next_at


class ImageCache:
    """Image cache of one site; every write is committed immediately and returns the record.

    Args:
        database: Crawl state of the site.
        site: Name of the site.
        recheck: Minimum number of seconds for which an entry is fresh; ``Cache-Control`` may extend it.
    """

    def __init__(self, database: Database, site: str, recheck: float) -> None:
        self.site = site
        self._database, self._recheck = database, recheck

    def get(self, url: str) -> CachedImage | None:
        """Entry of an image URL, None if there is none."""
        found = self._database.rows("SELECT * FROM frontier WHERE kind = 'image' AND url = ?", url)
        if not found:
            return None
        row = found[0]
        record = ImageRecord(self.site, url, row["sha256"], row["n_bytes"], row["width"], row["height"], row["problem"])
        return CachedImage(
            record, Validators(row["etag"], row["last_modified"]), datetime.fromisoformat(row["next_at"])
        )

    def put(self, record: ImageRecord, response: Response) -> ImageRecord:
        """Store the record of a response; an image without validators never becomes stale."""
        can_revalidate = bool(response.validators) or record.sha256 is None
        next_at = self._stale_at(response.fresh_for) if can_revalidate else NEVER
        return self._write(record, response.validators if record.sha256 else NO_VALIDATORS, next_at)

    def confirm(self, cached: CachedImage, fresh_for: float = 0.0) -> ImageRecord:
        """Mark an entry as current for at least ``fresh_for`` seconds."""
        return self._write(cached.record, cached.validators, self._stale_at(fresh_for))

    def put_failure(self, record: ImageRecord, *, answered: bool) -> ImageRecord:
        """Store a failure.

        Args:
            record: Record with a ``problem``.
            answered: Whether the site answered the request; if not, the entry is stale at once.
        """
        return self._write(record, NO_VALIDATORS, self._stale_at(0.0) if answered else datetime.now(UTC))

    def adopt(self, record: ImageRecord) -> ImageRecord:
        """Store the record of an image that is already in the lake."""
        return self._write(record, NO_VALIDATORS, NEVER)

    def _stale_at(self, fresh_for: float) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=max(self._recheck, fresh_for))

    def _write(self, record: ImageRecord, validators: Validators, next_at: datetime) -> ImageRecord:
        self._database.rows(
            """INSERT INTO frontier (kind, url, state, attempts, next_at, etag, last_modified, sha256, problem,
                n_bytes, width, height, first_seen, last_seen)
            VALUES ('image', ?1, ?2, ?2 = 'unusable', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)
            ON CONFLICT (kind, url) DO UPDATE SET
                state = excluded.state, attempts = iif(excluded.attempts, attempts + 1, 0), next_at = excluded.next_at,
                etag = excluded.etag, last_modified = excluded.last_modified, sha256 = excluded.sha256,
                problem = excluded.problem, n_bytes = excluded.n_bytes, width = excluded.width,
                height = excluded.height, last_seen = excluded.last_seen""",
            record.image_url,
            "stored" if record.sha256 else "unusable",
            next_at.isoformat(),
            validators.etag,
            validators.last_modified,
            record.sha256,
            record.problem,
            record.n_bytes,
            record.width,
            record.height,
            datetime.now(UTC).isoformat(),
        )
        return record
