from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from sneaker_assets.tables import Leaderboard
from sneaker_assets.vision.evaluation.leaderboard import Candidate, ChampionError, rank_models, score_candidates
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.settings import HeadSettings
from sneaker_assets_tests.builders import NOON
from sneaker_assets_tests.champion import Champion

LATER = NOON + timedelta(days=1)


@pytest.fixture(scope="module")
def metrics(champion: Champion) -> pd.DataFrame:
    """Evaluation of an accurate model and of one trained for a single epoch."""
    return pd.concat([champion.train(config)[1] for config in (HeadSettings(kind="ridge"), HeadSettings(epochs=1))])


@pytest.fixture(scope="module")
def names(metrics: pd.DataFrame) -> tuple[str, str]:
    """Folders of the accurate and of the inaccurate model."""
    good, bad = metrics["model"].unique()
    return good, bad


def rank(
    champion: Champion, metrics: pd.DataFrame, previous: pd.DataFrame | None = None, **options: Any
) -> pd.DataFrame:
    settings = {"margin": 0.02, "now": LATER, **options}
    return Leaderboard.validate(rank_models(champion.lake, metrics, champion.splits, previous=previous, **settings))


def standings(board: pd.DataFrame) -> dict[str, str]:
    return dict(zip(board["model"], board["standing"], strict=True))


def only(metrics: pd.DataFrame, model: str) -> pd.DataFrame:
    return metrics[metrics["model"] == model]


def test_first_champion_has_the_lowest_validation_error(
    champion: Champion, metrics: pd.DataFrame, names: tuple[str, str]
) -> None:
    good, bad = names
    board = rank(champion, metrics)
    assert standings(board) == {good: "champion", bad: "challenger"}
    assert board["rank"].tolist() == [1, 2]
    evaluated = only(metrics, good).query("group == 'all' and predictor == 'model'").set_index("split")
    assert board["validation_rmse"].iloc[0] == pytest.approx(evaluated["rmse"]["validation"])
    assert board["test_rmse"].iloc[0] == pytest.approx(evaluated["rmse"]["test"])
    assert (board["rows"] == (champion.splits["split"] == "validation").sum()).all()
    assert board["parameters"].iloc[0] > 2.2e6
    assert board["training_seconds"].tolist() == [
        PriceModel.load(champion.lake.root / model).metrics()["training_seconds"] for model in names
    ]
    assert board["images_per_second"].tolist() == pytest.approx([champion.store.images_per_second] * 2)


def test_challenger_replaces_the_champion_only_by_the_margin(
    champion: Champion, metrics: pd.DataFrame, names: tuple[str, str]
) -> None:
    good, bad = names
    previous = rank(champion, only(metrics, bad), now=NOON)
    gain = 1 - rank(champion, metrics).set_index("model")["validation_rmse"].pipe(lambda rmse: rmse[good] / rmse[bad])
    assert standings(rank(champion, metrics, previous, margin=gain + 0.01)) == {good: "challenger", bad: "champion"}
    replaced = rank(champion, metrics, previous, margin=gain - 0.01)
    assert standings(replaced) == {good: "champion", bad: "former"}
    assert set(replaced["since"]) == {LATER}


def test_champion_that_is_no_longer_evaluated_is_still_compared_and_stays(
    champion: Champion, metrics: pd.DataFrame, names: tuple[str, str]
) -> None:
    good, bad = names
    previous = rank(champion, only(metrics, good), now=NOON)
    board = rank(champion, only(metrics, bad), previous)
    assert standings(board) == {good: "champion", bad: "challenger"}
    assert board.set_index("model")["since"][good] == NOON


def test_restored_champion_stays_and_the_model_set_aside_returns_only_by_request(
    champion: Champion, metrics: pd.DataFrame, names: tuple[str, str]
) -> None:
    good, bad = names
    replaced = rank(champion, metrics, rank(champion, only(metrics, bad), now=NOON))
    assert standings(replaced) == {good: "champion", bad: "former"}
    restored = rank(champion, metrics, replaced, requested="previous")
    assert standings(restored) == {good: "set aside", bad: "champion"}
    assert standings(rank(champion, metrics, restored)) == {good: "set aside", bad: "champion"}
    assert standings(rank(champion, metrics, restored, requested=good))[good] == "champion"
    assert standings(rank(champion, metrics, restored, requested="previous"))[good] == "champion"


def test_former_champion_stays_listed_when_it_is_no_longer_evaluated(
    champion: Champion, metrics: pd.DataFrame, names: tuple[str, str]
) -> None:
    good, bad = names
    replaced = rank(champion, metrics, rank(champion, only(metrics, bad), now=NOON))
    board = rank(champion, only(metrics, good), replaced, now=LATER + timedelta(days=1))
    assert standings(board) == {good: "champion", bad: "former"}
    assert board["since"].tolist() == [LATER, LATER]
    assert standings(rank(champion, only(metrics, good), board, requested="previous"))[bad] == "champion"


def test_only_rows_with_features_of_all_candidates_are_scored(champion: Champion, names: tuple[str, str]) -> None:
    identity = {"backbone": "mobilenet_v2", "weights": "random", "model": names[0]}
    candidate = Candidate.open(identity, champion.lake)
    first = champion.splits.index == champion.splits.query("split == 'validation'").index[0]
    unknown = champion.splits.assign(sha256=champion.splits["sha256"].mask(first, "f" * 64))
    assert (
        score_candidates([candidate], unknown)["rows"].iloc[0]
        == score_candidates([candidate], champion.splits)["rows"].iloc[0] - 1
    )
    with pytest.raises(ChampionError, match="no validation row has features of all 1 models"):
        score_candidates([candidate], unknown.assign(sha256="f" * 64))


def test_a_champion_without_features_of_most_rows_does_not_narrow_the_comparison(
    champion: Champion, metrics: pd.DataFrame, names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = names
    previous = rank(champion, only(metrics, good), now=NOON)
    known = Candidate.has_features

    def outdated(self: Candidate, hashes: pd.Series) -> "pd.Series[bool]":
        some = pd.Series([index % 3 == 0 for index in range(len(hashes))], hashes.index)
        return known(self, hashes) & (some if self.identity["model"] == good else True)

    with monkeypatch.context() as patch:
        patch.setattr(Candidate, "has_features", outdated)
        board = rank(champion, only(metrics, bad), previous)
    assert standings(board) == {bad: "champion", good: "former"}
    assert board["rows"].iloc[0] == (champion.splits["split"] == "validation").sum()


def test_unknown_or_missing_requested_champion_is_rejected(
    champion: Champion, metrics: pd.DataFrame, names: tuple[str, str]
) -> None:
    with pytest.raises(ChampionError, match="no champion has been replaced yet"):
        rank(champion, metrics, requested="previous")
    with pytest.raises(ChampionError, match=rf"no model 'vgg61' was evaluated: choose previous or one of .*{names[0]}"):
        rank(champion, metrics, requested="vgg61")


def test_champion_missing_from_the_lake_is_replaced(
    champion: Champion, metrics: pd.DataFrame, names: tuple[str, str]
) -> None:
    previous: pd.DataFrame = rank(champion, only(metrics, names[0]), now=NOON).assign(model="models/mobilenet_v2/gone")
    board = rank(champion, metrics, previous, now=datetime.fromisoformat("2020-10-01T00:00:00+00:00"))
    assert standings(board) == {names[0]: "champion", names[1]: "challenger", "models/mobilenet_v2/gone": "former"}
