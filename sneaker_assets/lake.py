"""Where everything lies, and how it is written so that a reader never sees half of it.

The lake is a folder or a bucket: paths are fsspec paths (universal-pathlib). What a table must look like is
``tables``'s concern, how a write is prepared ``scratch``'s; this module only reads and writes.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.scratch import REPLACED, scratch


class LakeError(SneakerError, OSError):
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
        return self.root.joinpath("images", sha256[:2], sha256)

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
def _prepared(path: UPath, *, folder: bool) -> Iterator[Path]:
    """A local file or folder to prepare ``path`` in: beside it where that is local, so that a rename publishes."""
    local = local_path(path)
    with ExitStack() as stack:
        with _or_lake_error(path):
            if local is None:
                made = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
                made = made if folder else made / path.name
            else:
                local.parent.mkdir(parents=True, exist_ok=True)
                made = stack.enter_context(scratch(local, folder=folder))
        yield made


@contextmanager
def new_file(path: UPath) -> Iterator[Path]:
    """A local file to write, which becomes ``path`` as a whole when the block ends without an error.

    A reader sees the old content or the new one, never a part. What a killed writer leaves is swept by a later one.

    Raises:
        LakeError: the folder cannot be written.
    """
    with _prepared(path, folder=False) as file:
        yield file
        local = local_path(path)
        if local is None:
            path.write_bytes(file.read_bytes())
        else:
            file.replace(local)


@contextmanager
def new_folder(path: UPath) -> Iterator[Path]:
    """A local folder to fill, which becomes ``path`` as a whole when the block ends without an error.

    An older folder of that name is replaced. A bucket knows no folders: there the files are uploaded one by one.

    Raises:
        LakeError: the parent cannot be written.
    """
    with _prepared(path, folder=True) as made:
        folder = made / path.name
        folder.mkdir()
        yield folder
        local = local_path(path)
        if local is None:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                path.joinpath(*file.relative_to(folder).parts).write_bytes(file.read_bytes())
        else:
            if local.exists():
                local.rename(made / REPLACED)
            folder.rename(local)


def write_bytes(path: UPath, data: bytes) -> None:
    """Write a file whole."""
    with new_file(path) as file, file.open("ab") as opened:  # a truncated file, even an empty one, ext4 flushes at once
        opened.write(data)


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
