"""Two questions about the article's numbers: what its leaking split was worth, and what dropping outliers changes.

The first is answered with ridge on the same features, the second with the network that the article drew its learning
curve of. How a model is evaluated is ``evaluation``'s concern.
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
    """Score ridge on our split, and on one that divides the same listings at random as the article's did.

    Args:
        backbone: Its name.
        store: Features of all images of ``splits``.
        splits: ``tables.Splits``.

    Returns:
        ``tables.LeakReport``.
    """
    shuffled = np.random.default_rng(LISTING_SPLIT_SEED).permutation(splits["split"].to_numpy())
    rows = [
        {"backbone": backbone, "split": name, **row}
        for name, divided in (("by twin group", splits), ("by listing", splits.assign(split=shuffled)))
        for row in score_split(store, divided)
    ]
    return pd.DataFrame(rows, columns=list(LeakReport.to_schema().columns))


def score_split(store: FeatureStore, splits: pd.DataFrame) -> list[dict[str, object]]:
    """Ridge on all test rows, on those without a twin in train, and with the twins' prices looked up.

    Raises:
        NoTestRowsError: there is no test row.
    """
    check_test_rows(splits)
    train, test = splits[splits["split"] == "train"], splits[splits["split"] == "test"]
    predicted = _priced(store, _train(store, splits, RIDGE).head, test)
    twins = test["twin_group"].map(train.groupby("twin_group")["price"].mean())
    has_twin = twins.notna().to_numpy()
    looked_up = twins.fillna(pd.Series(predicted, test.index)).to_numpy()
    cases = [
        ("all", "ridge", np.full(len(test), fill_value=True), predicted),
        ("without twins", "ridge", ~has_twin, predicted),
        ("all", "twin's price, else ridge", np.full(len(test), fill_value=True), looked_up),
    ]
    scored = []
    for scored_on, predictor, chosen, prices in cases:
        if chosen.any():
            metrics = regression_metrics(test["price"].to_numpy()[chosen], prices[chosen])
            kept = {name: metrics[name] for name in ("n", "mse", "r2")}
            with_twin = int(has_twin[chosen].sum())
            scored.append({"scored_on": scored_on, "predictor": predictor, "with_twin": with_twin, **kept})
    return scored


@dataclass(frozen=True)
class Ablation:
    """``scores`` are ``tables.OutlierAblation``; ``trained`` are the heads with their curves, ``all`` and ``clean``."""

    scores: pd.DataFrame
    trained: Mapping[str, TrainedHead]


def outlier_ablation(
    backbone: str,
    store: FeatureStore,
    listings: pd.DataFrame,
    clean_listings: pd.DataFrame,
    config: HeadSettings | None = None,
) -> Ablation:
    """Train with and without the outliers and score both models on both test populations.

    Args:
        backbone: Its name.
        store: Features of all images of ``listings``.
        listings: ``tables.Listings``.
        clean_listings: ``tables.CleanListings``.
        config: The head; None is the default network.
    """
    priced = listings[listings["price"].notna()]
    populations = {"all": assign_splits(priced), "clean": assign_splits(clean_listings)}
    tests = {name: rows[rows["split"] == "test"] for name, rows in populations.items()}
    trained = {name: _train(store, splits, config or HeadSettings()) for name, splits in populations.items()}
    rows = [
        {"backbone": backbone, "trained_on": trained_on, "scored_on": scored_on}
        | regression_metrics(test["price"].to_numpy(), _priced(store, by.head, test))
        for trained_on, by in trained.items()
        for scored_on, test in tests.items()
        if len(test)
    ]
    return Ablation(pd.DataFrame(rows, columns=list(OutlierAblation.to_schema().columns)), trained)


def _train(store: FeatureStore, splits: pd.DataFrame, config: HeadSettings) -> TrainedHead:
    features, prices = store.gather_views(splits["sha256"].tolist()), splits["price"].to_numpy()
    return train_head(features, prices, splits["split"].to_numpy(dtype=str), config, blocks=store.blocks)


def _priced(store: FeatureStore, head: PriceHead, asked: pd.DataFrame) -> NDArray[np.float64]:
    return price_rows(head, store.gather_views(asked["sha256"].tolist()))
