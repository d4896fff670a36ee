"""The published catalogue as the benchmarks of the price model take it: inside the fence, split without twins."""

from pathlib import Path

import pandas as pd
from accuracy import read_catalogue

from sneaker_assets.market.outliers import iqr_fence
from sneaker_assets.market.splits import assign_splits


def published_splits(archive: Path) -> tuple[pd.DataFrame, dict[str, Path]]:
    """``tables.Splits`` of the catalogue, and where each image lies, by its sha256."""
    catalogue = read_catalogue(archive).assign(release_date=pd.NaT)
    fence = iqr_fence(catalogue["price"])
    splits = assign_splits(catalogue[catalogue["price"] <= fence.upper].reset_index(drop=True))
    paths = dict(zip(catalogue["sha256"], catalogue["path"], strict=True))
    return splits, {sha256: Path(paths[sha256]) for sha256 in splits["sha256"].unique()}
