"""A crawl's memory of a site's pages: what waits, what was read, what failed, and every listing that was ever seen.

A walk is one pass over the pages that hang together from a start page. It goes on where it was, whenever it was cut
off: each page and all that it showed are committed in one transaction. Readings and listings are only ever added. A
page that did not change since an earlier walk adds a reading, since its prices were seen to stand at that moment, and
refers to the listings read before.

The memory of images is ``known_images``'s concern, where the file lies ``database``'s.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

from sneaker_assets.crawl.database import Database
from sneaker_assets.crawl.http import Response, Validators
from sneaker_assets.crawl.observations import details_from_json, listing_from_json, to_json
from sneaker_assets.sites.base import Details, Listing, Page, merge_details

PageKind = Literal["listings", "releases"]

MAX_ATTEMPTS = 5
"""Walks in which a page may fail before it is left alone until another page links to it again."""


@dataclass(frozen=True, slots=True)
class QueuedPage:
    """A page whose turn it is, with what is known of the version that was read last."""

    url: str
    validators: Validators
    sha256: str | None
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WalkStats:
    """What a walk's pages came to, by the state they ended in; ``min_share`` is the worst page's yield."""

    read: int
    unchanged: int
    failed: int
    unreadable: int
    listed: int
    yielded: int
    min_share: float


class Frontier:
    """The pages of one site."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def walk(self, kind: PageKind, start: str) -> "Walk":
        """The walk of this kind that was cut off, or else a new one, which retries the host's failed pages too."""
        rows = self._database.rows
        unfinished = rows(
            "SELECT max(id) AS id FROM walks WHERE kind = ? AND start = ? AND finished_at IS NULL", kind, start
        )[0]["id"]
        if unfinished is not None:
            return Walk(self._database, unfinished, kind)
        with self._database.transaction():
            number = rows(
                "INSERT INTO walks (kind, start, begun_at) VALUES (?, ?, ?) RETURNING id", kind, start, _now()
            )[0]["id"]
            walk = Walk(self._database, number, kind)
            failed = rows(
                "SELECT url FROM frontier WHERE kind = ? AND state IN ('failed', 'unreadable') AND attempts < ? "
                "ORDER BY position",
                kind,
                MAX_ATTEMPTS,
            )
            host = urlsplit(start).netloc
            walk.queue([start, *(row["url"] for row in failed if urlsplit(row["url"]).netloc == host)])
        return walk

    def hold(self, host: str, until: datetime) -> None:
        """Remember that a host asked not to be asked before that moment; a shorter hold never ends a longer one."""
        self._database.rows(
            "INSERT INTO holds VALUES (?, ?) ON CONFLICT (host) DO UPDATE SET until = max(until, excluded.until)",
            host,
            until.astimezone(UTC).isoformat(timespec="microseconds"),
        )

    def holds(self) -> dict[str, datetime]:
        """What :meth:`hold` was told, by host."""
        found = self._database.rows("SELECT host, until FROM holds")
        return {row["host"]: datetime.fromisoformat(row["until"]) for row in found}


