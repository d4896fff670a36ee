"""Ensembles of price models: their weights, folders and prices, and everything else that takes a price model."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from upath import UPath

from sneaker_assets.lake import read_json
from sneaker_assets.tables import EvaluationMetrics, Leaderboard
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.backbones.weights import WeightsError
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.evaluation.evaluate import evaluate, predict_listings
from sneaker_assets.vision.evaluation.leaderboard import rank_models
from sneaker_assets.vision.explain.attribution import _in_other_frame, attribution_maps
from sneaker_assets.vision.imaging.decoding import Frame
from sneaker_assets.vision.pricing.ensemble import choose_weights, name_ensemble, train_ensemble, usable_members
from sneaker_assets.vision.pricing.ensemble_model import (
    ENSEMBLE,
    EnsembleModel,
    Model,
    digest_model,
    load_model,
    price_known,
)
from sneaker_assets.vision.pricing.price_model import MissingModelError, ModelError, PriceModel
from sneaker_assets.vision.pricing.pricer import Pricer
from sneaker_assets.vision.pricing.similarity_index import build_similarity_index
from sneaker_assets.vision.settings import EnsembleSettings, Fit
from sneaker_assets_tests.builders import NOON, drawn_shoe, listings
from sneaker_assets_tests.ensembles import ANY_GAIN, CPU, Ensembles, lake_with_ensemble


@pytest.fixture(scope="module")
def ensembles(tmp_path_factory: pytest.TempPathFactory) -> Ensembles:
    """Shared by the tests of this module; must not be modified."""
    return lake_with_ensemble(tmp_path_factory.mktemp("ensembles") / "lake")


@pytest.fixture
def copied(ensembles: Ensembles, tmp_path: Path) -> EnsembleModel:
    """The ensemble in a copy of the lake's models, which may be modified."""
    shutil.copytree(ensembles.lake.root.joinpath("models").path, tmp_path / "models")
    return EnsembleModel.load(UPath(tmp_path).joinpath(*ensembles.model.folder.parts[-3:]))


def write_config(model: EnsembleModel, **changes: Any) -> None:
    (model.folder / "config.json").write_text(json.dumps(model.config | changes))


def hashes(ensembles: Ensembles, n: int = 4) -> list[str]:
    return [str(sha256) for sha256 in ensembles.splits["sha256"].head(n)]


def test_members_are_weighted_by_their_validation_error_and_saved(ensembles: Ensembles) -> None:
    model, splits = ensembles.model, ensembles.splits
    assert {path.name for path in model.folder.iterdir()} == {
        "config.json", "history.parquet", "metrics.json", "card.md",
    }  # fmt: skip
    assert len(model.members) >= 2
    assert sum(model.shares) == pytest.approx(1)
    assert list(model.shares) == sorted(model.shares, reverse=True)
    history, metrics = model.history(), model.metrics()
    assert history["model"].tolist() == [member.name for member in model.members]
    assert history["share"].tolist() == pytest.approx(model.shares)
    held_out = splits[splits["split"] == "validation"]
    predicted = price_known(model, held_out["sha256"].tolist())
    assert metrics["validation_rmse"] == pytest.approx(((predicted - held_out["price"]) ** 2).mean() ** 0.5)
    assert metrics["validation_rmse"] < metrics["best_member_rmse"] == history["validation_rmse"].min()
    own = [member.metrics() for member in model.members]
    assert history["validation_rmse"].tolist() == pytest.approx([one["validation_rmse"] for one in own], rel=1e-4)
    assert metrics["images_per_second"] < min(one["images_per_second"] for one in own)
    assert metrics["training_seconds"] == pytest.approx(sum(one["training_seconds"] for one in own))
    assert all(member.name in (model.folder / "card.md").read_text() for member in model.members)


