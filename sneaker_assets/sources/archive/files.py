"""Files of an archive: which are tables, and their decompressed bytes within bounds."""

import bz2
import gzip
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sneaker_assets.errors import one_line
from sneaker_assets.sources.archive.errors import ArchiveError
from sneaker_assets.sources.archive.mapping import matches

MAX_BYTES = 2_000_000_000
"""Maximum size of a table after decompression."""

MAX_RATIO = 200
"""Maximum ratio of decompressed to compressed size; tables of listings have 5 to 50."""

FREE_BYTES = 20_000_000
"""Decompressed size up to which the ratio is not checked."""

FORMATS = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".tab": "TSV",
    ".psv": "CSV",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
    ".json": "JSON",
    ".parquet": "Parquet",
    ".pq": "Parquet",
}
"""Format of a table by its suffix."""

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zip")
_CHUNK = 1 << 16
_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)
"""Errors of the decompressors for truncated, damaged and encrypted files."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """One table of an archive.

    Attributes:
        path: The file.
        name: Path inside the archive, and inside the ZIP file if it is in one.
        member: Name inside the ZIP file, None for other files.
    """

    path: Path
    name: str
    member: str | None = None

    @property
    def compression(self) -> str | None:
        """Suffix of the compression without its point, None for a plain file."""
        suffix = self.path.suffix.lower()
        return suffix[1:] if suffix in COMPRESSIONS else None

    @property
    def format(self) -> str:
        """Format according to the suffix; CSV for an unknown one."""
        return FORMATS.get(_table_suffix(self.member or self.path.name), "CSV")

    @property
    def stem(self) -> str:
        """File name without its suffixes."""
        name = PurePosixPath(self.member or self.path.name).name
        return _uncompressed(name).rpartition(".")[0] or name

    @property
    def modified(self) -> datetime:
        """Modification time (UTC)."""
        return datetime.fromtimestamp(self.path.stat().st_mtime, tz=UTC)

    @property
    def version(self) -> tuple[str, int, int]:
        """Changes when the file changes."""
        status = self.path.stat()
        return self.name, status.st_mtime_ns, status.st_size


def archive_root(archive: Path) -> Path:
    """Folder of an archive, which may be named by its only table.

    Args:
        archive: A folder or a file.
    """
    return archive.parent if archive.is_file() else archive


def find_tables(archive: Path, patterns: Sequence[str] = (), images_folder: str = "images") -> list[TableFile]:
    """Tables of an archive, sorted by name, in its folder and those below it.

    Hidden files and the folder of images are left out. A ``listings`` table in the folder itself is read alone unless
    patterns are given, since published data sets have their splits beside it.

    Args:
        archive: A folder, or one file.
        patterns: Patterns of the tables to read, by default all.
        images_folder: Name of the folder of images.

    Raises:
        ArchiveError: There is no such folder or file, no table, or a pattern matches none.
    """
    if archive.is_file():
        return _members(archive, archive.name)
    if not archive.is_dir():
        raise ArchiveError(f"archive {archive} is not there: set SNEAKER_ARCHIVE to a table or a folder of tables")
    found = [table for path, name in _walk(archive, images_folder) for table in _members(path, name)]
    unused = [pattern for pattern in patterns if not any(matches(table.name, (pattern,)) for table in found)]
    if not found or unused:
        files = [table.name for table in found] or sorted(path.name for path in archive.iterdir() if path.is_file())
        names = ", ".join(files[:10]) or "none"
        wanted = f"files matching {unused[0]!r}" if unused else f"a table ({', '.join(FORMATS)}, plain or compressed)"
        raise ArchiveError(f"archive {archive} needs {wanted}; found: {names}")
    if patterns:
        return [table for table in found if matches(table.name, patterns)]
    return [table for table in found if "/" not in table.name and table.stem == "listings"] or found


def read_bytes(table: TableFile) -> bytes:
    """Decompressed content of a table.

    Args:
        table: The table.

    Raises:
        ArchiveError: The file is truncated, damaged, encrypted, or decompresses to more than the bounds allow.
    """
    chunks: list[bytes] = []
    try:
        with _opened(table) as (stream, n_compressed):
            limit = min(MAX_BYTES, max(MAX_RATIO * n_compressed, FREE_BYTES)) if table.compression else MAX_BYTES
            total = 0
            while chunk := stream.read(_CHUNK):
                chunks.append(chunk)
                total += len(chunk)
                if total > limit:
                    raise ArchiveError(_too_long(table, n_compressed, limit))
    except _DAMAGE as error:
        raise ArchiveError(_damaged(table, b"".join(chunks), error)) from error
    return b"".join(chunks)


def _too_long(table: TableFile, n_compressed: int, limit: int) -> str:
    if not table.compression:
        return f"{table.name} is longer than {limit:,} bytes: split it"
    return (
        f"{table.name}: {n_compressed:,} bytes decompress to more than {limit:,}, as no table of listings does: "
        "decompress the file yourself if you trust it"
    )


def _damaged(table: TableFile, read: bytes, error: BaseException) -> str:
    if not table.compression:
        return f"{table.name} cannot be read: {one_line(error)}"
    line = read.count(b"\n") + 1
    return (
        f"{table.name} is truncated or damaged after {len(read):,} decompressed bytes, in line {line:,} "
        f"({one_line(error)}): get the file again"
    )


@contextmanager
def _opened(table: TableFile) -> Iterator[tuple[IO[bytes], int]]:
    """Stream of decompressed bytes and the compressed size."""
    if table.member is not None:
        with zipfile.ZipFile(table.path) as packed, packed.open(table.member) as stream:
            yield stream, packed.getinfo(table.member).compress_size
        return
    openers: dict[str | None, Callable[[Path], Any]] = {
        "gz": gzip.open,
        "bz2": bz2.open,
        "xz": lzma.open,
        "zst": _open_zstandard,
    }
    with openers.get(table.compression, _open_plain)(table.path) as stream:
        yield stream, table.path.stat().st_size


def _open_plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _open_zstandard(path: Path) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - takes long to import

    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")


def _members(path: Path, name: str) -> list[TableFile]:
    """The tables in a file: those inside a ZIP file, otherwise the file itself.

    Raises:
        ArchiveError: The ZIP file is damaged.
    """
    if path.suffix.lower() != ".zip":
        return [TableFile(path, name)]
    try:
        with zipfile.ZipFile(path) as packed:
            inside = [info.filename for info in packed.infolist() if not info.is_dir()]
    except (OSError, zipfile.BadZipFile) as error:
        raise ArchiveError(f"{name} is truncated or damaged: {one_line(error)}; get the file again") from error
    tables = sorted(member for member in inside if _is_table(member) and not _is_hidden(member))
    return [TableFile(path, f"{name}/{member}", member) for member in tables]


def _walk(archive: Path, images_folder: str) -> Iterator[tuple[Path, str]]:
    """Tables and ZIP files below a folder, with their relative paths."""
    for folder, folders, files in os.walk(archive):
        relative = PurePosixPath(Path(folder).relative_to(archive).as_posix())
        folders[:] = sorted(
            name for name in folders if not _is_hidden(name) and (relative / name).as_posix() != images_folder
        )
        for file in sorted(files):
            path = Path(folder) / file
            if not _is_hidden(file) and (_is_table(file) or path.suffix.lower() == ".zip") and path.is_file():
                yield path, (relative / file).as_posix()


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def _is_table(name: str) -> bool:
    return _table_suffix(name) in FORMATS


def _table_suffix(name: str) -> str:
    return PurePosixPath(_uncompressed(name)).suffix.lower()


def _uncompressed(name: str) -> str:
    """A file name without the suffix of its compression."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in COMPRESSIONS else path.name
