"""Heads fitted in closed form: ridge over a regularization path, and kernel ridge over a small grid.

Both are deterministic and choose their hyperparameters on the validation rows.

Source: Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2nd edition, sections 3.4.1 and 5.8.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sneaker_assets.vision.heads.networks import KernelBody, PriceHead
from sneaker_assets.vision.heads.training_rows import TrainingRows

logger = logging.getLogger(__name__)

ALPHAS = np.geomspace(1e-1, 1e6, 29)
KERNEL_GAMMAS = (0.2, 0.4, 0.8, 1.6, 3.2)
KERNEL_ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0)

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
        {"alpha": alpha, **_errors(head, rows, torch.from_numpy(x @ weight), torch.from_numpy(held_out @ weight))}
        for alpha, weight in zip(ALPHAS, weights.T, strict=True)
    ]
    history = pd.DataFrame(path)
    best = _best_row(history)
    linear = cast("nn.Linear", cast("nn.Sequential", head.body)[0])
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weights[:, best])[None])
        linear.bias.zero_()
    head.fit_smearing(torch.from_numpy(held_out @ weights[:, best]), rows.prices[rows.validation])
    return history, best


@dataclass(frozen=True)
class KernelRidge:
    """Kernel ridge equations of fixed rows, with distances computed once for all gammas and alphas.

    Rows with equal features are merged into one with their mean target and their number, which has the same solution
    and is much faster.

    Attributes:
        rows: Training and validation rows.
        support: float32 [n, D], distinct standardized training rows.
        inverse: int64 [training rows], the distinct row of each training row.
        count: int64 [n], number of training rows merged into each distinct row.
        train_distances: float64 [n, n], mean squared differences of features between distinct rows.
        validation_distances: float64 [validation rows, n], the same from validation rows to distinct rows.
    """

    rows: TrainingRows
    support: Tensor
    inverse: Tensor
    count: Tensor
    train_distances: Tensor
    validation_distances: Tensor

    @classmethod
    def from_rows(cls, head: PriceHead, features: Tensor, rows: TrainingRows) -> "KernelRidge":
        """Equations of the given rows.

        Args:
            head: A head of kind ``kernel_ridge`` with fitted scales.
            features: float32 [N, D], raw.
            rows: Training and validation rows.

        Returns:
            The equations.
        """
        x, inverse, count = torch.unique(
            torch.from_numpy(standardize_features(head, features[rows.train])),
            dim=0,
            return_inverse=True,
            return_counts=True,
        )
        held_out = torch.from_numpy(standardize_features(head, features[rows.validation]))
        return cls(rows, x.float(), inverse, count, squared_distances(x, x), squared_distances(held_out, x))

    def fit(self, head: PriceHead, gammas: Sequence[float], alphas: Sequence[float]) -> tuple[pd.DataFrame, int]:
        """Fit a kernel head with the gamma and alpha of the grid that have the lowest validation error.

        Args:
            head: A head of kind ``kernel_ridge`` with fitted scales; its coefficients and smearing factor are set in
                place.
            gammas: Candidate RBF kernel coefficients.
            alphas: Candidate penalties.

        Returns:
            One row for each point of the grid with columns ``gamma``, ``alpha``, ``train_mse`` and ``validation_mse``
            (US dollars squared), and the number of the best row.
        """
        body = cast("KernelBody", head.body)
        y = head.standardize(self.rows.prices[self.rows.train]).double()
        mean = torch.zeros(len(self.count), dtype=torch.float64).index_add(0, self.inverse, y) / self.count
        points: list[dict[str, float]] = []
        for gamma in gammas:
            kernel, across = torch.exp(-gamma * self.train_distances), torch.exp(-gamma * self.validation_distances)
            for alpha in alphas:
                factor = torch.linalg.cholesky(kernel + torch.diag(alpha / self.count))
                coefficients = torch.cholesky_solve(mean[:, None], factor)[:, 0]
                errors = _errors(head, self.rows, (kernel @ coefficients)[self.inverse], across @ coefficients)
                if not points or errors["validation_mse"] < min(point["validation_mse"] for point in points):
                    body.gamma.fill_(gamma)
                    body.coefficients, smearing = coefficients.float(), head.smearing.clone()
                points.append({"gamma": gamma, "alpha": alpha, **errors})
        body.support = self.support
        head.smearing.copy_(smearing)
        history = pd.DataFrame(points)
        return history, _best_row(history)


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


def squared_distances(rows: Tensor, others: Tensor) -> Tensor:
    """Squared Euclidean distances divided by the number of features.

    Args:
        rows: float64 [n, D].
        others: float64 [m, D].

    Returns:
        float64 [n, m].
    """
    squared = rows.square().sum(1)[:, None] + others.square().sum(1) - 2 * rows @ others.T
    return squared.clamp(min=0) / rows.shape[1]


def _errors(head: PriceHead, rows: TrainingRows, train: Tensor, validation: Tensor) -> dict[str, float]:
    """Mean squared errors in US dollars squared, after fitting the head's smearing factor to the validation rows."""
    prices = rows.prices[rows.validation]
    head.fit_smearing(validation, prices)
    return {
        "train_mse": float((head.to_dollars(train) - rows.prices[rows.train]).square().mean()),
        "validation_mse": float((head.to_dollars(validation) - prices).square().mean()),
    }


def _best_row(history: pd.DataFrame) -> int:
    """Number of the row with the lowest validation error, which is logged."""
    best = int(history["validation_mse"].argmin())
    logger.debug("head: %s", ", ".join(f"{name} {value:.4g}" for name, value in history.iloc[best].items()))
    return best
