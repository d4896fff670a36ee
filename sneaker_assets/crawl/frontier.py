"""Crawl frontier of a site: the queue of pages, their outcomes, and every listing that they showed.

A walk is one traversal of the pages reachable from a start page. Each page is committed together with its listings in
one transaction, so an interrupted walk can be resumed. A page fetched in a walk is recorded as a reading. An unchanged
page gets a new reading too, since its prices were valid at that time, which refers to the listings of an earlier one.
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
"""Consecutive walks that retry a failing page; after that it is queued only if another page links to it."""


@dataclass(frozen=True, slots=True)
class QueuedPage:
    """The next page of a walk, with validators, hash and links of its last parsed version."""

    url: str
    validators: Validators
    sha256: str | None
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WalkStats:
    """Totals of a walk; ``min_share`` is the smallest share of a page's products that was parsed."""

    parsed: int
    unchanged: int
    failed: int
    unreadable: int
    listed: int
    yielded: int
    min_share: float


class Frontier:
    """Pages of one site."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def walk(self, kind: PageKind, start: str) -> "Walk":
        """Resume the unfinished walk from a start page, or begin a new one.

        A new walk also retries the pages of the same host that failed in earlier walks.

        Args:
            kind: Kind of pages, which have separate walks.
            start: URL of the first page.
        """
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
        """Store until when (UTC) no request may be sent to a host; never shortens an existing hold."""
        self._database.rows(
            "INSERT INTO holds VALUES (?, ?) ON CONFLICT (host) DO UPDATE SET until = max(until, excluded.until)",
            host,
            until.astimezone(UTC).isoformat(timespec="microseconds"),
        )

    def holds(self) -> dict[str, datetime]:
        """End of the hold (UTC) of each host."""
        found = self._database.rows("SELECT host, until FROM holds")
        return {row["host"]: datetime.fromisoformat(row["until"]) for row in found}


class Walk:
    """One traversal of a site's pages, created by :meth:`Frontier.walk`."""

    def __init__(self, database: Database, number: int, kind: PageKind) -> None:
        self._database, self._number, self._kind = database, number, kind

    def queue(self, urls: Sequence[str]) -> None:
        """Append URLs to the queue; those that were queued in this walk before are ignored."""
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
        """Number of pages of the last finished walk of the same kind and start page, None if there is none."""
        found = self._database.rows(
            """SELECT (SELECT count(*) FROM readings WHERE walk = before.id) AS n
            FROM walks AS this JOIN walks AS before USING (kind, start)
            WHERE this.id = ? AND before.id < this.id AND before.finished_at IS NOT NULL
            ORDER BY before.id DESC LIMIT 1""",
            self._number,
        )
        return int(found[0]["n"]) if found else None

    def next_page(self) -> QueuedPage | None:
        """First page of the queue, None if it is empty; it remains queued until its outcome is recorded."""
        found = self._database.rows(
            "SELECT * FROM frontier WHERE walk = ? AND state = 'waiting' ORDER BY position LIMIT 1", self._number
        )
        if not found:
            return None
        row = found[0]
        sha256 = row["sha256"] if row["attempts"] == 0 else None
        links = tuple(json.loads(row["links"] or "[]"))
        return QueuedPage(row["url"], Validators(row["etag"], row["last_modified"]), sha256, links)

    def n_done(self) -> int:
        """Number of pages whose outcome is recorded."""
        counted = "SELECT count(*) AS n FROM frontier WHERE walk = ? AND state != 'waiting'"
        return int(self._database.rows(counted, self._number)[0]["n"])

    def record_page(self, url: str, response: Response, sha256: str, page: Page, links: Sequence[str]) -> None:
        """Record a parsed page with its listings and details, and queue its links, in one transaction.

        Args:
            url: URL of the page.
            response: Response from which it was parsed.
            sha256: Hash of the body.
            page: Result of parsing it.
            links: Absolute URLs of the next pages.
        """
        rows, read_at = self._database.rows, response.fetched_at.isoformat()
        with self._database.transaction():
            reading = rows(
                """INSERT INTO readings (walk, url, read_at, content, listed, yielded)
                VALUES (?1, ?2, ?3, (SELECT coalesce(max(id), 0) + 1 FROM readings), ?4, ?5) RETURNING id""",
                self._number,
                url,
                read_at,
                page.listed,
                len(page.listings) + len(page.excluded),
            )[0]["id"]
            for statement, products in (
                (
                    "INSERT INTO listings (reading, product_id, listing) VALUES (?, ?, ?)",
                    (*page.listings, *page.excluded),
                ),
                ("INSERT INTO details (reading, product_id, details) VALUES (?, ?, ?)", page.details),
            ):
                for product in products:
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

    def record_unchanged(self, page: QueuedPage, at: datetime) -> None:
        """Record that a page has not changed since it was last parsed, and queue its links.

        Args:
            page: The page.
            at: Time (UTC) at which it was fetched.
        """
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

    def record_failure(self, url: str, problem: str, sha256: str | None = None) -> None:
        """Record that a page could not be fetched or parsed.

        Args:
            url: URL of the page.
            problem: One-line reason.
            sha256: Hash of the body if the page was fetched, but could not be parsed.
        """
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
        """Mark the walk as finished, so that it is not resumed."""
        self._database.rows("UPDATE walks SET finished_at = ? WHERE id = ?", _now(), self._number)

    def n_products(self) -> int:
        """Number of distinct products found so far."""
        counted = "SELECT count(DISTINCT product_id) AS n FROM observations WHERE walk = ?"
        return int(self._database.rows(counted, self._number)[0]["n"])

    def listings(self) -> list[tuple[Listing, datetime]]:
        """Listings in the order found, each product once, with the details from other pages merged in.

        Each comes with the time (UTC) at which its prices were fetched, which may be that of a detail page.
        """
        found = self._database.rows(
            "SELECT product_id, listing, observed_at FROM observations WHERE walk = ? ORDER BY reading, id",
            self._number,
        )
        first: dict[str, sqlite3.Row] = {}
        for row in found:
            first.setdefault(row["product_id"], row)
        details = self._details()
        return [
            (
                merge_details(listing_from_json(row["listing"]), (added for added, _ in details.get(product_id, ()))),
                max([_observed_at(row), *(at for added, at in details.get(product_id, ()) if added.prices)]),
            )
            for product_id, row in first.items()
        ]

    def _details(self) -> dict[str, list[tuple[Details, datetime]]]:
        """Details of each product with the time (UTC) at which they were fetched, oldest first."""
        details: dict[str, list[tuple[Details, datetime]]] = {}
        for row in self._database.rows("SELECT * FROM additions WHERE walk = ? ORDER BY reading, id", self._number):
            details.setdefault(row["product_id"], []).append((details_from_json(row["details"]), _observed_at(row)))
        return details

    def stats(self) -> WalkStats:
        """Totals of the walk so far."""
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


def _observed_at(row: sqlite3.Row) -> datetime:
    return datetime.fromisoformat(row["observed_at"])


def _now() -> str:
    return datetime.now(UTC).isoformat()
