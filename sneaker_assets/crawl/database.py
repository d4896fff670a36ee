"""Location and locking of a site's crawl state, an SQLite database.

SQLite and file locks need a local disk. In a local lake the database is in ``crawls/<site>/``. In a remote lake it is
copied to a scratch folder of this machine for the duration of a crawl and uploaded when the crawl ends; if a crawl is
killed, the next one on the same machine resumes from the scratch copy.

SQLite: https://www.sqlite.org/wal.html  filelock: https://py-filelock.readthedocs.io/en/latest/
"""

import getpass
import hashlib
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from upath import UPath

from sneaker_assets.crawl.errors import CrawlRunning
from sneaker_assets.crawl.schema import SCHEMA
from sneaker_assets.lake import Lake, local_path, write_bytes
from sneaker_assets.names import path_name

FILE_NAME = "crawl.sqlite"
PARSER_VERSION = 1
"""Version of what the site adapters read from a page; pages parsed by an earlier one are fetched and parsed again."""

LOCK_TIMEOUT = 5.0
"""Seconds to wait for another crawl of the site to end."""


class Database:
    """SQLite connection with the schema applied; it may be used from any thread."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._lock = threading.RLock()
        self.rows("PRAGMA journal_mode = WAL")
        self.rows("PRAGMA synchronous = NORMAL")
        with self.transaction():
            for statement in SCHEMA:
                self.rows(statement)
            if self.rows("PRAGMA user_version")[0]["user_version"] < PARSER_VERSION:
                self.rows("UPDATE frontier SET sha256 = NULL, etag = NULL, last_modified = NULL WHERE kind != 'image'")
                self.rows(f"PRAGMA user_version = {PARSER_VERSION}")

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """Execute a statement and return its rows; outside a transaction it is committed immediately."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Execute the block in a transaction, rolled back on any exception."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Checkpoint the write-ahead log and close the file."""
        with self._lock:
            self._connection.close()


@contextmanager
def open_database(lake: Lake, site: str) -> Iterator[Database]:
    """Open the crawl state of a site, exclusively for the duration of the block.

    Raises:
        CrawlRunning: Another crawl of the site has it open.
    """
    stored = lake.folder("crawls", site) / FILE_NAME
    local = local_path(stored)
    file = local or _scratch(lake, site) / FILE_NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file.with_suffix(".lock"), site):
        if local is None and not file.exists() and stored.exists():
            write_bytes(UPath(file), stored.read_bytes())
        try:
            with closing(Database(file)) as database:
                yield database
        finally:
            if local is None:
                write_bytes(stored, file.read_bytes())
                file.unlink()


@contextmanager
def _locked(path: Path, site: str) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=LOCK_TIMEOUT)
    except Timeout:
        raise CrawlRunning(f"another crawl of {site} is running (it holds {path}): wait for its end") from None
    try:
        yield
    finally:
        lock.release()


def _scratch(lake: Lake, site: str) -> Path:
    name = hashlib.sha256(str(lake.root).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"sneaker-assets-{getpass.getuser()}" / name / path_name(site)
