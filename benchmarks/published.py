"""The published catalogue as the graph makes it: clean, and split without twins."""

from pathlib import Path

import pandas as pd
from accuracy import make_data_set
from upath import UPath

from sneaker_assets.lake import read_table


def published_splits(archive: Path, scratch: Path) -> tuple[pd.DataFrame, dict[str, UPath]]:
    """``tables.Splits`` of the catalogue, and where each image lies, by its sha256.

    Args:
        archive: The folder with the catalogue.
        scratch: A folder for the lake, in which what is already there is not made again.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    lake = make_data_set(archive.resolve(), (scratch / "lake").resolve(), scratch.resolve())
    splits = read_table(lake.table("splits"))
    return splits, {sha256: lake.image(sha256) for sha256 in splits["sha256"].unique()}
