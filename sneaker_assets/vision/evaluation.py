"""How far predicted prices are from true ones, beside a predictor that never looks at the picture."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sneaker_assets.tables import EvaluationMetrics
from sneaker_assets.vision.features import FeatureStore
from sneaker_assets.vision.price_model import PriceModel

Prices = NDArray[np.float64]


def regression_metrics(actual: Prices, predicted: Prices) -> dict[str, float]:
    """Errors of predicted prices.

    Args:
        actual: float64 [N], US dollars, positive.
        predicted: float64 [N], US dollars.

    Returns:
        ``n``, ``mse`` (US dollars squared), ``rmse`` and ``mae`` (US dollars), ``mape`` (%), and ``r2`` (missing where
        the true prices are constant).
    """
    error = predicted - actual
    variance = np.var(actual)
    mse = float(np.mean(error**2))
    return {
        "n": len(actual),
        "mse": mse,
        "rmse": mse**0.5,
        "mae": float(np.mean(np.abs(error))),
        "mape": float(np.mean(np.abs(error) / actual)) * 100,
        "r2": float(1 - mse / variance) if variance > 0 else float("nan"),
    }


def predict_listings(model: PriceModel, store: FeatureStore, splits: pd.DataFrame) -> pd.DataFrame:
    """The held-out rows of ``tables.Splits`` with a further column ``predicted``, US dollars."""
    held_out = splits[splits["split"] != "train"].reset_index(drop=True)
    return held_out.assign(predicted=model.price(store.gather(held_out["sha256"].tolist())))


def evaluate(model: PriceModel, predictions: pd.DataFrame, models_root: str) -> pd.DataFrame:
    """Score the model and the mean of the training prices on validation and test rows.

    Args:
        model: The model.
        predictions: What :func:`predict_listings` gives.
        models_root: The model's folder as the table names it.

    Returns:
        ``tables.EvaluationMetrics``; a split without rows has none.
    """
    rows = []
    for split, held_out in predictions.groupby("split"):
        actual = held_out["price"].to_numpy()
        baseline = np.full_like(actual, model.train_mean)
        for predictor, predicted in (("model", held_out["predicted"].to_numpy()), ("mean", baseline)):
            rows.append(
                {
                    "backbone": model.backbone,
                    "weights": model.weights,
                    "model": models_root,
                    "predictor": predictor,
                    "split": split,
                    **regression_metrics(actual, predicted),
                }
            )
    return pd.DataFrame(rows, columns=list(EvaluationMetrics.to_schema().columns))


def rmse_by_split(metrics: pd.DataFrame) -> dict[str, dict[str, float]]:
    """RMSE in US dollars by split, then by predictor, of one backbone's ``tables.EvaluationMetrics``."""
    return {
        str(split): dict(zip(rows["predictor"], rows["rmse"].astype(float), strict=True))
        for split, rows in metrics.groupby("split", sort=False)
    }
