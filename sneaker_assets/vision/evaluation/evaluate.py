"""How far predicted prices are from true ones, beside predictors that know no more than the training prices."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from sneaker_assets.market.bands import band_of
from sneaker_assets.tables import EvaluationMetrics
from sneaker_assets.vision.evaluation.metrics import bootstrap_intervals, check_test_rows, regression_metrics
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.types import Features

GROUPS = ("site", "price", "price_band", "label_kind")
BASELINES = ("mean", "median", "site_median", "nearest_neighbour")


def predict_listings(model: PriceModel, store: FeatureStore, splits: pd.DataFrame) -> pd.DataFrame:
    """Price the held-out rows.

    Args:
        model: The model.
        store: Features of all images of ``splits``.
        splits: ``tables.Splits``, and ``label_kind`` where it is to be grouped by.

    Returns:
        The held-out rows with a column a predictor (US dollars), and ``covered``: whether the price lies in the
        model's 90 % interval.

    Raises:
        NoTestRowsError: none of the rows is for testing.
    """
    check_test_rows(splits)
    train = splits[splits["split"] == "train"]
    held_out = splits[splits["split"] != "train"].reset_index(drop=True)
    features = store.gather_views(held_out["sha256"].tolist(), model.views)
    site_medians = train.groupby("site")["price"].median()
    predicted = held_out.assign(
        model=model.price(features),
        mean=train["price"].mean(),
        median=train["price"].median(),
        site_median=held_out["site"].map(site_medians).fillna(train["price"].median()),
        nearest_neighbour=_nearest_price(store.gather(train["sha256"].tolist()), train["price"], features[0]),
    )
    inside = model.interval.covers(predicted["price"].to_numpy(), predicted["model"].to_numpy())
    return predicted.assign(covered=inside)


def _nearest_price(known: Features, prices: pd.Series, asked: Features) -> "pd.Series[float]":
    """The price of the training picture whose features point most nearly the same way (cosine)."""
    near, of = (torch.nn.functional.normalize(torch.from_numpy(features)) for features in (known, asked))
    return pd.Series(prices.to_numpy()[(of @ near.T).argmax(1).numpy()])


def evaluate(model: PriceModel, predictions: pd.DataFrame, models_root: str) -> pd.DataFrame:
    """Score the model and the baselines on validation and test rows, and the model on each group of test rows.

    Args:
        model: The model.
        predictions: What :func:`predict_listings` gives.
        models_root: The model's folder as the table names it.

    Returns:
        ``tables.EvaluationMetrics``; a split without rows has none.
    """
    identity = {"backbone": model.backbone, "weights": str(model.weights), "model": models_root}
    rows = [identity | row for row in (*_overall(predictions), *_by_group(predictions))]
    return pd.DataFrame(rows, columns=list(EvaluationMetrics.to_schema().columns))


def _overall(predictions: pd.DataFrame) -> Iterator[dict[str, object]]:
    for split, held_out in predictions.groupby("split"):
        for predictor in ("model", *BASELINES):
            yield {"split": split, "group": "all", "member": "all", **_scores(held_out, predictor)}


def _by_group(predictions: pd.DataFrame) -> Iterator[dict[str, object]]:
    test = predictions[predictions["split"] == "test"]
    # Dear and cheap are measured from the training prices, which a re-crawl hardly moves.
    halves = np.where(test["price"] < test["median"], "below the median", "from the median on")
    test = test.assign(price_half=halves, price_band=test["price"].map(band_of))
    for group in GROUPS:
        column = "price_half" if group == "price" else group
        if column in test:
            for member, held_out in test.groupby(column):
                yield {"split": "test", "group": group, "member": str(member), **_scores(held_out, "model")}


def _scores(held_out: pd.DataFrame, predictor: str) -> dict[str, object]:
    actual, predicted = held_out["price"].to_numpy(), held_out[predictor].to_numpy(dtype=float)
    coverage = float(held_out["covered"].mean()) if predictor == "model" else float("nan")
    return {
        "predictor": predictor,
        "coverage": coverage,
        **regression_metrics(actual, predicted),
        **bootstrap_intervals(actual, predicted),
    }


def twins_in_train(splits: pd.DataFrame) -> int:
    """How many test rows of ``tables.Splits`` have a twin in train."""
    train, test = (splits.loc[splits["split"] == side, "twin_group"] for side in ("train", "test"))
    return int(test.isin(train).sum())


def rmse_by_split(metrics: pd.DataFrame) -> dict[str, dict[str, float]]:
    """RMSE in US dollars by split, then by predictor, of one backbone's ``tables.EvaluationMetrics``."""
    return {
        str(split): dict(zip(rows["predictor"], rows["rmse"].astype(float), strict=True))
        for split, rows in metrics[metrics["group"] == "all"].groupby("split", sort=False)
    }
