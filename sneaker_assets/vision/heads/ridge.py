"""Ridge regression over a regularization path, with the penalty chosen on the validation rows.

Source: Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2nd edition, section 3.4.1.
"""

import logging
from typing import cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.heads.networks import PriceHead
from sneaker_assets.vision.heads.training_rows import TrainingRows

logger = logging.getLogger(__name__)

ALPHAS = np.geomspace(1e-1, 1e6, 29)

Matrix = NDArray[np.float64]


def fit_ridge(head: PriceHead, features: Tensor, rows: TrainingRows) -> tuple[pd.DataFrame, int]:
    """Fit a linear head with the penalty of ``ALPHAS`` that has the lowest validation error.

    A single eigendecomposition serves all penalties: of the Gram matrix of the features, or of that of the rows where
    there are fewer rows.

    Args:
        head: A head of kind ``ridge`` with fitted scales; its weights and smearing factor are set in place.
        features: float32 [N, D], raw.
        rows: Training and validation rows.

    Returns:
        The regularization path, one row for each penalty with columns ``alpha``, ``train_mse`` and ``validation_mse``
        (US dollars squared), and the number of the best row.

    Raises:
        TrainingError: No penalty gives a finite validation error.
    """
    x = standardize_features(head, features[rows.train])
    y = head.standardize(rows.prices[rows.train]).double().numpy()
    tall = x.shape[0] >= x.shape[1]
    import scipy.linalg  # noqa: PLC0415 - slow to import and unnecessary for pricing

    values, vectors = scipy.linalg.eigh(x.T @ x if tall else x @ x.T)
    values = np.clip(values, 0, None)[:, None]
    inner = (vectors.T @ (x.T @ y if tall else y))[:, None] / (values + ALPHAS)
    weights = vectors @ inner if tall else x.T @ (vectors @ inner)
    held_out = standardize_features(head, features[rows.validation])
    path = [
        {
            "alpha": alpha,
            **mean_squared_errors(head, rows, torch.from_numpy(x @ weight), torch.from_numpy(held_out @ weight)),
        }
        for alpha, weight in zip(ALPHAS, weights.T, strict=True)
    ]
    history = pd.DataFrame(path)
    best = best_row(history)
    linear = cast("nn.Linear", cast("nn.Sequential", head.body)[0])
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weights[:, best])[None])
        linear.bias.zero_()
    head.fit_smearing(torch.from_numpy(held_out @ weights[:, best]), rows.prices[rows.validation])
    return history, best


def standardize_features(head: PriceHead, features: Tensor) -> Matrix:
    """Features standardized with a head's scales.

    Args:
        head: A head with fitted scales.
        features: float32 [N, D], raw.

    Returns:
        float64 [N, D].
    """
    standardized: Matrix = ((features - head.feature_mean) / head.feature_deviation).double().numpy()
    return standardized


def mean_squared_errors(head: PriceHead, rows: TrainingRows, train: Tensor, validation: Tensor) -> dict[str, float]:
    """Mean squared errors in US dollars squared, after fitting the head's smearing factor to the validation rows."""
    prices = rows.prices[rows.validation]
    head.fit_smearing(validation, prices)
    return {
        "train_mse": float((head.to_dollars(train) - rows.prices[rows.train]).square().mean()),
        "validation_mse": float((head.to_dollars(validation) - prices).square().mean()),
    }


def best_row(history: pd.DataFrame) -> int:
    """Number of the row with the lowest validation error, which is logged.

    Raises:
        TrainingError: No validation error is finite.
    """
    errors = history["validation_mse"].to_numpy()
    if not np.isfinite(errors).any():
        raise TrainingError(
            f"none of {len(errors)} combinations of hyperparameters gives a finite validation error: raise alpha, or "
            "leave alpha and gamma unset"
        )
    best = int(np.where(np.isfinite(errors), errors, np.inf).argmin())
    logger.debug("head: %s", ", ".join(f"{name} {value:.4g}" for name, value in history.iloc[best].items()))
    return best
