"""Evaluation of a price model on held-out listings, compared with baseline predictors."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from sneaker_assets.market.bands import band_of
from sneaker_assets.tables import EvaluationMetrics
from sneaker_assets.vision.evaluation.metrics import bootstrap_intervals, check_test_rows, regression_metrics
from sneaker_assets.vision.pricing.ensemble_model import Model, price_known
from sneaker_assets.vision.types import Features

GROUPS = ("site", "price", "price_band", "predicted_price", "label_kind")
FIFTHS = 5
"""Number of groups of equal size by predicted price."""

BASELINES = ("mean", "median", "site_median", "nearest_neighbour")

_BLOCK = 2**25
"""Number of cosine similarities that are computed at a time."""


def predict_listings(model: Model, splits: pd.DataFrame) -> pd.DataFrame:
    """Predictions of the model and of every baseline for the validation and test rows.

    The baselines are the mean and median of the training prices, the median of the same site's training prices, and the
    price of the training image with the most similar features (cosine similarity), of an ensemble's those of the member
    with the highest share.

    Args:
        model: The price model or ensemble; the features of all images of ``splits`` are in the stores of its lake.
        splits: ``tables.Splits``, optionally with a column ``label_kind`` to group by.

    Returns:
        The validation and test rows of ``splits`` with one column of prices in US dollars for each predictor (``model``
        and ``BASELINES``) and the boolean column ``covered``: whether the price lies in the model's 90 % interval.

    Raises:
        NoTestRowsError: There is no test row.
        StoreError: An image has no features.
    """
    check_test_rows(splits)
    train = splits[splits["split"] == "train"]
    held_out = splits[splits["split"] != "train"].reset_index(drop=True)
    store = model.members[0].open_store()
    site_medians = train.groupby("site")["price"].median()
    predicted = held_out.assign(
        model=price_known(model, held_out["sha256"].tolist()),
        mean=train["price"].mean(),
        median=train["price"].median(),
        site_median=held_out["site"].map(site_medians).fillna(train["price"].median()),
        nearest_neighbour=_nearest_prices(
            store.gather(train["sha256"].tolist()), train["price"], store.gather(held_out["sha256"].tolist())
        ),
    )
    inside = model.interval.covers(predicted["price"].to_numpy(), predicted["model"].to_numpy())
    return predicted.assign(covered=inside)


def _nearest_prices(train_features: Features, train_prices: pd.Series, features: Features) -> "pd.Series[float]":
    """Price of the training row with the highest cosine similarity to each row of ``features`` [n, D]."""
    train, queries = (torch.nn.functional.normalize(torch.from_numpy(rows)) for rows in (train_features, features))
    blocks = torch.split(queries, max(1, _BLOCK // len(train)))
    nearest = torch.cat([(block @ train.T).argmax(1) for block in blocks])
    return pd.Series(train_prices.to_numpy()[nearest.numpy()])


def evaluate(model: Model, predictions: pd.DataFrame, model_folder: str) -> pd.DataFrame:
    """Metrics of the model and the baselines on validation and test rows, and of the model by group of test rows.

    Args:
        model: The price model or ensemble.
        predictions: What :func:`predict_listings` returns.
        model_folder: The model's folder relative to the lake, stored in the column ``model``.

    Returns:
        ``tables.EvaluationMetrics``: one row for each predictor and split, and one for each group of test rows. Splits
        without rows are absent.
    """
    identity = {"backbone": model.backbone, "weights": str(model.weights), "model": model_folder}
    rows = [identity | row for row in (*_overall(predictions), *_by_group(predictions))]
    return pd.DataFrame(rows, columns=list(EvaluationMetrics.to_schema().columns))


def _overall(predictions: pd.DataFrame) -> Iterator[dict[str, object]]:
    for split, held_out in predictions.groupby("split"):
        for predictor in ("model", *BASELINES):
            yield {"split": split, "group": "all", "member": "all", **_scores(held_out, predictor)}


def _by_group(predictions: pd.DataFrame) -> Iterator[dict[str, object]]:
    test = predictions[predictions["split"] == "test"]
    # The median of the training prices is a more stable threshold than that of the test prices.
    halves = np.where(test["price"] < test["median"], "below the median", "from the median on")
    by_group = test.assign(price=halves, price_band=test["price"].map(band_of), predicted_price=fifths(test["model"]))
    for group in GROUPS:
        if group in by_group:
            for member, held_out in test.groupby(by_group[group]):
                yield {"split": "test", "group": group, "member": str(member), **_scores(held_out, "model")}


def fifths(values: "pd.Series[float]") -> "pd.Series[str]":
    """Group of each value: ``fifth 1`` for the lowest fifth of the values, and so on.

    Args:
        values: [N]; equal values may be in different groups.

    Returns:
        [N].
    """
    number = (values.rank(method="first") - 1) * FIFTHS // len(values) + 1
    return number.map("fifth {:.0f}".format)


def _scores(held_out: pd.DataFrame, predictor: str) -> dict[str, object]:
    actual, predicted = held_out["price"].to_numpy(), held_out[predictor].to_numpy(dtype=float)
    coverage = float(held_out["covered"].mean()) if predictor == "model" else float("nan")
    return {
        "predictor": predictor,
        "coverage": coverage,
        **regression_metrics(actual, predicted),
        **bootstrap_intervals(actual, predicted),
    }


def count_near_duplicates_in_train(splits: pd.DataFrame) -> int:
    """Number of test rows with a near duplicate in the training split.

    Args:
        splits: ``tables.Splits``.
    """
    train, test = (splits.loc[splits["split"] == side, "twin_group"] for side in ("train", "test"))
    return int(test.isin(train).sum())


def rmse_by_split(metrics: pd.DataFrame) -> dict[str, dict[str, float]]:
    """RMSE of each predictor on all rows of each split.

    Args:
        metrics: ``tables.EvaluationMetrics`` of one model.

    Returns:
        By split, then by predictor, US dollars.
    """
    return {
        str(split): dict(zip(rows["predictor"], rows["rmse"].astype(float), strict=True))
        for split, rows in metrics[metrics["group"] == "all"].groupby("split", sort=False)
    }
