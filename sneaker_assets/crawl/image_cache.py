"""A crawl's memory of a site's images: what became of each address, and when it may be asked about again.

Where the bytes lie is the lake's concern, what makes an image usable ``images``'s.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sneaker_assets.crawl.database import Database
from sneaker_assets.crawl.http import NO_VALIDATORS, Response, Validators
from sneaker_assets.crawl.images import ImageRecord

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CachedImage:
    """An image address as it was last found; before ``next_at`` (UTC) it is not asked about again."""

    record: ImageRecord
    validators: Validators
    next_at: datetime

    @property
    def due(self) -> bool:
        """Whether it may be asked about now."""
        return datetime.now(UTC) >= self.next_at


class ImageCache:
    """The images of one site. What is told of an image is committed at once, and its record given back.

    Args:
        database: the site's.
        site: the site's name.
        recheck: seconds for which an image counts as unchanged, unless the site itself says longer.
    """

    def __init__(self, database: Database, site: str, recheck: float) -> None:
        self.site = site
        self._database, self._recheck = database, recheck

    def find(self, url: str) -> CachedImage | None:
        """What is known of the image at this address."""
        found = self._database.rows("SELECT * FROM frontier WHERE kind = 'image' AND url = ?", url)
        if not found:
            return None
        row = found[0]
        record = ImageRecord(self.site, url, row["sha256"], row["n_bytes"], row["width"], row["height"], row["problem"])
        return CachedImage(
            record, Validators(row["etag"], row["last_modified"]), datetime.fromisoformat(row["next_at"])
        )

    def found(self, record: ImageRecord, response: Response) -> ImageRecord:
        """The site sent these bytes; without a validator nobody can ask whether they changed, so nobody does."""
        askable = bool(response.validators) or record.sha256 is None
        next_at = self._after(response.fresh_for) if askable else NEVER
        return self._keep(record, response.validators if record.sha256 else NO_VALIDATORS, next_at)

    def stands(self, known: CachedImage, fresh_for: float = 0.0) -> ImageRecord:
        """What we have is the latest that can be had; ``fresh_for`` is the site's own word for how long, in seconds."""
        return self._keep(known.record, known.validators, self._after(fresh_for))

    def failed(self, record: ImageRecord, *, answered: bool) -> ImageRecord:
        """There is no image: ``answered`` says whether by the site's word, which stands for a while."""
        return self._keep(record, NO_VALIDATORS, self._after(0.0) if answered else datetime.now(UTC))

    def remember(self, record: ImageRecord) -> ImageRecord:
        """The image is in the lake by another crawl's word."""
        return self._keep(record, NO_VALIDATORS, NEVER)

    def _after(self, fresh_for: float) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=max(self._recheck, fresh_for))

    def _keep(self, record: ImageRecord, validators: Validators, next_at: datetime) -> ImageRecord:
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