class Walk:
    """One pass over a site's pages; :meth:`Frontier.walk` gives it."""

    def __init__(self, database: Database, number: int, kind: PageKind) -> None:
        self._database, self._number, self._kind = database, number, kind

    def queue(self, urls: Sequence[str]) -> None:
        """Put addresses at the queue's end; one that was in this walk's queue before is not read again."""
        for url in urls:
            self._database.rows(
                """INSERT INTO frontier (kind, url, state, walk, position, first_seen, last_seen)
                VALUES (?1, ?2, 'waiting', ?3, (SELECT count(*) FROM frontier WHERE walk = ?3), ?4, ?4)
                ON CONFLICT (kind, url) DO UPDATE SET
                    state = 'waiting', walk = excluded.walk, position = excluded.position, last_seen = ?4
                WHERE walk IS NOT excluded.walk""",
                self._kind,
                url,
                self._number,
                _now(),
            )

    def previous_page_count(self) -> int | None:
        """How many pages the last finished walk of this kind from the same start came to; None before the first."""
        found = self._database.rows(
            """SELECT (SELECT count(*) FROM readings WHERE walk = before.id) AS n
            FROM walks AS this JOIN walks AS before USING (kind, start)
            WHERE this.id = ? AND before.id < this.id AND before.finished_at IS NOT NULL
            ORDER BY before.id DESC LIMIT 1""",
            self._number,
        )
        return int(found[0]["n"]) if found else None

    def next(self) -> QueuedPage | None:
        """The page whose turn it is; it stays so until one of the methods below is told of its end."""
        found = self._database.rows(
            "SELECT * FROM frontier WHERE walk = ? AND state = 'waiting' ORDER BY position LIMIT 1", self._number
        )
        if not found:
            return None
        row = found[0]
        sha256 = row["sha256"] if row["attempts"] == 0 else None
        links = tuple(json.loads(row["links"] or "[]"))
        return QueuedPage(row["url"], Validators(row["etag"], row["last_modified"]), sha256, links)

    def done(self) -> int:
        """How many pages have come to an end in this walk."""
        counted = "SELECT count(*) AS n FROM frontier WHERE walk = ? AND state != 'waiting'"
        return int(self._database.rows(counted, self._number)[0]["n"])

    def read(self, url: str, response: Response, sha256: str, page: Page, links: Sequence[str]) -> None:
        """The page was read: keep what it showed and go on to where it leads."""
        rows, read_at = self._database.rows, response.fetched_at.isoformat()
        with self._database.transaction():
            reading = rows(
                """INSERT INTO readings (walk, url, read_at, content, listed, yielded)
                VALUES (?1, ?2, ?3, (SELECT coalesce(max(id), 0) + 1 FROM readings), ?4, ?5) RETURNING id""",
                self._number,
                url,
                read_at,
                page.listed,
                len(page.listings),
            )[0]["id"]
            for statement, shown in (
                ("INSERT INTO listings (reading, product_id, listing) VALUES (?, ?, ?)", page.listings),
                ("INSERT INTO details (reading, product_id, details) VALUES (?, ?, ?)", page.details),
            ):
                for product in shown:
                    rows(statement, reading, product.product_id, to_json(product))
            rows(
                """UPDATE frontier SET state = 'read', attempts = 0, problem = NULL, sha256 = ?, reading = ?, links = ?,
                etag = ?, last_modified = ?, last_seen = ? WHERE kind = ? AND url = ?""",
                sha256,
                reading,
                json.dumps(links),
                response.validators.etag,
                response.validators.last_modified,
                read_at,
                self._kind,
                url,
            )
            self.queue(links)

    def unchanged(self, page: QueuedPage, at: datetime) -> None:
        """The page is what it was: its listings were seen once more."""
        with self._database.transaction():
            self._database.rows(
                """INSERT INTO readings (walk, url, read_at, content, listed, yielded)
                SELECT ?1, url, ?2, content, listed, yielded FROM readings
                WHERE id = (SELECT reading FROM frontier WHERE kind = ?3 AND url = ?4)""",
                self._number,
                at.isoformat(),
                self._kind,
                page.url,
            )
            self._database.rows(
                "UPDATE frontier SET state = 'unchanged', last_seen = ? WHERE kind = ? AND url = ?",
                at.isoformat(),
                self._kind,
                page.url,
            )
            self.queue(page.links)

    def failed(self, url: str, problem: str, sha256: str | None = None) -> None:
        """The page could not be fetched or, where its bytes' sha256 is given, not be read."""
        self._database.rows(
            """UPDATE frontier SET state = ?, attempts = attempts + 1, problem = ?, sha256 = ?, etag = NULL,
            last_modified = NULL WHERE kind = ? AND url = ?""",
            "failed" if sha256 is None else "unreadable",
            problem,
            sha256,
            self._kind,
            url,
        )

    def finish(self) -> None:
        """Nothing waits any more, or nobody wants to go on: the next walk is another one."""
        self._database.rows("UPDATE walks SET finished_at = ? WHERE id = ?", _now(), self._number)

    def products(self) -> int:
        """How many products its pages have shown so far."""
        counted = "SELECT count(DISTINCT product_id) AS n FROM observations WHERE walk = ?"
        return int(self._database.rows(counted, self._number)[0]["n"])

    def seen(self) -> list[tuple[Listing, datetime]]:
        """What the walk's pages showed, each product as the first of them had it, with the details of others.

        The moment is that of its prices: where the details bring them, when their page was read.
        """
        found = self._database.rows(
            "SELECT product_id, listing, observed_at FROM observations WHERE walk = ? ORDER BY reading, id",
            self._number,
        )
        first: dict[str, sqlite3.Row] = {}
        for row in found:
            first.setdefault(row["product_id"], row)
        added = self._details()
        return [
            (
                merge_details(listing_from_json(row["listing"]), (details for details, _ in added.get(product_id, ()))),
                max([_moment(row), *(at for details, at in added.get(product_id, ()) if details.prices)]),
            )
            for product_id, row in first.items()
        ]

    def _details(self) -> dict[str, list[tuple[Details, datetime]]]:
        """What pages added to each product, in the order in which they were read."""
        added: dict[str, list[tuple[Details, datetime]]] = {}
        for row in self._database.rows("SELECT * FROM additions WHERE walk = ? ORDER BY reading, id", self._number):
            added.setdefault(row["product_id"], []).append((details_from_json(row["details"]), _moment(row)))
        return added

    def stats(self) -> WalkStats:
        """What its pages came to."""
        states = self._database.rows(
            "SELECT state, count(*) AS n FROM frontier WHERE walk = ? GROUP BY state", self._number
        )
        by_state = {row["state"]: int(row["n"]) for row in states}
        counts = self._database.rows("SELECT listed, yielded FROM readings WHERE walk = ?", self._number)
        pages = [(row["listed"] or row["yielded"], row["yielded"]) for row in counts]
        return WalkStats(
            by_state.get("read", 0),
            by_state.get("unchanged", 0),
            by_state.get("failed", 0),
            by_state.get("unreadable", 0),
            listed=sum(listed for listed, _ in pages),
            yielded=sum(yielded for _, yielded in pages),
            min_share=min((yielded / listed for listed, yielded in pages if listed), default=1.0),
        )


def _moment(row: sqlite3.Row) -> datetime:
    return datetime.fromisoformat(row["observed_at"])


def _now() -> str:
    return datetime.now(UTC).isoformat()
