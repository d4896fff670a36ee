"""Where a site's crawl state lies, and that one crawl at a time has it.

SQLite and file locks need a local disk. The state of a local lake lies in the lake, in ``crawls/<site>/``. That of a
remote one lies in a scratch folder of this machine while a crawl runs, and is published whole when it ends; what a
killed crawl left there is gone on with by the next one on the same machine. What the state holds is ``schema``'s
concern.

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

FILE_NAME = "crawl.sqlite"
PATIENCE = 5.0
"""Seconds to wait for another crawl of the site to end."""


class Database:
    """One SQLite connection, with its tables made, that any thread may use, one at a time."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._lock = threading.RLock()
        self.rows("PRAGMA journal_mode = WAL")
        self.rows("PRAGMA synchronous = NORMAL")
        with self.transaction():
            for statement in SCHEMA:
                self.rows(statement)

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """Execute one statement; outside a transaction it is committed when this returns."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block executes as a whole, or nothing of it."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Fold the journal into the file and let go of it."""
        with self._lock:
            self._connection.close()


@contextmanager
def open_database(lake: Lake, site: str) -> Iterator[Database]:
    """The site's database, locked while the block runs.

    Raises:
        CrawlRunning: another crawl of the site has it.
    """
    stored = lake.folder("crawls", site) / FILE_NAME
    here = local_path(stored)
    file = here or _scratch(lake, site) / FILE_NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file.with_suffix(".lock"), site):
        if here is None and not file.exists() and stored.exists():
            write_bytes(UPath(file), stored.read_bytes())
        try:
            with closing(Database(file)) as database:
                yield database
        finally:
            if here is None:
                write_bytes(stored, file.read_bytes())
                file.unlink()


@contextmanager
def _locked(path: Path, site: str) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise CrawlRunning(f"another crawl of {site} is running (it holds {path}): wait for its end") from None
    try:
        yield
    finally:
        lock.release()


def _scratch(lake: Lake, site: str) -> Path:
    name = hashlib.sha256(str(lake.root).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"sneaker-assets-{getpass.getuser()}" / name / site
