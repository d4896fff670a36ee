"""Data versions of what assets store in the lake: equal content has the same version.

A version says what downstream assets take of a table or folder. Times at which something was read or computed are left
out, so that a crawl that finds the same prices does not put everything after it out of sync.

Dagster: https://docs.dagster.io/guides/build/assets/asset-versioning-and-caching
"""

import hashlib

import pandas as pd
from upath import UPath

from sneaker_assets.lake import Lake, read_table

_TIMES = frozenset({"observed_at", "fx_date", "predicted_at", "since"})
_HISTORIES = frozenset({"raw_scrapes", "price_observations", "prediction_backtest", "release_replay"})
"""Tables whose rows are events: their times are content."""

_CHAMPION = ["backbone", "weights", "model"]
"""What downstream assets take of the leaderboard: these columns of the champion's row."""

_SMALL = 64 * 1024
"""Bytes up to which the content of a file in a folder is hashed; of larger files, the name and the size."""


def stored_version(lake: Lake, name: str, partition: str | None = None) -> str | None:
    """Data version of what an asset, or one of its partitions, has stored in the lake; None if nothing is there.

    Args:
        lake: The lake.
        name: Name of the asset.
        partition: The partition key of a partitioned asset.
    """
    table = lake.table(name, partition)
    if table.exists():
        return table_version(name, read_table(table))
    folder = lake.referenced(name, partition)
    return folder_version(folder) if folder is not None and folder.exists() else None


def table_version(name: str, table: pd.DataFrame) -> str:
    """Data version of a table.

    Args:
        name: Name of its asset.
        table: The table as it is read from the lake.
    """
    if name == "model_leaderboard":
        table = table.loc[table["champion"], _CHAMPION]
    elif name not in _HISTORIES:
        table = table[[column for column in table if column not in _TIMES]]
    digest = hashlib.sha256(repr(table.dtypes.astype(str).to_dict()).encode())
    digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def folder_version(folder: UPath) -> str:
    """Data version of a folder: its name, and the names, sizes and, if they are small, contents of its files.

    Args:
        folder: A folder of the lake, whose large files are not changed without any change of a name, a size or a small
            file.
    """
    digest = hashlib.sha256(folder.name.encode())
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    for name, file in sorted(files.items()):
        size = file.stat().st_size
        digest.update(f"\n{name} {size} ".encode())
        digest.update(file.read_bytes() if size <= _SMALL else b"")
    return digest.hexdigest()
