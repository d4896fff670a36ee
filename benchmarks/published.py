"""The published catalogue, cleaned and split by near-duplicate group by the project's own graph."""

from pathlib import Path

import pandas as pd
from accuracy import make_data_set
from upath import UPath

from sneaker_assets.lake import read_table


def published_splits(archive: Path, scratch: Path) -> tuple[pd.DataFrame, dict[str, UPath]]:
    """``tables.Splits`` of the catalogue, and the path of each image by its SHA-256.

    Args:
        archive: Folder with ``listings.csv`` and ``images/``.
        scratch: Folder for the lake; an existing lake is reused.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    lake = make_data_set(archive.resolve(), (scratch / "lake").resolve(), scratch.resolve())
    splits = read_table(lake.table("splits"))
    return splits, {sha256: lake.image(sha256) for sha256 in splits["sha256"].unique()}
