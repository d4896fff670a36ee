import numpy as np
import pytest
from upath import UPath

from sneaker_assets.vision.errors import FeatureError
from sneaker_assets.vision.features.store import StoreError
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.pricing.pricer import Pricer, champion_index
from sneaker_assets.vision.pricing.similarity_index import (
    build_similarity_index,
    load_similarity_index,
    remove_other_indexes,
    similarity_vectors,
)
from sneaker_assets.vision.settings import HeadSettings, Keep
from sneaker_assets_tests.champion import CPU, Champion


def test_neighbours_are_those_of_an_exhaustive_search(champion: Champion) -> None:
    vectors = similarity_vectors(champion.model, champion.store.gather_views(champion.listings["sha256"].tolist()))
    index = champion.pricer.index
    assert index is not None
    for row, found in enumerate(index.nearest(vectors[:10])):
        expected = np.argsort(-(vectors @ vectors[row]))[:5]
        assert found["sha256"].tolist() == champion.listings["sha256"].iloc[expected].tolist()
        assert found["price"].tolist() == champion.listings["price"].iloc[expected].tolist()


@pytest.mark.parametrize(("keep", "width"), [("pooled", 98), ("scales", 98), ("map", 2)])
def test_whole_maps_are_averaged_over_positions(keep: Keep, width: int) -> None:
    head = build_head(HeadSettings(kind="ridge"), 98)
    model = PriceModel(UPath("nowhere"), head, {"features": {"keep": keep}})
    vectors = similarity_vectors(model, np.random.default_rng(0).normal(size=(2, 3, 98)).astype(np.float32))
    assert vectors.shape == (3, width)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)


def test_near_duplicates_are_indexed_once_and_an_unchanged_index_is_kept(champion: Champion) -> None:
    indexes, model = champion.lake.root / "near_duplicates", champion.model
    few = champion.listings.head(4)
    duplicates = few.assign(twin_group=["a", "a", "b", "c"], title=["first", "second", "third", "fourth"])
    index = build_similarity_index(indexes, model, champion.store, duplicates)
    (found,) = index.nearest(similarity_vectors(model, champion.store.gather_views(few["sha256"].head(1).tolist())))
    assert sorted(found["title"]) == ["first", "fourth", "third"]
    built = (index.folder / "index.faiss").stat().st_mtime_ns
    again = build_similarity_index(indexes, model, champion.store, duplicates)
    assert (again.folder / "index.faiss").stat().st_mtime_ns == built


def test_index_of_more_listings_is_another_folder(champion: Champion) -> None:
    indexes = champion.lake.root / "growing"
    first = build_similarity_index(indexes, champion.model, champion.store, champion.listings.head(4))
    grown = build_similarity_index(indexes, champion.model, champion.store, champion.listings.head(9))
    assert first.folder != grown.folder
    loaded = load_similarity_index(grown.folder)
    assert loaded is not None
    assert loaded.shoes["sha256"].tolist() == champion.listings["sha256"].head(9).tolist()
    assert loaded.index.ntotal == 9


def test_index_of_another_model_is_ignored(champion: Champion) -> None:
    other, _ = champion.train(HeadSettings(kind="ridge", alpha=7.0))
    pricer = Pricer.load(other.folder, None, CPU, champion_index(champion.lake))
    assert pricer.index is None
    path = champion.lake.image(champion.listings["sha256"].iloc[0])
    assert pricer.price(path.path).similar.empty


def test_superseded_indexes_are_removed(champion: Champion) -> None:
    indexes = champion.lake.root / "superseded"
    built = [build_similarity_index(indexes, champion.model, champion.store, champion.listings.head(n)) for n in (2, 3)]
    remove_other_indexes(indexes, [built[1].folder])
    assert load_similarity_index(built[0].folder) is None
    assert load_similarity_index(built[1].folder) is not None


def test_an_index_without_any_features_is_refused(champion: Champion) -> None:
    unknown = champion.listings.head(3).assign(sha256="0" * 64)
    with pytest.raises(StoreError, match=r"^none of 3 listings has features in .*: materialize image_features again"):
        build_similarity_index(champion.lake.root / "unknown", champion.model, champion.store, unknown)


def test_vectors_that_are_not_finite_have_no_neighbours(champion: Champion) -> None:
    index = champion.pricer.index
    assert index is not None
    (found,) = index.nearest(np.full((1, index.index.d), np.nan, np.float32))
    assert found.empty


def test_features_of_another_width_are_refused(champion: Champion) -> None:
    with pytest.raises(FeatureError, match="of each image and got 7: materialize price_model again"):
        similarity_vectors(champion.model, np.ones((1, 2, 7), np.float32))
