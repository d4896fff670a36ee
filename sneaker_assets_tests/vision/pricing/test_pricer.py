"""A price with what it goes by: its interval, the shoes it resembles, and what the model looked at."""

import numpy as np
import pytest
import torch
from upath import UPath

from sneaker_assets.lake import Lake
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.imaging.decoding import Pixels, read_image
from sneaker_assets.vision.pricing.price_model import PriceModel, price_images
from sneaker_assets.vision.pricing.pricer import NoChampionError, Pricer, champion_folder, champion_index
from sneaker_assets.vision.pricing.similarity_index import (
    build_similarity_index,
    load_similarity_index,
    remove_other_indexes,
    similarity_vectors,
)
from sneaker_assets.vision.settings import HeadSettings, Keep
from sneaker_assets_tests.champion import CPU, Champion


def pixels_of(champion: Champion, hashes: list[str]) -> Pixels:
    return np.stack([read_image(champion.lake.image(sha256), champion.model.frame) for sha256 in hashes])


def test_a_picture_is_priced_with_its_interval_and_the_shoes_it_resembles(champion: Champion) -> None:
    pricer = champion.pricer
    shoes = champion.listings.head(3)
    priced = pricer.price(pixels_of(champion, shoes["sha256"].tolist()))
    files = [champion.lake.image(sha256) for sha256 in shoes["sha256"]]
    assert [one.price for one in priced] == pytest.approx(price_images(champion.model, files, None, CPU), rel=1e-3)
    for one, sha256 in zip(priced, shoes["sha256"], strict=True):
        assert one.high / one.price == pytest.approx(champion.model.metrics()["interval_high"])
        assert one.low / one.price == pytest.approx(champion.model.metrics()["interval_low"])
        assert one.similar["sha256"].iloc[0] == sha256
        assert one.similar["similarity"].iloc[0] == pytest.approx(1, abs=1e-2)
        assert one.similar["similarity"].is_monotonic_decreasing
        assert len(one.similar) == 5


def test_the_nearest_are_those_that_a_plain_product_finds(champion: Champion) -> None:
    vectors = similarity_vectors(champion.model, champion.store.gather_views(champion.listings["sha256"].tolist()))
    known = champion.pricer.known
    assert known is not None
    for row, found in enumerate(known.nearest(vectors[:10])):
        expected = np.argsort(-(vectors @ vectors[row]))[:5]
        assert found["sha256"].tolist() == champion.listings["sha256"].iloc[expected].tolist()
        assert found["price"].tolist() == champion.listings["price"].iloc[expected].tolist()


@pytest.mark.parametrize(("keep", "width"), [("pooled", 98), ("scales", 98), ("map", 2)])
def test_places_of_a_whole_map_do_not_count_and_of_what_was_pooled_there_are_none(keep: Keep, width: int) -> None:
    head = build_head(HeadSettings(kind="ridge"), 98)
    model = PriceModel(UPath("nowhere"), head, {"features": {"keep": keep}})
    vectors = similarity_vectors(model, np.random.default_rng(0).normal(size=(2, 3, 98)).astype(np.float32))
    assert vectors.shape == (3, width)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)


def test_twins_are_one_shoe_and_a_few_shoes_are_few(champion: Champion) -> None:
    indexes = champion.lake.root / "near_duplicates"
    few = champion.listings.head(4)
    twins = few.assign(twin_group=["a", "a", "b", "c"], title=["first", "second", "third", "fourth"])
    known = build_similarity_index(indexes, champion.model, champion.store, twins)
    (found,) = known.nearest(
        similarity_vectors(champion.model, champion.store.gather_views(few["sha256"].head(1).tolist()))
    )
    assert sorted(found["title"]) == ["first", "fourth", "third"]
    built = (known.folder / "index.faiss").stat().st_mtime_ns
    again = build_similarity_index(indexes, champion.model, champion.store, twins)
    assert (again.folder / "index.faiss").stat().st_mtime_ns == built, "nothing has changed"


def test_new_listings_join_the_known_shoes(champion: Champion) -> None:
    indexes = champion.lake.root / "growing"
    first = build_similarity_index(indexes, champion.model, champion.store, champion.listings.head(4))
    grown = build_similarity_index(indexes, champion.model, champion.store, champion.listings.head(9))
    assert first.folder != grown.folder
    known = load_similarity_index(grown.folder)
    assert known is not None
    assert known.shoes["sha256"].tolist() == champion.listings["sha256"].head(9).tolist()
    assert known.index.ntotal == 9


def test_the_index_of_another_model_is_ignored(champion: Champion) -> None:
    other, _ = champion.train(HeadSettings(kind="ridge", alpha=7.0))
    pricer = Pricer.load(other.folder, None, CPU, champion_index(champion.lake))
    assert pricer.known is None
    assert pricer.price(pixels_of(champion, champion.listings["sha256"].head(1).tolist()))[0].similar.empty


def test_superseded_indexes_are_removed(champion: Champion) -> None:
    indexes = champion.lake.root / "superseded"
    built = [build_similarity_index(indexes, champion.model, champion.store, champion.listings.head(n)) for n in (2, 3)]
    remove_other_indexes(indexes, [built[1].folder])
    assert load_similarity_index(built[0].folder) is None
    assert load_similarity_index(built[1].folder) is not None


def test_faiss_and_torch_live_in_one_process(champion: Champion) -> None:
    """Both bring an OpenMP: they take turns here, on several threads, and neither crashes nor changes an answer."""
    pricer, pixels = champion.pricer, pixels_of(champion, champion.listings["sha256"].head(1).tolist())
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        answers = {(one.price, tuple(one.similar["sha256"])) for _ in range(5) for one in pricer.price(pixels)}
    finally:
        torch.set_num_threads(threads)
    assert len(answers) == 1


def test_a_lake_without_a_champion_says_what_to_do(lake: Lake) -> None:
    with pytest.raises(NoChampionError, match=r"no champion yet: run make demo, materialize model_leaderboard"):
        champion_folder(lake)
    with pytest.raises(NoChampionError, match="is no longer there: materialize price_model again"):
        Pricer.load(lake.root / "models" / "gone", None, CPU)