def test_the_price_is_the_weighted_mean_of_the_members(ensembles: Ensembles) -> None:
    loaded = load_model(str(ensembles.model.folder))
    features = [member.open_store().gather_views(hashes(ensembles), member.views) for member in loaded.members]
    prices = [member.price(own) for member, own in zip(loaded.members, features, strict=True)]
    expected = sum(share * own for share, own in zip(loaded.shares, prices, strict=True))
    assert price_known(loaded, hashes(ensembles)) == pytest.approx(expected)
    files = [ensembles.lake.image(sha256) for sha256 in hashes(ensembles)]
    priced = Pricer.load(loaded.folder, None, CPU).price_many(files)
    assert [one.price for one in priced] == pytest.approx(expected, rel=0.02)
    low, high = loaded.interval.bounds(np.array([one.price for one in priced]))
    assert [(one.low, one.high) for one in priced] == [*zip(low, high, strict=True)]
    assert all(one.is_plausible for one in priced)


def test_members_of_equal_features_share_their_computation_and_each_keeps_its_frame(ensembles: Ensembles) -> None:
    first, second, squashed = ensembles.candidates
    members, shares = (first, second, squashed), (0.2, 0.3, 0.5)
    model = EnsembleModel(ensembles.model.folder, members, shares, ensembles.model.config)
    backbones = tuple(load_backbone(member.backbone, "none") for member in members)
    pricer = Pricer(model, backbones, CPU, None)
    assert pricer.frames == (first.frame, squashed.frame)
    assert len(pricer._features._extractors) == 2
    priced = pricer.price_many([ensembles.lake.image(sha256) for sha256 in hashes(ensembles)])
    assert [one.price for one in priced] == pytest.approx(price_known(model, hashes(ensembles)), rel=0.02)


def test_the_interval_covers_the_rows_that_it_was_calibrated_on(ensembles: Ensembles) -> None:
    model, splits = ensembles.model, ensembles.splits
    assert model.config["interval"]["calibrated_on"].startswith("validation rows and training rows")
    held_out = splits[splits["split"] != "train"]
    covered = model.interval.covers(held_out["price"].to_numpy(), price_known(model, held_out["sha256"].tolist()))
    assert 0.75 <= covered.mean() <= 1


def test_equal_inputs_are_weighted_once_in_any_order(ensembles: Ensembles) -> None:
    shuffled = ensembles.splits.sample(frac=1, random_state=0)
    again, trained_now = train_ensemble(ensembles.folder, ensembles.candidates[::-1], shuffled, ANY_GAIN)
    assert (again.folder, trained_now) == (ensembles.model.folder, False)
    fewer = name_ensemble(ensembles.candidates[1:], shuffled, ANY_GAIN)
    other_settings = name_ensemble(ensembles.candidates, shuffled, EnsembleSettings())
    assert len({again.folder.name, fewer, other_settings}) == 3


def test_a_single_model_or_one_that_no_mixture_improves_stays_alone(ensembles: Ensembles) -> None:
    candidates, before = ensembles.candidates, sorted(ensembles.folder.iterdir())
    assert train_ensemble(ensembles.folder, candidates[:1], ensembles.splits) == (candidates[0], False)
    hard_to_please = EnsembleSettings(min_gain=0.9)
    best, trained_now = train_ensemble(ensembles.folder, candidates, ensembles.splits, hard_to_please)
    assert best.folder == min(candidates, key=lambda model: model.metrics()["validation_rmse"]).folder
    assert not trained_now
    assert sorted(ensembles.folder.iterdir()) == before
    with pytest.raises(TrainingError, match="needs models that were trained on these rows"):
        train_ensemble(ensembles.folder, [], ensembles.splits)


def test_small_shares_are_left_out_one_by_one() -> None:
    rng = np.random.default_rng(0)
    prices = rng.uniform(100, 1000, 500)
    predictions = prices + rng.normal(0, [[100], [100], [400], [450]], (4, 500))
    every = choose_weights(predictions, prices, ANY_GAIN)
    assert (every > 0).all()
    few = choose_weights(predictions, prices, EnsembleSettings(min_share=0.2, min_gain=0.0))
    assert (few > 0).tolist() == [True, True, False, False]
    assert few.sum() == pytest.approx(1)
    assert choose_weights(predictions, prices, EnsembleSettings(min_share=0.9)).tolist() in ([1, 0, 0, 0], [0, 1, 0, 0])


