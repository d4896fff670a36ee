"""Two questions about the article's numbers: what its leaking split was worth, and what dropping outliers changes.

Both are answered with ridge on the same features, in seconds. How a model is evaluated is ``evaluation``'s concern.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sneaker_assets.market.splits import assign_splits
from sneaker_assets.tables import LeakReport, OutlierAblation
from sneaker_assets.vision.metrics import regression_metrics
from sneaker_assets.vision.price_model import price_rows
from sneaker_assets.vision.settings import HeadConfig
from sneaker_assets.vision.store import FeatureStore
from sneaker_assets.vision.training import train_head

RIDGE = HeadConfig(kind="ridge")
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
    """Ridge on all test rows, on those without a twin in train, and with the twins' prices looked up."""
    train, test = splits[splits["split"] == "train"], splits[splits["split"] == "test"]
    predicted = _ridge(store, splits, test)
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


def outlier_ablation(
    backbone: str, store: FeatureStore, listings: pd.DataFrame, clean_listings: pd.DataFrame
) -> pd.DataFrame:
    """Train with and without the outliers and score both models on both test populations.

    Args:
        backbone: Its name.
        store: Features of all images of ``listings``.
        listings: ``tables.Listings``.
        clean_listings: ``tables.CleanListings``.

    Returns:
        ``tables.OutlierAblation``.
    """
    priced = listings[listings["price"].notna()]
    populations = {"all": assign_splits(priced), "clean": assign_splits(clean_listings)}
    tests = {name: rows[rows["split"] == "test"] for name, rows in populations.items()}
    rows = []
    for trained_on, splits in populations.items():
        for scored_on, test in tests.items():
            metrics = regression_metrics(test["price"].to_numpy(), _ridge(store, splits, test))
            rows.append({"backbone": backbone, "trained_on": trained_on, "scored_on": scored_on, **metrics})
    return pd.DataFrame(rows, columns=list(OutlierAblation.to_schema().columns))


def _ridge(store: FeatureStore, splits: pd.DataFrame, asked: pd.DataFrame) -> NDArray[np.float64]:
    """Prices of ``asked`` by ridge on the training rows of ``splits``, US dollars."""
    features = store.gather_views(splits["sha256"].tolist())
    trained = train_head(
        features, splits["price"].to_numpy(), splits["split"].to_numpy(dtype=str), RIDGE, blocks=store.blocks
    )
    return price_rows(trained.head, store.gather_views(asked["sha256"].tolist()))
