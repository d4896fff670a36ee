"""Atomic reads and writes on local folders and object stores (fsspec paths)."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.scratch import REPLACED, scratch


class LakeError(SneakerError, OSError):
    """The lake cannot be read or written; the message names the path and what to do."""


def local_path(path: UPath) -> Path | None:
    """The path on the local file system, or None where it is in an object store or in memory."""
    return Path(path.path) if path.protocol in ("", "file", "local") else None


@contextmanager
def _as_lake_error(path: UPath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LakeError(
            f"cannot write to the lake at {path.parent} ({error.strerror or error}): "
            "make it writable, or set SNEAKER_LAKE to another folder"
        ) from error


@contextmanager
def _staging(path: UPath, *, folder: bool) -> Iterator[Path]:
    """A local file or folder to prepare ``path`` in: beside a local target, so that a rename publishes it."""
    local = local_path(path)
    with ExitStack() as stack:
        with _as_lake_error(path):
            if local is None:
                staged = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
                staged = staged if folder else staged / path.name
            else:
                local.parent.mkdir(parents=True, exist_ok=True)
                staged = stack.enter_context(scratch(local, folder=folder))
        yield staged


@contextmanager
def new_file(path: UPath) -> Iterator[Path]:
    """A local file to write, which atomically becomes ``path`` when the block ends without an error.

    Readers see the old content or the new content, never a part. What a killed writer leaves is removed by a later one.

    Raises:
        LakeError: the folder cannot be written.
    """
    with _staging(path, folder=False) as file:
        yield file
        local = local_path(path)
        if local is None:
            path.write_bytes(file.read_bytes())
        else:
            file.replace(local)


@contextmanager
def new_folder(path: UPath) -> Iterator[Path]:
    """A local folder to fill, which becomes ``path`` when the block ends without an error.

    An existing folder of that name is replaced. Object stores have no folders: there the files are uploaded one by one.

    Raises:
        LakeError: the parent folder cannot be written.
    """
    with _staging(path, folder=True) as staged:
        folder = staged / path.name
        folder.mkdir()
        yield folder
        local = local_path(path)
        if local is None:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                path.joinpath(*file.relative_to(folder).parts).write_bytes(file.read_bytes())
        else:
            if local.exists():
                local.rename(staged / REPLACED)
            folder.rename(local)


def write_bytes(path: UPath, data: bytes) -> None:
    """Write a file atomically.

    Raises:
        LakeError: the folder cannot be written.
    """
    with new_file(path) as file, file.open("ab") as opened:  # ext4 flushes a truncated file at once, even an empty one
        opened.write(data)


def write_json(path: UPath, value: Mapping[str, Any]) -> None:
    """Write a JSON object atomically, indented.

    Raises:
        LakeError: the folder cannot be written.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode("utf-8", "backslashreplace"))  # lone surrogates become JSON escapes


def read_json(path: UPath) -> dict[str, Any]:
    """Read a JSON object."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def write_table(path: UPath, frame: pd.DataFrame) -> None:
    """Write a table as Parquet atomically.

    Raises:
        LakeError: the folder cannot be written.
    """
    with new_file(path) as file:
        frame.to_parquet(file, index=False)


def read_table(path: UPath) -> pd.DataFrame:
    """Read a Parquet table."""
    with path.open("rb") as file:
        return pd.read_parquet(file)


def remove_folder(path: UPath) -> None:
    """Remove a folder and everything in it; one that is already gone is no error."""
    local = local_path(path)
    if local is not None:
        shutil.rmtree(local, ignore_errors=True)
    elif path.exists():
        path.fs.rm(path.path, recursive=True)
