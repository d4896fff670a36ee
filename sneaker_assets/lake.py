"""The layout of a lake: where tables, images, models and every other file are stored, in a folder or object store.

Paths are fsspec paths (universal-pathlib). ``tables`` defines what a table contains.
"""

import os
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
        folder = self.root / "tables"
        return folder / f"{name}.parquet" if partition is None else folder / name / f"{partition}.parquet"

    def reference(self, name: str, partition: str | None = None) -> UPath:
        """The JSON file that names the folder which an asset, or one of its partitions, materialized last."""
        return self.table(name, partition).with_suffix(".json")

    def referenced(self, name: str, partition: str | None = None) -> UPath | None:
        """The folder that an asset, or one of its partitions, materialized last; None where there is none."""
        reference = self.reference(name, partition)
        return self.root / str(read_json(reference)["folder"]) if reference.exists() else None

    def image(self, sha256: str) -> UPath:
        """The image file whose bytes have this sha256."""
        return self.root.joinpath("images", sha256[:2], sha256)

    def folder(self, kind: str, *names: str) -> UPath:
        """A folder outside ``tables`` and ``images``: features, models, generators, crawls, figures."""
        return (self.root / kind).joinpath(*names)

    @contextmanager
    def kept_to(self, source: str) -> Iterator[None]:
        """Restrict the lake to the first source of listings that filled it: drawn and real shoes must not mix.

        The source is recorded when the block ends without an error.

        Args:
            source: Name of the source that is about to write.

        Raises:
            LakeError: the lake was filled from another source.
        """
        owner = self.root / "source.json"
        first = read_json(owner)["source"] if owner.exists() else None
        if first not in (None, source):
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
