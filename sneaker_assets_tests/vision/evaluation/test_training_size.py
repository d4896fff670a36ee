from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from sneaker_assets import figures
from sneaker_assets.lake import Lake
from sneaker_assets.market.splits import assign_splits, split_groups
from sneaker_assets.tables import TrainingSizeCurve
from sneaker_assets.vision.evaluation.metrics import NoTestRowsError
from sneaker_assets.vision.evaluation.training_size import (
    REPETITIONS,
    Subset,
    last_doubling,
    nested_subsets,
    summarize,
    training_size_curve,
)
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.pricing.training import train_price_model
from sneaker_assets.vision.settings import HeadKind, HeadSettings
from sneaker_assets_tests.builders import listings


class Known(NamedTuple):
    lake: Lake
    store: FeatureStore
    splits: pd.DataFrame

    def train(self, kind: HeadKind) -> PriceModel:
        folder = self.lake.folder("models", "resnet18")
        return train_price_model(folder, self.store, self.splits, HeadSettings(kind=kind, epochs=2, hidden=8))[0]


@pytest.fixture
def known(lake: Lake) -> Known:
    """Two listings of each of 200 images, whose features determine the price up to noise."""
    rng = np.random.default_rng(0)
    images = [f"{number:064d}" for number in range(200)]
    features = rng.normal(size=(200, 30)).astype(np.float32)
    store = FeatureStore.create(
        lake.folder("features"),
        {"backbone": "resnet18", "weights": "random", "frame": [8, 8], "fit": "pad", "keep": "pooled"},
    )
    store.append(images, features)
    prices = np.repeat(500 + 100 * features[:, :4].sum(1) / 2 + rng.normal(0, 20, 200), 2).clip(20)
    table = listings(list(prices.astype(float))).assign(sha256=np.repeat(images, 2), twin_group=np.repeat(images, 2))
    return Known(lake, store, assign_splits(table))


def test_error_falls_with_more_rows_and_ends_at_the_model(known: Known) -> None:
    model = known.train("ridge")
    curve = TrainingSizeCurve.validate(training_size_curve(model, known.store, known.splits))
    summary = summarize(curve)
    assert summary["share"].tolist() == list(REPETITIONS)
    assert summary["subsets"].tolist() == list(REPETITIONS.values())
    assert summary["rmse"].iloc[-1] < 0.7 * summary["rmse"].iloc[0]
    assert last_doubling(summary) == pytest.approx(100 * (summary["rmse"][3] / summary["rmse"][2] - 1))
    assert last_doubling(summary.tail(2)) is None
    assert summary["rmse"].iloc[-1] < 0.5 * summary["mean_price"].iloc[-1]
    whole = curve[(curve["share"] == 1) & (curve["predictor"] == "model") & (curve["split"] == "validation")]
    assert whole["rmse"].item() == pytest.approx(model.metrics()["validation_rmse"], rel=1e-4)


def test_model_of_other_rows_is_not_the_last_point(known: Known) -> None:
    model = known.train("ridge")
    fewer = known.splits[known.splits.index % 8 != 0]
    curve = training_size_curve(model, known.store, fewer)
    whole = curve[(curve["share"] == 1) & (curve["predictor"] == "model") & (curve["split"] == "validation")]
    assert whole["rows"].item() == (fewer["split"] == "train").sum()
    assert whole["rmse"].item() != pytest.approx(model.metrics()["validation_rmse"], rel=1e-4)


@pytest.mark.parametrize("kind", ["kernel_ridge", "pooled"])
def test_heads_are_of_the_model_s_kind(known: Known, kind: HeadKind) -> None:
    curve = training_size_curve(known.train(kind), known.store, known.splits)
    assert set(curve["head"]) == {kind}


def test_the_article_s_head_is_replaced_by_a_ridge(known: Known) -> None:
    model = known.train("ridge")
    article = PriceModel(model.folder, model.head, {**model.config, "head": HeadSettings(kind="article").model_dump()})
    assert set(training_size_curve(article, known.store, known.splits)["head"]) == {"ridge"}


def test_subsets_are_whole_groups_nested_and_close_to_their_share(known: Known) -> None:
    shoes = known.splits.assign(shoe=known.splits.index // 4)  # two images of each shoe
    shoes = shoes.assign(split=assign_splits(shoes.assign(release_date=None))["split"])
    train, groups = shoes["split"] == "train", split_groups(shoes)
    by_repetition: dict[int, list[Subset]] = {}
    for subset in nested_subsets(shoes):
        chosen = subset.splits == "train"
        assert (train[chosen]).all()
        assert groups[chosen].nunique() == subset.n_groups
        assert not set(groups[chosen]) & set(groups[train & ~chosen])
        assert chosen.sum() == pytest.approx(subset.share * train.sum(), abs=2)
        assert (subset.splits[~train] == shoes["split"][~train]).all()
        by_repetition.setdefault(subset.repetition, []).append(subset)
    for subsets in by_repetition.values():
        for smaller, larger in pairwise(subsets):
            assert ((smaller.splits == "train") <= (larger.splits == "train")).all()
    first = [subsets[0].splits for subsets in by_repetition.values()]
    assert len({tuple(splits) for splits in first}) == len(first)


@pytest.mark.parametrize("n_groups", [1, 2, 5])
def test_shares_without_rows_of_their_own_are_omitted(n_groups: int) -> None:
    groups = [str(number % n_groups) for number in range(3 * n_groups)]
    few = listings([100.0 + number for number in range(len(groups))], groups).assign(split="train")
    subsets = list(nested_subsets(few))
    assert [subset.n_groups for subset in subsets if subset.share == 1] == [n_groups]
    of_first = [subset.n_groups for subset in subsets if subset.repetition == 0]
    assert len(set(of_first)) == len(of_first)


def test_curve_fails_without_test_rows(known: Known) -> None:
    splits = known.splits.assign(split=known.splits["split"].replace("test", "train"))
    with pytest.raises(NoTestRowsError, match="none of the 400 listings is in the test split"):
        training_size_curve(known.train("ridge"), known.store, splits)


def test_figure_shows_every_subset_and_the_mean_price(known: Known) -> None:
    curve = training_size_curve(known.train("ridge"), known.store, known.splits)
    (axes,) = figures.training_size_curve(curve, "Learning curve").axes
    assert axes.get_xscale() == "log"
    (dots,) = [drawn for drawn in axes.collections if drawn.get_label() == "test, each subset"]
    assert len(np.asarray(dots.get_offsets())) == sum(REPETITIONS.values())
    assert "test, mean of the training prices" in [line.get_label() for line in axes.get_lines()]
