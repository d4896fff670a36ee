"""Where everything lies, and how it is written so that a reader never sees half of it.

The lake is a folder or a bucket: paths are fsspec paths (universal-pathlib). What a table must look like is
``tables``'s concern; this module only reads and writes.
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
from upath import UPath


class LakeError(OSError):
    """The lake cannot be read or written; the message says which path and what to do."""


@dataclass(frozen=True)
class Lake:
    """The paths of one lake.

    ``root`` is a folder or any fsspec address (``s3://bucket/lake``, ``memory://lake``).
    """

    root: UPath

    @classmethod
    def at(cls, root: str | os.PathLike[str]) -> "Lake":
        """The lake at ``root``; a relative folder is taken from the working directory."""
        return cls(UPath(root).absolute())

    def table(self, name: str, partition: str | None = None) -> UPath:
        """The Parquet file of a table, or of one of its partitions."""
        folder = self.root / "tables"
        return folder / f"{name}.parquet" if partition is None else folder / name / f"{partition}.parquet"

    def image(self, sha256: str) -> UPath:
        """The image whose bytes have this sha256; it is named by nothing else."""
        return self.root / "images" / sha256[:2] / sha256

    def folder(self, kind: str, *names: str) -> UPath:
        """The folder of a store that is no table: features, models, generators, crawls, figures."""
        return (self.root / kind).joinpath(*names)

    @contextmanager
    def kept_to(self, source: str) -> Iterator[None]:
        """Keep the lake to the first source of listings that filled it: drawn shoes and real ones must not mix.

        Raises:
            LakeError: it was filled from another source.
        """
        owner = self.root / "source.json"
        first = read_json(owner)["source"] if owner.exists() else None
        if first not in (None, source):
            raise LakeError(
                f"the lake at {self.root} was filled from {first}, not {source}: set SNEAKER_LAKE to another"
            )
        yield
        if first is None:
            write_json(owner, {"source": source})

    def check_writable(self) -> None:
        """Find out now, before hours of work, whether the lake can be written.

        Raises:
            LakeError: it cannot.
        """
        probe = self.root / ".writable"
        write_bytes(probe, b"")
        probe.unlink()


def local_path(path: UPath) -> Path | None:
    """The path on this machine's file system, or None where it lies in a bucket or in memory."""
    return Path(path.path) if path.protocol in ("", "file", "local") else None


@contextmanager
def _or_lake_error(path: UPath) -> Iterator[None]:
    """Say what to do where nothing can be written beside ``path``."""
    try:
        yield
    except OSError as error:
        raise LakeError(
            f"cannot write to the lake at {path.parent} ({error.strerror or error}): "
            "make it writable, or set SNEAKER_LAKE to another folder"
        ) from error


@contextmanager
def _beside(path: UPath) -> Iterator[Path]:
    """A local folder in which to prepare ``path``: its own parent where that is local, so that a rename publishes."""
    local = local_path(path)
    with _or_lake_error(path):
        if local is None:
            folder = Path(tempfile.mkdtemp())
        else:
            local.parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=local.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_file(path: UPath) -> Iterator[Path]:
    """A local file to write, which becomes ``path`` as a whole when the block ends without an error.

    A reader sees the old content or the new one, never a part.

    Raises:
        LakeError: the folder cannot be written.
    """
    local = local_path(path)
    if local is None:
        with _beside(path) as folder:
            yield folder / path.name
            path.write_bytes((folder / path.name).read_bytes())
        return
    file = local.with_name(f".{uuid4().hex}.{path.name}")
    with _or_lake_error(path):
        file.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(file.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    try:
        yield file
        file.replace(local)
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def new_folder(path: UPath) -> Iterator[Path]:
    """A local folder to fill, which becomes ``path`` as a whole when the block ends without an error.

    An older folder of that name is replaced. A bucket knows no folders: there the files are uploaded one by one.

    Raises:
        LakeError: the parent cannot be written.
    """
    with _beside(path) as scratch:
        folder = scratch / path.name
        folder.mkdir()
        yield folder
        local = local_path(path)
        if local is None:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                path.joinpath(*file.relative_to(folder).parts).write_bytes(file.read_bytes())
        else:
            if local.exists():
                local.rename(scratch / "replaced")
            folder.rename(local)


def write_bytes(path: UPath, data: bytes) -> None:
    """Write a file whole."""
    with new_file(path) as file:
        file.write_bytes(data)


def write_json(path: UPath, value: Mapping[str, Any]) -> None:
    """Write a JSON object whole, indented for a human reader."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: UPath) -> dict[str, Any]:
    """Read a JSON object."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def write_table(path: UPath, frame: pd.DataFrame) -> None:
    """Write a table as Parquet, whole."""
    with new_file(path) as file:
        frame.to_parquet(file, index=False)


def read_table(path: UPath) -> pd.DataFrame:
    """Read a Parquet table."""
    with path.open("rb") as file:
        return pd.read_parquet(file)
