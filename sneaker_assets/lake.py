"""The layout of a lake: where tables, images, models and every other file are stored, in a folder or object store.

Any text may name a partition or a folder: :func:`names.path_name` encodes it, so that no path leads out of the lake.

Paths are fsspec paths (universal-pathlib). ``tables`` defines what a table contains.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from upath import UPath

from sneaker_assets.lake_format import mark_format, open_format
from sneaker_assets.lake_io import (
    LakeError,
    local_path,
    new_file,
    new_folder,
    read_json,
    read_table,
    remove_folder,
    write_bytes,
    write_json,
    write_table,
)
from sneaker_assets.names import path_name

__all__ = [
    "Lake",
    "LakeError",
    "local_path",
    "new_file",
    "new_folder",
    "read_json",
    "read_table",
    "remove_folder",
    "write_bytes",
    "write_json",
    "write_table",
]


DEMO = "demo"
"""Name of the offline shop among the sources of listings."""

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Lake:
    """The paths of one lake.

    Attributes:
        root: A folder or any fsspec address (``s3://bucket/lake``, ``memory://lake``).
    """

    root: UPath

    @classmethod
    def at(cls, root: str | os.PathLike[str]) -> "Lake":
        """Open the lake at ``root``; it need not exist yet. A lake of an older format is migrated first.

        Args:
            root: A folder, relative to the working directory unless absolute, or an fsspec address.

        Raises:
            LakeError: the lake has a newer format, or needs a migration and cannot be written.
        """
        lake = cls(UPath(root).absolute())
        open_format(lake.root)
        return lake

    def table(self, name: str, partition: str | None = None) -> UPath:
        """The Parquet file of a table, or of one of its partitions."""
        *folders, file = (name,) if partition is None else (name, partition)
        return self.folder("tables", *folders) / f"{path_name(file)}.parquet"

    def reference(self, name: str, partition: str | None = None) -> UPath:
        """The JSON file that names the folder which an asset, or one of its partitions, materialized last."""
        return self.table(name, partition).with_suffix(".json")

    def referenced(self, name: str, partition: str | None = None) -> UPath | None:
        """The folder that an asset, or one of its partitions, materialized last; None where there is none."""
        reference = self.reference(name, partition)
        return self.resolve(str(read_json(reference)["folder"])) if reference.exists() else None

    def resolve(self, relative: str) -> UPath:
        """The path that a table or a reference of the lake names relative to its root.

        Args:
            relative: Components separated by ``/``, such as ``models/vgg16/0123456789ab``.

        Raises:
            LakeError: The path leads out of the lake.
        """
        parts = relative.split("/")
        if any(path_name(part or ".") != part for part in parts):
            raise LakeError(
                f"{relative!r} is not a path inside the lake at {self.root}: restore the table that names it"
            )
        return self.root.joinpath(*parts)

    def image(self, sha256: str) -> UPath:
        """The image file whose content has this sha256.

        Raises:
            LakeError: ``sha256`` is not a sha256 in lower-case hexadecimal digits.
        """
        if not _SHA256.fullmatch(sha256):
            raise LakeError(f"{sha256[:80]!r} is not the sha256 of an image in the lake at {self.root}")
        return self.root.joinpath("images", sha256[:2], sha256)

    def folder(self, kind: str, *names: str) -> UPath:
        """A folder of the lake: features, models, generators, crawls, figures.

        Args:
            kind: First component of the path.
            names: The others; any text.

        Raises:
            EmptyNameError: A component is empty.
        """
        return self.root.joinpath(*map(path_name, (kind, *names)))

    @contextmanager
    def kept_to(self, source: str) -> Iterator[None]:
        """Restrict the lake to drawn shoes or to real ones, whichever filled it first.

        The source is recorded when the block ends without an error.

        Args:
            source: Name of the source that is about to write; ``demo`` is the offline shop, all others are real.

        Raises:
            LakeError: the lake was filled from the offline shop and ``source`` is real, or the other way round.
        """
        owner = self.root / "source.json"
        first = read_json(owner)["source"] if owner.exists() else None
        if first is not None and (first == DEMO) != (source == DEMO):
            raise LakeError(
                f"the lake at {self.root} was filled from {first}, not {source}: set SNEAKER_LAKE to another"
            )
        yield
        if first is None:
            mark_format(self.root)
            write_json(owner, {"source": source})

    def check_writable(self) -> None:
        """Check that the lake can be written, before hours of work.

        Raises:
            LakeError: it cannot be written.
        """
        probe = self.root / ".writable"
        write_bytes(probe, b"")
        probe.unlink()