def test_models_of_other_rows_or_without_features_are_left_out_with_a_reason(
    ensembles: Ensembles, copied: EnsembleModel
) -> None:
    first, _, squashed = ensembles.candidates
    folders = {"price_model [a]": first.folder, "price_model [b]": squashed.folder, "same": first.folder}
    members, left_out = usable_members(folders, ensembles.splits)
    assert [member.folder for member in members] == [first.folder, squashed.folder]
    assert not left_out
    dearer = ensembles.splits.assign(price=ensembles.splits["price"] + 1)
    reasons = {name: f"trained on other rows: materialize {name} again" for name in folders}
    assert usable_members(folders, dearer) == ([], reasons)
    with pytest.raises(TrainingError, match=r"the model .* was trained on other rows: train it again on these"):
        train_ensemble(ensembles.folder, [first, squashed], dearer)
    # The copy of the lake has models but no features.
    earlier, gone = copied.members[0].folder, copied.folder.parent / "gone"
    config = read_json(copied.members[1].folder / "config.json")
    (copied.members[1].folder / "config.json").write_text(json.dumps({**config, "rows_digest": None}))
    _, left_out = usable_members({"a": gone, "b": earlier, "c": copied.members[1].folder}, ensembles.splits)
    assert "is not the folder of a price model: materialize price_model again" in left_out["a"]
    assert "is not a feature store: materialize image_features again" in left_out["b"]
    assert left_out["c"] == "trained by an earlier version: materialize c again"


def test_an_ensemble_without_a_member_is_refused(copied: EnsembleModel) -> None:
    gone = copied.members[1]
    shutil.rmtree(gone.folder.path)
    with pytest.raises(
        MissingModelError,
        match=rf"the ensemble .*{copied.name} needs the model {gone.name}, which is no longer there: restore that",
    ):
        load_model(copied.folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows_digest": "0" * 12}, "has since been trained on other rows: materialize ensemble_price_model again"),
        ({"price_range": [1, 2]}, "has changed since: materialize ensemble_price_model again"),
    ],
)
def test_an_ensemble_whose_member_was_replaced_is_refused(
    copied: EnsembleModel, change: dict[str, Any], message: str
) -> None:
    path = copied.members[0].folder / "config.json"
    path.write_text(json.dumps(read_json(path) | change))
    with pytest.raises(ModelError, match=rf"needs the model {copied.members[0].name}, which {message}"):
        load_model(copied.folder)


def test_a_damaged_ensemble_is_refused_in_one_line(copied: EnsembleModel) -> None:
    first, *others = copied.config["members"]
    name = copied.folder.name
    for members, message in (
        ([{**first, "model": "../elsewhere/a/b"}, *others], "has a member outside its lake"),
        ([{**first, "model": f"models/{ENSEMBLE}/{name}"}, *others], "has another ensemble, .*, as a member"),
        ([{**first, "share": -1.0}, *others], "the shares of the ensemble"),
        ([{**first, "share": float("nan")}, *others], "the shares of the ensemble"),
        ([first], "the shares of the ensemble"),
        ([], "the shares of the ensemble"),
        ([{"share": 1.0}], "is damaged .*remove the folder and materialize ensemble_price_model again"),
        (5, "is damaged"),
    ):
        write_config(copied, members=members)
        with pytest.raises(ModelError, match=message) as refused:
            load_model(copied.folder)
        assert "\n" not in str(refused.value)
    for content in ("", "[]", "{", "null", "{}"):
        (copied.folder / "config.json").write_text(content)
        with pytest.raises(ModelError, match="remove the folder and materialize ensemble_price_model again"):
            load_model(copied.folder)
    (copied.folder / "config.json").unlink()
    with pytest.raises(MissingModelError, match="materialize ensemble_price_model again"):
        load_model(copied.folder)


