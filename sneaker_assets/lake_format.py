"""The format version of a lake: newer formats are refused, older ones are migrated when the lake is opened.

``lake.json`` at the lake's root holds the version. A lake without that file has format 1. A format changes when
existing files move or change their meaning; a new table or folder does not need one.
"""

import json
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

from upath import UPath

from sneaker_assets.lake_io import LakeError, new_folder, read_json, read_table, write_json

FORMAT = 2
"""Format that this version of the package reads and writes."""

MARKER = "lake.json"
Migration = Callable[[UPath], None]


def open_format(root: UPath) -> None:
    """Bring the lake at ``root`` to the current format; an empty or missing lake is left untouched.

    Raises:
        LakeError: the lake has a newer format, its marker is damaged, or it needs a migration and cannot be written.
    """
    found, written_by = _read_marker(root)
    if found > FORMAT:
        raise LakeError(
            f"the lake at {root} has format {found}, written by sneaker-assets {written_by}; this version reads up to "
            f"format {FORMAT}: upgrade sneaker-assets, or set SNEAKER_LAKE to another lake"
        )
    if found < FORMAT and (root / "tables").exists():
        _migrate(root, found)


def mark_format(root: UPath) -> None:
    """Record the current format in a lake that has no marker yet.

    Raises:
        LakeError: the lake cannot be written.
    """
    if not (root / MARKER).exists():
        write_json(root / MARKER, {"format": FORMAT, "written_by": _package_version()})


def _read_marker(root: UPath) -> tuple[int, str]:
    """Format of a lake and the version of the package that wrote it.

    Raises:
        LakeError: the marker is damaged.
    """
    marker = root / MARKER
    if not marker.exists():
        return 1, "an early version"
    try:
        content = read_json(marker)
        return int(content["format"]), str(content.get("written_by", "an unknown version"))
    except (ValueError, LookupError, TypeError) as error:
        raise LakeError(
            f"{marker} is damaged, so the format of the lake is unknown: restore the file, an object such as "
            f'{{"format": {FORMAT}}}, or set SNEAKER_LAKE to another lake'
        ) from error


def _migrate(root: UPath, found: int) -> None:
    try:
        for migrate in MIGRATIONS[found - 1 :]:
            migrate(root)
        write_json(root / MARKER, {"format": FORMAT, "written_by": _package_version()})
    except LakeError as error:
        raise LakeError(
            f"the lake has format {found} and must be migrated to format {FORMAT} first: {error}"
        ) from error


def _publish_similarity_index(root: UPath) -> None:
    """Format 1 to 2: the champion's similarity index gets a folder of its own and a reference in ``tables``.

    The files beside the model stay, so that an earlier version of the package can still open the lake.
    """
    board, reference = root / "tables" / "model_leaderboard.parquet", root / "tables" / "similarity_index.json"
    if reference.exists() or not board.exists():
        return
    standings = read_table(board).reindex(columns=["model", "champion"])
    champion = standings.loc[standings["champion"].eq(True), "model"]
    source = root / str(champion.iloc[0]) / "similar" if len(champion) else None
    if source is None or not (source / "shoes.parquet").exists():
        return
    backbone, model = source.parts[-3:-1]
    target = root / "similarity_index" / backbone / model
    with new_folder(target) as folder:
        for name in ("index.faiss", "shoes.parquet"):
            (folder / name).write_bytes((source / name).read_bytes())
        (folder / "config.json").write_text(json.dumps({"model": f"models/{backbone}/{model}"}) + "\n")
    write_json(reference, {"folder": f"similarity_index/{backbone}/{model}"})


MIGRATIONS: Sequence[Migration] = (_publish_similarity_index,)
"""From format 1 to 2, from 2 to 3, and so on; each is idempotent, since a process may be killed before the marker."""


def _package_version() -> str:
    try:
        return version("sneaker-assets")
    except PackageNotFoundError:
        return "unknown"
