"""Studies of the original article's results: how much its split leaked, and how much removing outliers changed.

The first compares splits with a ridge on the same features, the second trains the article's kind of network.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sneaker_assets.market.splits import assign_splits
from sneaker_assets.tables import LeakReport, OutlierAblation
from sneaker_assets.vision.evaluation.metrics import check_test_rows, regression_metrics
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.heads.networks import PriceHead
from sneaker_assets.vision.heads.training import TrainedHead, train_head
from sneaker_assets.vision.pricing.price_model import price_rows
from sneaker_assets.vision.settings import HeadSettings

RIDGE = HeadSettings(kind="ridge")
LISTING_SPLIT_SEED = 0


def leak_report(backbone: str, store: FeatureStore, splits: pd.DataFrame) -> pd.DataFrame:
    """Scores of a ridge with splits by near-duplicate group and with a random split of the same listings.

    The random split ignores near duplicates, as the article's did, so that test images leak into training.

    Args:
        backbone: Name of the backbone, stored in the column ``backbone``.
        store: Features of all images of ``splits``.
        splits: ``tables.Splits``.

    Returns:
        ``tables.LeakReport``.

    Raises:
        NoTestRowsError: There is no test row.
        TrainingError: There are too few rows.
    """
    shuffled = np.random.default_rng(LISTING_SPLIT_SEED).permutation(splits["split"].to_numpy())
    rows = [
        {"backbone": backbone, "split": name, **row}
        for name, divided in (("by twin group", splits), ("by listing", splits.assign(split=shuffled)))
        for row in score_split(store, divided)
    ]
    return pd.DataFrame(rows, columns=list(LeakReport.to_schema().columns))


def score_split(store: FeatureStore, splits: pd.DataFrame) -> list[dict[str, object]]:
    """Scores of a ridge on the test rows, with and without those that have a near duplicate in training.

    Three cases are scored: the ridge on all test rows; the ridge on the test rows without a near duplicate in training;
    and, on all test rows, the mean training price of the near duplicates where there are any, else the ridge.

    Args:
        store: Features of all images of ``splits``.
        splits: ``tables.Splits``, with near-duplicate groups in the column ``twin_group``.

    Returns:
        One record for each case with test rows: ``scored_on``, ``predictor``, ``with_twin`` (number of test rows with a
        near duplicate in training), ``n`` (number of test rows), ``mse`` (US dollars squared) and ``r2``.

    Raises:
        NoTestRowsError: There is no test row.
        TrainingError: There are too few rows.
    """
    check_test_rows(splits)
    train, test = splits[splits["split"] == "train"], splits[splits["split"] == "test"]
    predicted = _predict(store, _train(store, splits, RIDGE).head, test)
    duplicate_price = test["twin_group"].map(train.groupby("twin_group")["price"].mean())
    has_duplicate = duplicate_price.notna().to_numpy()
    looked_up = duplicate_price.fillna(pd.Series(predicted, test.index)).to_numpy()
    all_rows = np.full(len(test), fill_value=True)
    cases = [
        ("all", "ridge", all_rows, predicted),
        ("without twins", "ridge", ~has_duplicate, predicted),
        ("all", "twin's price, else ridge", all_rows, looked_up),
    ]
    records: list[dict[str, object]] = []
    for scored_on, predictor, chosen, prices in cases:
        if chosen.any():
            metrics = regression_metrics(test["price"].to_numpy()[chosen], prices[chosen])
            scores = {name: metrics[name] for name in ("n", "mse", "r2")}
            with_twin = int(has_duplicate[chosen].sum())
            records.append({"scored_on": scored_on, "predictor": predictor, "with_twin": with_twin, **scores})
    return records


@dataclass(frozen=True)
class Ablation:
    """Result of :func:`outlier_ablation`.

    Attributes:
        scores: ``tables.OutlierAblation``.
        trained: The trained heads with their learning curves: ``all`` with the outliers, ``clean`` without.
    """

    scores: pd.DataFrame
    trained: Mapping[str, TrainedHead]


def outlier_ablation(
    backbone: str,
    store: FeatureStore,
    listings: pd.DataFrame,
    clean_listings: pd.DataFrame,
    config: HeadSettings | None = None,
) -> Ablation:
    """Scores of two models, trained with and without outliers, on test rows with and without outliers.

    Args:
        backbone: Name of the backbone, stored in the column ``backbone``.
        store: Features of all images of ``listings``.
        listings: ``tables.Listings``.
        clean_listings: ``tables.CleanListings``.
        config: Settings of the head; None for the defaults.

    Returns:
        The scores and the trained heads.

    Raises:
        TrainingError: There are too few rows.
        StoreError: An image has no features.
    """
    priced = listings[listings["price"].notna()]
    populations = {"all": assign_splits(priced), "clean": assign_splits(clean_listings)}
    tests = {name: rows[rows["split"] == "test"] for name, rows in populations.items()}
    trained = {name: _train(store, splits, config or HeadSettings()) for name, splits in populations.items()}
    rows = [
        {"backbone": backbone, "trained_on": trained_on, "scored_on": scored_on}
        | regression_metrics(test["price"].to_numpy(), _predict(store, result.head, test))
        for trained_on, result in trained.items()
        for scored_on, test in tests.items()
        if len(test)
    ]
    return Ablation(pd.DataFrame(rows, columns=list(OutlierAblation.to_schema().columns)), trained)


def _train(store: FeatureStore, splits: pd.DataFrame, config: HeadSettings) -> TrainedHead:
    features, prices = store.gather_views(splits["sha256"].tolist()), splits["price"].to_numpy()
    return train_head(features, prices, splits["split"].to_numpy(dtype=str), config, blocks=store.blocks)


def _predict(store: FeatureStore, head: PriceHead, rows: pd.DataFrame) -> NDArray[np.float64]:
    return price_rows(head, store.gather_views(rows["sha256"].tolist()))