def test_missing_weights_of_a_member_are_named(copied: EnsembleModel) -> None:
    member, entries = copied.members[0], copied.config["members"]
    features = {**member.config["features"], "fingerprint": "0" * 64}
    (member.folder / "config.json").write_text(json.dumps({**member.config, "features": features}))
    digest = digest_model(PriceModel.load(member.folder))
    write_config(copied, members=[{**entries[0], "digest": digest}, *entries[1:]])
    with pytest.raises(
        WeightsError, match=rf"the ensemble .* needs the model {member.name}: .*set SNEAKER_WEIGHTS to the folder"
    ):
        Pricer.load(copied.folder, None, CPU)


def test_an_ensemble_is_evaluated_ranked_and_prices_as_champion(ensembles: Ensembles) -> None:
    lake, splits, model = ensembles.lake, ensembles.splits, ensembles.model
    models: list[Model] = [model, *ensembles.candidates]
    tables = [evaluate(one, predict_listings(one, splits), one.name) for one in models]
    metrics = EvaluationMetrics.validate(tables[0])
    assert set(metrics["backbone"]) == {ENSEMBLE}
    board = rank_models(lake, pd.concat(tables), splits, previous=None, margin=0.02, now=NOON)
    board = Leaderboard.validate(board)
    first = board.iloc[0]
    assert (first["model"], first["standing"]) == (model.name, "champion")
    assert first["validation_rmse"] == pytest.approx(model.metrics()["validation_rmse"])
    single = board.set_index("model").loc[[member.name for member in model.members]]
    assert first["parameters"] == pytest.approx(single["parameters"].sum())
    assert first["images_per_second"] == pytest.approx(1 / (1 / single["images_per_second"]).sum())


def test_the_champion_finds_similar_shoes_by_its_first_member(ensembles: Ensembles, tmp_path: Path) -> None:
    first, splits = ensembles.model.members[0], ensembles.splits
    shoes = listings([100.0] * 5).assign(sha256=hashes(ensembles, 5), twin_group=hashes(ensembles, 5))
    index = build_similarity_index(UPath(tmp_path / "index"), first, first.open_store(), shoes)
    pricer = Pricer.load(ensembles.model.folder, None, CPU, index.folder)
    (priced,) = pricer.price_many([ensembles.lake.image(splits["sha256"].iloc[2])])
    assert priced.similar["sha256"].iloc[0] == splits["sha256"].iloc[2]


def test_a_heat_map_is_the_weighted_sum_of_those_of_the_members(ensembles: Ensembles) -> None:
    first, second, _ = ensembles.candidates
    backbone = load_backbone(first.backbone, "none")
    model = EnsembleModel(ensembles.model.folder, (first, second), (0.3, 0.7), ensembles.model.config)
    pricers = [Pricer(one, (backbone,) * len(one.members), CPU, None) for one in (model, first, second)]
    pixels = pricers[0].read_known([ensembles.lake.image(hashes(ensembles, 1)[0])])
    mixed, *own = (attribution_maps(pricer, pixels) for pricer in pricers)
    assert mixed == pytest.approx(0.3 * own[0] + 0.7 * own[1], rel=1e-3, abs=1e-6)


def test_the_heat_map_of_an_ensemble_is_in_the_frame_of_its_first_member(ensembles: Ensembles) -> None:
    pricer = Pricer.load(ensembles.model.folder, None, CPU)
    assert len(pricer.frames) == 2
    pixels = pricer.read_known([ensembles.lake.image(hashes(ensembles, 1)[0])])
    (heat,) = attribution_maps(pricer, pixels)
    assert heat.shape == pixels[0].shape[1:3]
    assert np.abs(heat).sum() > 0


@pytest.mark.parametrize("fit", ["trim", "pad", "squash"])
def test_attributions_move_to_where_another_frame_shows_the_same_content(fit: Fit) -> None:
    shoe, frames = drawn_shoe().convert("RGB"), (Frame(60, 120, fit), Frame(64, 64, "pad"))
    own, other = (frame.apply(shoe)[None] for frame in frames)
    darkness = [255.0 - pixels.mean(axis=3, dtype=np.float32) for pixels in (own, other)]
    moved = _in_other_frame(darkness[0], own, other)
    assert moved.sum() == pytest.approx(darkness[0].sum(), rel=0.02)
    assert np.corrcoef(moved.ravel(), darkness[1].ravel())[0, 1] > 0.97
