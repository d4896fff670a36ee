"""Learning curve of a price model: its error against the number of training rows.

Nested subsets of the training rows, of whole groups of near duplicates and shoes, each get a head of their own, which
is fitted and selected on the validation rows as the model was. Small subsets are drawn repeatedly.

Source: Viering and Loog, "The Shape of Learning Curves: A Review", IEEE TPAMI 45, 2023, arXiv 2103.10948.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sneaker_assets.market.splits import split_groups
from sneaker_assets.tables import TrainingSizeCurve
from sneaker_assets.vision.evaluation.metrics import bootstrap_intervals, check_test_rows, regression_metrics
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.heads.networks import PriceHead
from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.pricing.price_model import PriceModel, price_rows
from sneaker_assets.vision.pricing.training import fingerprint
from sneaker_assets.vision.settings import CLOSED_FORMS, HeadSettings
from sneaker_assets.vision.types import Features

logger = logging.getLogger(__name__)

REPETITIONS = {0.1: 5, 0.2: 5, 0.4: 3, 0.8: 1, 1.0: 1}
"""Number of random subsets by share of the training rows: fewer of those that overlap most and take longest."""

MIN_ROWS = 2
"""Minimum number of training rows of a head."""


@dataclass(frozen=True)
class Subset:
    """A random subset of the training groups.

    Attributes:
        share: Requested share of the training rows.
        repetition: Number of the random order of the groups; subsets of the same order are nested.
        n_groups: Number of groups in the subset.
        splits: [N], the split of each row; training rows outside the subset are ``unused``.
    """

    share: float
    repetition: int
    n_groups: int
    splits: NDArray[np.str_]


def training_size_curve(model: PriceModel, store: FeatureStore, splits: pd.DataFrame) -> pd.DataFrame:
    """Errors of heads trained on shares of the training rows, and of the mean price of the same rows.

    The heads have the settings of ``model``, which is itself the head for all rows. Only the article's head is replaced
    by a ridge, since one training of it takes hours.

    Args:
        model: The price model.
        store: Features of all images of ``splits``.
        splits: ``tables.Splits``.

    Returns:
        ``tables.TrainingSizeCurve``.

    Raises:
        NoTestRowsError: There is no test row.
        StoreError: An image has no features.
        TrainingError: There are too few rows.
    """
    check_test_rows(splits)
    settings, prices = _settings(model), splits["price"].to_numpy()
    features = store.gather_views(splits["sha256"].tolist())
    if settings.kind in CLOSED_FORMS:
        features = features.mean(axis=0, keepdims=True)
    same_rows = model.folder.name == fingerprint(store, splits, settings.model_dump())
    rows: list[dict[str, object]] = []
    for subset in nested_subsets(splits):
        head = (
            model.head
            if same_rows and subset.share == 1
            else train_head(features, prices, subset.splits, settings, blocks=store.blocks).head
        )
        n_rows = int((subset.splits == "train").sum())
        size = {"share": subset.share, "repetition": subset.repetition, "rows": n_rows, "groups": subset.n_groups}
        identity = {"backbone": model.backbone, "head": settings.kind, **size}
        rows += [identity | scores for scores in _scores(head, features, prices, subset.splits)]
        logger.info("learning curve: test RMSE $%.0f with %d training rows", rows[-1]["rmse"], n_rows)
    return pd.DataFrame(rows, columns=list(TrainingSizeCurve.to_schema().columns))


def _settings(model: PriceModel) -> HeadSettings:
    settings = HeadSettings(**model.config["head"])
    return settings.with_changes(kind="ridge") if settings.kind == "article" else settings


def nested_subsets(splits: pd.DataFrame) -> Iterator[Subset]:
    """Random subsets of the training groups; those of one repetition contain each other.

    Each subset has the number of whole groups whose total is closest to its share of the rows. Subsets with less than
    ``MIN_ROWS`` rows are omitted, and so are those of a repetition that equal a larger share's.

    Args:
        splits: ``tables.Splits``.

    Yields:
        The subsets, by repetition and then by share.
    """
    sides = splits["split"].to_numpy(dtype=str)
    train = np.flatnonzero(sides == "train")
    names, group = np.unique(split_groups(splits).to_numpy(dtype=str)[train], return_inverse=True)
    for repetition in range(max(REPETITIONS.values())):
        position = np.random.default_rng(repetition).permutation(len(names))[group]
        n_rows = np.bincount(position).cumsum()
        n_groups = {share: int(np.abs(n_rows - share * len(train)).argmin()) + 1 for share in REPETITIONS}
        for share, count in n_groups.items():
            larger = any(n_groups[other] == count for other in REPETITIONS if other > share)
            if repetition < REPETITIONS[share] and n_rows[count - 1] >= MIN_ROWS and not larger:
                chosen = sides.astype("<U10")
                chosen[train[position >= count]] = "unused"
                yield Subset(share, repetition, count, chosen)


def _scores(
    head: PriceHead, features: Features, prices: NDArray[np.float64], splits: NDArray[np.str_]
) -> Iterator[dict[str, object]]:
    """Scores of the mean price and of the head on the validation and test rows."""
    mean = prices[splits == "train"].mean()
    for split in ("validation", "test"):
        held_out = splits == split
        actual = prices[held_out]
        for predictor, predicted in (
            ("mean", np.full(len(actual), mean)),
            ("model", price_rows(head, features[:, held_out])),
        ):
            metrics = regression_metrics(actual, predicted) | bootstrap_intervals(actual, predicted)
            yield {"predictor": predictor, "split": split, **metrics}


def summarize(curve: pd.DataFrame) -> pd.DataFrame:
    """Test RMSE of the model by share of the training rows.

    Args:
        curve: ``tables.TrainingSizeCurve``.

    Returns:
        One row for each share: ``share``; ``subsets``, their number; ``rows``, the mean number of training rows;
        ``rmse``, ``lowest`` and ``highest``, mean and range of the test RMSE over the subsets; and ``mean_price``, the
        test RMSE of the mean price (US dollars).
    """
    by_predictor = {name: rows.groupby("share") for name, rows in curve[curve["split"] == "test"].groupby("predictor")}
    model = by_predictor["model"]
    summary = model.agg(
        subsets=("repetition", "size"),
        rows=("rows", "mean"),
        rmse=("rmse", "mean"),
        lowest=("rmse", "min"),
        highest=("rmse", "max"),
    )
    return summary.assign(mean_price=by_predictor["mean"]["rmse"].mean()).reset_index()


def last_doubling(summary: pd.DataFrame) -> float | None:
    """Change of the test RMSE from 40 to 80 % of the training rows, in %.

    It indicates what twice as many listings would change. The curve is not extrapolated, since a power law through so
    few points can be far off.

    Args:
        summary: What :func:`summarize` returns.

    Returns:
        The change, negative where the error falls; None if there are too few rows for one of the two subsets.
    """
    rmse = dict(zip(summary["share"], summary["rmse"], strict=True))
    return 100 * (rmse[0.8] / rmse[0.4] - 1) if {0.4, 0.8} <= rmse.keys() else None
