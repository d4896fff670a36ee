"""Images of an archive: files that its rows name, found safely, or addresses."""

import os
import stat
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import pandas as pd

from sneaker_assets.crawl.images import ImageRecord, collect_images, store_image, stored_images
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.errors import one_line
from sneaker_assets.lake import Lake
from sneaker_assets.sources.archive.errors import ArchiveError
from sneaker_assets.sources.archive.values import is_address

MAX_IMAGE_BYTES = 100_000_000
"""Maximum size of an image file that is read."""


@dataclass(frozen=True)
class ImageFiles:
    """Image files of an archive, by the names that its rows give them.

    Attributes:
        root: Folder of the archive.
        folder: Name of the folder of images inside it.
        beside: Folders of the tables.
        required: Whether the folder of images was named by the user and therefore must exist.
    """

    root: Path
    folder: str
    beside: tuple[Path, ...] = ()
    required: bool = False

    def check(self) -> None:
        """Check the folder of images.

        Raises:
            ArchiveError: There is no folder of that name.
        """
        if self.required and not (self.root / self.folder).is_dir():
            raise ArchiveError(f"{self.root / self.folder} is not there: name the archive's folder of images")

    def open(self, name: str) -> BinaryIO:
        """Open an image: in the folder of images, beside a table, or the only file of its name in the archive.

        Args:
            name: Name as written in a row.

        Raises:
            FileNotFoundError: There is no such file.
            OSError: It is outside the archive, not a regular file, or too long.
        """
        for folder in self._folders:
            try:
                return open_file(folder, name)
            except FileNotFoundError:
                continue
        found = self._by_name.get(PurePosixPath(name.replace("\\", "/")).name, [])
        if len(found) > 1:
            raise OSError(f"names {len(found)} files of the archive, such as {found[0]} and {found[1]}")
        if not found:
            raise FileNotFoundError("not in the archive")
        return open_file(self.root.resolve(), found[0])

    def exists(self, name: str) -> bool:
        """Whether :meth:`open` finds a file.

        Args:
            name: Name as written in a row.
        """
        try:
            self.open(name).close()
        except OSError:
            return False
        return True

    @cached_property
    def _folders(self) -> list[Path]:
        folders = (self.root / self.folder, *self.beside)
        return list(dict.fromkeys(folder.resolve() for folder in folders if folder.is_dir()))

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """Relative paths of all files of the archive by file name."""
        found = defaultdict(list)
        for folder, _, files in os.walk(self.root):
            for file in files:
                found[file].append((Path(folder) / file).relative_to(self.root).as_posix())
        return found


def collect_archive_images(
    files: ImageFiles,
    names: Iterable[str],
    site: str,
    *,
    lake: Lake,
    fetching: FetchSettings,
    known: pd.DataFrame | None,
    threads: int,
) -> pd.DataFrame:
    """Validate and store images that rows name, and download those that they give by address.

    Args:
        files: Image files of the archive.
        names: File names and addresses.
        site: Name of the site.
        lake: Lake in which images are stored.
        fetching: Settings of downloads.
        known: ``tables.Images`` of an earlier call; a file of it whose size has not changed is not read again.
        threads: Number of files read at once.

    Returns:
        ``tables.Images`` in the order given.

    Raises:
        ArchiveError: There is no folder of images.
    """
    wanted = list(dict.fromkeys(name for name in names if name))
    addresses = [name for name in wanted if is_address(name)]
    local = [name for name in wanted if not is_address(name)]
    if local:
        files.check()
    stored = stored_images(known, lake, site)

    def collect(name: str) -> ImageRecord:
        try:
            with files.open(name) as file:
                record, n_bytes = stored.get(name), os.fstat(file.fileno()).st_size
                if record is not None and n_bytes == record.n_bytes:
                    return record
                return store_image(file.read(), lake, site, name)
        except FileNotFoundError:
            return ImageRecord(site, name, problem="not in the archive")
        except OSError as error:
            return ImageRecord(site, name, problem=one_line(error))

    table = collect_images(local, collect, site, threads=threads)
    if not addresses:
        return table
    # An HTTP client takes long to import, and most archives have files.
    from sneaker_assets.crawl.listed_images import download_listed_images  # noqa: PLC0415

    downloaded = download_listed_images(addresses, site, lake, fetching, known)
    return pd.concat([table, downloaded]).set_index("image_url", drop=False).loc[wanted].reset_index(drop=True)


def open_file(folder: Path, name: str) -> BinaryIO:
    """Open a regular file inside a folder; anything else, such as a FIFO or a device, is refused without blocking.

    Args:
        folder: The folder, resolved.
        name: Path relative to the folder; a symbolic link must lead to a file inside the folder.

    Raises:
        OSError: There is no such file inside the folder, it is not a regular file, or it is too long.
    """
    try:
        path = (folder / name).resolve()
    except (ValueError, RuntimeError) as error:  # such as a NUL character, or a loop of symbolic links
        raise OSError(f"is no file name: {one_line(error)}") from error
    if not name or not path.is_relative_to(folder):
        raise OSError("names no file in the images folder")
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    found = os.fstat(descriptor)
    is_file = stat.S_ISREG(found.st_mode)
    if is_file and found.st_size <= MAX_IMAGE_BYTES:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(f"is longer than {MAX_IMAGE_BYTES:,} bytes" if is_file else "is not a regular file")
