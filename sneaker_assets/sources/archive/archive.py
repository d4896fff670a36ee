"""An archive: its tables with the meaning of their columns, and its images."""

import logging
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from sneaker_assets.sources.archive.errors import ArchiveError, NoListingsError
from sneaker_assets.sources.archive.files import TableFile, archive_root, find_tables
from sneaker_assets.sources.archive.guess import find_columns
from sneaker_assets.sources.archive.images import ImageFiles
from sneaker_assets.sources.archive.mapping import (
    MAPPING_FILE,
    ArchiveMapping,
    MappingFile,
    load_mapping,
    matches,
    overlay,
)
from sneaker_assets.sources.archive.rows import MappedTable, identity_fields, row_identities, row_sites
from sneaker_assets.sources.archive.tables import Table, lines_text, read_table

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """An archive as it was when it was opened.

    Attributes:
        path: The folder, or the only table.
        files: Its tables.
        stated: Content of ``sneaker-archive.toml``.
        mapping: Settings that take precedence over it.
        needs_price: Whether a table without prices is left out.
        version: Changes when a table or the mapping changes.
    """

    path: Path
    files: Sequence[TableFile]
    stated: MappingFile
    mapping: ArchiveMapping
    needs_price: bool = True
    version: Hashable = None

    def mapping_of(self, file: TableFile) -> ArchiveMapping:
        """What the user states of a table.

        Args:
            file: The table.
        """
        return overlay(self.stated.of_table(file.name), self.mapping)

    def read(self, file: TableFile) -> MappedTable:
        """Read a table and find its columns.

        Args:
            file: The table.

        Raises:
            ArchiveError: The table cannot be read, or its columns are ambiguous.
            NoListingsError: The file is no table of listings.
        """
        mapping = self.mapping_of(file)
        table = read_table(file, mapping)
        columns = find_columns(table, mapping, self.image_files.exists, needs_price=self.needs_price)
        mapped = MappedTable(table, columns, mapping)
        if not identity_fields(mapped):
            raise NoListingsError(
                f"{table.name} has no column that names the products; it has: {', '.join(table.rows.columns)}. State "
                f'one, such as columns.title = "{table.rows.columns[0]}", in {MAPPING_FILE}'
            )
        return mapped

    @cached_property
    def tables(self) -> Sequence[MappedTable]:
        """The tables of listings; other tables are logged and left out.

        Raises:
            ArchiveError: A table cannot be read, or none has listings.
        """
        found: list[MappedTable] = []
        refused: list[NoListingsError] = []
        for file in self.files:
            try:
                found.append(self.read(file))
            except NoListingsError as error:
                refused.append(error)
        if not found:
            raise ArchiveError("; ".join(map(str, refused)))
        notes = [(logging.WARNING, f"left out: {reason}") for reason in refused]
        _log_once(self.path.absolute(), self.version, (*notes, *(note for table in found for note in _notes(table))))
        return found

    @cached_property
    def image_files(self) -> ImageFiles:
        """The image files."""
        mapping = overlay(self.stated.of_table(""), self.mapping)
        beside = tuple(dict.fromkeys(file.path.parent for file in self.files))
        named = "images_folder" in mapping.model_fields_set
        return ImageFiles(archive_root(self.path), mapping.images_folder, beside, required=named)


def open_archive(path: Path, mapping: ArchiveMapping, *, needs_price: bool = True) -> Archive:
    """Find the tables of an archive and read its mapping; tables are read when they are needed.

    Args:
        path: A folder, or one table.
        mapping: Settings that take precedence over ``sneaker-archive.toml``.
        needs_price: Whether a table without prices is left out.

    Raises:
        ArchiveError: There is no such folder or file, no table, or the mapping is invalid.
    """
    root = archive_root(path)
    stated = load_mapping(root)
    general = overlay(stated.of_table(""), mapping)
    files = find_tables(path, general.files, general.images_folder)
    names = [file.name for file in files]
    unused = [pattern for pattern in stated.tables if not any(matches(name, (pattern,)) for name in names)]
    if unused and path.is_dir():
        raise ArchiveError(f"{root / MAPPING_FILE}: tables.{unused[0]!r} matches none of: {', '.join(names[:10])}")
    version = (stated.model_dump_json(), tuple(file.version for file in files))
    return Archive(path, files, stated, mapping, needs_price, version)


@lru_cache(maxsize=64)
def _log_once(path: Path, version: Hashable, notes: Sequence[tuple[int, str]]) -> None:  # noqa: ARG001
    """Log notes of an archive once per process, although every step opens it."""
    for level, note in notes:
        logger.log(level, "%s", note)


def _notes(mapped: MappedTable) -> Iterator[tuple[int, str]]:
    """The columns of a table and its skipped rows, each with its level of logging."""
    table = mapped.table
    yield logging.INFO, f"{table.name}: {mapped.columns.summary()}"
    skipped = {
        "are broken": table.broken,
        "name no " + " or ".join(identity_fields(mapped)): _empty_lines(table, row_identities(mapped)),
        "have no site": _empty_lines(table, row_sites(mapped)),
    }
    for reason, lines in skipped.items():
        if lines:
            yield (
                logging.WARNING,
                f"{table.name}: {len(lines)} rows {reason} and are skipped (lines {lines_text(lines)})",
            )


def _empty_lines(table: Table, values: Sequence[str]) -> list[int]:
    """Lines of the rows whose value is empty."""
    return [int(line) for line, value in zip(table.rows.index, values, strict=True) if not value]
