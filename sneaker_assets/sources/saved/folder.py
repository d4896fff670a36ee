"""Files of a folder of saved pages, each read by the reader of its format, which its first bytes decide."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sneaker_assets.errors import one_line
from sneaker_assets.sources.base import SourceError
from sneaker_assets.sources.saved.compression import open_decompressed
from sneaker_assets.sources.saved.har import read_har
from sneaker_assets.sources.saved.html import read_html, read_json
from sneaker_assets.sources.saved.mhtml import read_mhtml
from sneaker_assets.sources.saved.records import BrokenFileError, Readable, Record, Skipped, read_at_most
from sneaker_assets.sources.saved.warc import read_warc

COMPANION = "_files"
"""Suffix of the folder in which a browser puts the pictures of a page that is saved as ``Webpage, Complete``."""

ADDRESS = ".url"
"""Suffix of a file whose first line is the address of the saved file that has the rest of its name."""

_HEAD = 4096
_BOM = b"\xef\xbb\xbf"
_HAR = re.compile(rb'\s*\{\s*"log"\s*:')
_MHTML = re.compile(rb"(?im)^(?:MIME-Version|Snapshot-Content-Location|Content-Type:\s*multipart/related)\b")

_UNSUPPORTED = {
    b"\x28\xb5\x2f\xfd": "is compressed with zstd: decompress it (zstd -d)",
    b"PK\x03\x04": "is a ZIP file: unpack it",
    b"7z\xbc\xaf": "is a 7z file: unpack it",
    b"BZh": "is compressed with bzip2: decompress it (bunzip2)",
    b"\xfd7zXZ": "is compressed with xz: decompress it (unxz)",
    b"bplist00": "is a web archive of Safari: save the page as 'Page Source' instead",
    b"\x1f\x8b": "is compressed more than once: decompress it (gunzip)",
    b"\xff\xfe": "is text in UTF-16: save it in UTF-8",
    b"\xfe\xff": "is text in UTF-16: save it in UTF-8",
}
"""First bytes of files that hold pages in a form that is not read, with the remedy."""

Reader = Callable[[Readable, datetime], Iterator[Record | Skipped]]


@dataclass
class Problems:
    """Files that could not be read to their end.

    Attributes:
        broken: One line per file: its name, the place, and the remedy.
        n_other: Number of files of other formats, such as pictures.
    """

    broken: list[str] = field(default_factory=list)
    n_other: int = 0


def read_folder(folder: Path, problems: Problems) -> Iterator[tuple[Path, Record | Skipped]]:
    """Saved responses in a folder and the folders below it, in the order of the names of their files.

    A file that is damaged or cut off yields what precedes that place, and is added to ``problems``.

    Args:
        folder: The folder, or a single file.
        problems: Receives the files that cannot be read.

    Yields:
        Each record with its file. Its content can be read until the next one is requested.

    Raises:
        SourceError: There is no such folder.
    """
    for path in saved_files(folder):
        try:
            for record in _read_file(path, problems):
                yield path, record
        except (BrokenFileError, OSError) as error:
            problems.broken.append(f"{_name(path, folder)}: {one_line(error, 300)}")


def saved_files(folder: Path) -> list[Path]:
    """Regular files of a folder and the folders below it, sorted, without hidden ones and companion folders.

    Args:
        folder: The folder, or a single file.

    Raises:
        SourceError: There is no such folder.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise SourceError(f"folder of saved pages {folder} is not there: set SNEAKER_SAVED to the folder of the files")
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and not _is_companion(Path(place, name))]
        found += [Path(place, name) for name in files if not name.startswith(".") and not name.endswith(ADDRESS)]
    return sorted(path for path in found if path.is_file())


def companion_folder(page: Path) -> Path:
    """Folder that a browser writes beside a page, for its pictures."""
    return page.with_name(page.stem + COMPANION)


def _is_companion(folder: Path) -> bool:
    stem = folder.name.removesuffix(COMPANION)
    return stem != folder.name and any(folder.with_name(stem + suffix).is_file() for suffix in (".html", ".htm"))


def _read_file(path: Path, problems: Problems) -> Iterator[Record | Skipped]:
    modified = datetime.fromtimestamp(int(path.stat().st_mtime), tz=UTC)
    with open_decompressed(path) as stream:
        head = _head(stream)
    reader = _reader(head, path)
    if reader is None:
        problems.n_other += 1
        return
    with open_decompressed(path) as stream:
        if head.startswith(_BOM):
            read_at_most(stream, len(_BOM))
        yield from reader(stream, modified)


def _head(stream: Readable) -> bytes:
    """First bytes of a file, as many as can be read.

    Raises:
        BrokenFileError: None can be read.
    """
    head = b""
    try:
        while len(head) < _HEAD and (data := stream.read(_HEAD - len(head))):
            head += data
    except BrokenFileError:
        if not head:
            raise
    return head


def _reader(head: bytes, path: Path) -> Reader | None:
    """Reader of a format, None for a file that is none of them.

    Raises:
        BrokenFileError: The file has pages in a form that is not read.
    """
    for magic, remedy in _UNSUPPORTED.items():
        if head.startswith(magic):
            raise BrokenFileError(remedy)
    text = head.removeprefix(_BOM).lstrip()
    if not text:
        raise BrokenFileError("is empty: save the page again")
    name = path.name.removesuffix(".gz")
    if text.startswith(b"WARC/"):
        return read_warc
    if _HAR.match(text) or name.endswith(".har"):
        return read_har
    if text[:1] in (b"{", b"["):
        return read_json
    if text.startswith(b"<"):
        return read_html
    return read_mhtml if _MHTML.search(text) and b"\0" not in head else None


def _name(path: Path, folder: Path) -> str:
    return path.name if path == folder else path.relative_to(folder).as_posix()
