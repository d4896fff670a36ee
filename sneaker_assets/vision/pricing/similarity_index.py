"""The shoes that a picture resembles most, by the features that its price comes from.

Their index is a folder beside the model, ``similar/``: ``index.faiss`` (exact inner products of unit vectors, which are
cosines) and ``shoes.parquet`` (what each of its rows is). Features are compared as the model's head sees them, with the
training rows' mean and deviation taken out.

faiss: https://github.com/facebookresearch/faiss/wiki
"""

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from upath import UPath

from sneaker_assets import lake
from sneaker_assets.vision.features.extractor import MAP_SIDE
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.types import Features

COUNT = 5
_COLUMNS = ["title", "site", "product_id", "url", "price", "label_kind", "sha256"]

# torch and faiss bring an OpenMP each: one thread searches these few vectors, and none of the others' waits for it.
faiss.omp_set_num_threads(1)


@dataclass(frozen=True)
class SimilarShoes:
    """Known shoes by their looks; ``shoes`` has a row for each vector of ``index``."""

    index: Any
    shoes: pd.DataFrame

    def nearest(self, vectors: NDArray[np.float32], count: int = COUNT) -> list[pd.DataFrame]:
        """The most similar shoes of each picture, the most similar first.

        Args:
            vectors: float32 [n, D] of :func:`looks`.
            count: How many of each, at most.

        Returns:
            One table a picture: title, site, product_id, url, price (US dollars), label_kind, sha256 and ``similarity``
            (cosine, -1 to 1).
        """
        cosines, rows = self.index.search(np.ascontiguousarray(vectors), min(count, len(self.shoes)))
        return [
            self.shoes.iloc[of_one].assign(similarity=near).reset_index(drop=True)
            for of_one, near in zip(rows, cosines, strict=True)
        ]


def looks(model: PriceModel, features: Features) -> NDArray[np.float32]:
    """What pictures are compared by: unit vectors float32 [N, D'] of features float32 [views, N, D]."""
    head = model.head
    standardised = (torch.from_numpy(features).mean(0) - head.feature_mean) / head.feature_deviation
    vectors: NDArray[np.float32] = functional.normalize(_without_place(standardised, model)).numpy()
    return vectors


def _without_place(standardised: Tensor, model: PriceModel) -> Tensor:
    """A whole map is averaged over its places: small, and the same shoe further left is the same shoe."""
    if model.config["features"]["keep"] != "map":
        return standardised
    return standardised.reshape(len(standardised), -1, MAP_SIDE**2).mean(2)


def keep_similar(model: PriceModel, store: FeatureStore, listings: pd.DataFrame) -> SimilarShoes:
    """The index of these listings beside the model, one vector a shoe; built anew where the listings have changed.

    Args:
        model: The model.
        store: Features of all images of ``listings``.
        listings: ``tables.CleanListings``; twins are represented by the first of them.
    """
    shoes = listings.drop_duplicates("twin_group", ignore_index=True)[_COLUMNS]
    if (known := load_similar(model)) is not None and known.shoes.astype(object).equals(shoes.astype(object)):
        return known
    vectors = looks(model, store.gather_views(shoes["sha256"].tolist()))
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    with lake.new_folder(_folder(model)) as scratch:
        (scratch / "index.faiss").write_bytes(faiss.serialize_index(index).tobytes())
        shoes.to_parquet(scratch / "shoes.parquet", index=False)
    return SimilarShoes(index, shoes)


def load_similar(model: PriceModel) -> SimilarShoes | None:
    """The index beside the model, or None where none was built yet."""
    folder = _folder(model)
    if not (folder / "shoes.parquet").exists():
        return None
    index = faiss.deserialize_index(np.frombuffer((folder / "index.faiss").read_bytes(), dtype=np.uint8))
    return SimilarShoes(index, lake.read_table(folder / "shoes.parquet"))


def _folder(model: PriceModel) -> UPath:
    return model.folder / "similar"
