"""Nearest-neighbour index of the known shoes, by cosine similarity of the features that a model prices.

An index is a folder named by a hash of everything that shaped it: ``index.faiss`` (exact inner products of unit
vectors), ``shoes.parquet`` (one row per vector) and ``config.json`` (the model it belongs to).

faiss: https://github.com/facebookresearch/faiss/wiki
"""

import hashlib
import json
from collections.abc import Collection
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
from sneaker_assets.code_versions import SIMILARITY_INDEX
from sneaker_assets.vision.features.extractor import MAP_SIDE
from sneaker_assets.vision.features.store import FeatureStore, StoreError
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.types import Features

COUNT = 5
"""Neighbours returned by default."""

_COLUMNS = ["title", "site", "product_id", "url", "price", "label_kind", "sha256"]

# torch and faiss each bring their own OpenMP runtime; a single thread keeps the two pools from competing.
faiss.omp_set_num_threads(1)


@dataclass(frozen=True)
class SimilarityIndex:
    """Exact cosine index over known shoes.

    Attributes:
        folder: Where it is stored.
        model: Folder of the model it belongs to, relative to the lake.
        index: faiss ``IndexFlatIP`` of unit vectors.
        shoes: One row per vector: title, site, product_id, url, price (US dollars), label_kind, sha256.
    """

    folder: UPath
    model: str
    index: Any
    shoes: pd.DataFrame

    def belongs_to(self, model: PriceModel) -> bool:
        """Whether its vectors are comparable to those of this model."""
        return self.model == model.name

    def nearest(self, vectors: NDArray[np.float32], count: int = COUNT) -> list[pd.DataFrame]:
        """The most similar shoes for each query, in descending order of similarity.

        Args:
            vectors: float32 [n, D] from :func:`similarity_vectors`.
            count: Maximum number of neighbours per query.

        Returns:
            One table per query with the columns of ``shoes`` and ``similarity`` (cosine, -1 to 1).
        """
        cosines, rows = self.index.search(np.ascontiguousarray(vectors), min(count, len(self.shoes)))
        # faiss numbers missing neighbours -1, for instance of a vector that is not finite.
        return [
            self.shoes.iloc[neighbours[neighbours >= 0]]
            .assign(similarity=similarity[neighbours >= 0])
            .reset_index(drop=True)
            for neighbours, similarity in zip(rows, cosines, strict=True)
        ]


def similarity_vectors(model: PriceModel, features: Features) -> NDArray[np.float32]:
    """Unit vectors whose inner products are the cosine similarities of images.

    Features are averaged over views and standardised with the mean and standard deviation of the model's training rows.

    Args:
        model: The model whose head standardises the features.
        features: float32 [views, N, D].

    Returns:
        float32 [N, D'], where D' is D, or the number of channels where the features are whole feature maps.

    Raises:
        FeatureError: The features have another width than the model's.
    """
    head, averaged = model.head, torch.from_numpy(features).mean(0)
    head.check_width(averaged)
    standardised = (averaged - head.feature_mean) / head.feature_deviation
    vectors: NDArray[np.float32] = functional.normalize(_pooled(standardised, model)).numpy()
    return vectors


def _pooled(standardised: Tensor, model: PriceModel) -> Tensor:
    """Whole feature maps averaged over positions, so that similarity does not depend on where the shoe is."""
    if model.config["features"]["keep"] != "map":
        return standardised
    return standardised.reshape(len(standardised), -1, MAP_SIDE**2).mean(2)


def build_similarity_index(
    indexes: UPath, model: PriceModel, store: FeatureStore, listings: pd.DataFrame
) -> SimilarityIndex:
    """Index the shoes in ``listings``, one vector per group of near duplicates, unless that index exists already.

    Args:
        indexes: Folder to store the index in.
        model: The model whose features are compared.
        store: Features of the images in ``listings``.
        listings: ``tables.CleanListings``; those whose image has no features are left out. The first listing of each
            ``twin_group`` represents the group.

    Returns:
        The index, with one row of ``shoes`` per group.

    Raises:
        StoreError: No listing has features, or some are not finite numbers.
        LakeError: The folder cannot be written.
    """
    known = listings[store.known(listings["sha256"])]
    if known.empty:
        raise StoreError(
            f"none of {len(listings)} listings has features in {store.folder}: materialize image_features again"
        )
    shoes = known.drop_duplicates("twin_group", ignore_index=True)[_COLUMNS]
    folder = indexes / _fingerprint(model, store, shoes)
    stored = load_similarity_index(folder)
    if stored is not None:
        return stored
    vectors = similarity_vectors(model, store.gather_views(shoes["sha256"].tolist()))
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    with lake.new_folder(folder) as scratch:
        (scratch / "index.faiss").write_bytes(faiss.serialize_index(index).tobytes())
        shoes.to_parquet(scratch / "shoes.parquet", index=False)
        (scratch / "config.json").write_text(json.dumps({"model": model.name, "store": store.folder.name}) + "\n")
    return SimilarityIndex(folder, model.name, index, shoes)


def load_similarity_index(folder: UPath) -> SimilarityIndex | None:
    """The index in this folder, or None where there is none."""
    if not (folder / "config.json").exists():
        return None
    index = faiss.deserialize_index(np.frombuffer((folder / "index.faiss").read_bytes(), dtype=np.uint8))
    model = str(lake.read_json(folder / "config.json")["model"])
    return SimilarityIndex(folder, model, index, lake.read_table(folder / "shoes.parquet"))


def remove_other_indexes(indexes: UPath, keep: Collection[UPath]) -> None:
    """Remove every index of one backbone but those in ``keep``.

    Args:
        indexes: Folder that the indexes of a backbone are stored in.
        keep: Folders that stay: the new index, and the one that readers may have open.
    """
    names = {folder.name for folder in keep}
    for folder in [child for child in indexes.iterdir() if child.name not in names and not child.name.startswith(".")]:
        lake.remove_folder(folder)


def _fingerprint(model: PriceModel, store: FeatureStore, shoes: pd.DataFrame) -> str:
    """Twelve hex digits that identify model, features and shoes."""
    digest = hashlib.sha256(json.dumps([SIMILARITY_INDEX, model.name, store.folder.name]).encode())
    digest.update(pd.util.hash_pandas_object(shoes.astype(str), index=False).to_numpy().tobytes())
    return digest.hexdigest()[:12]
