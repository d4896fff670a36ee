"""Heads in closed form: ridge with its whole regularisation path, and kernel ridge over a small grid.

Both choose on validation rows and need no seed. Source: Hastie, Tibshirani and Friedman, "The Elements of Statistical
Learning", 2nd edition, sections 3.4.1 and 5.8.
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
from sneaker_assets.vision.heads.training_rows import Rows

logger = logging.getLogger(__name__)

ALPHAS = np.geomspace(1e-1, 1e6, 29)
KERNEL_GAMMAS = (0.2, 0.4, 0.8, 1.6, 3.2)
KERNEL_ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0)

Matrix = NDArray[np.float64]


def fit_ridge(head: PriceHead, features: Tensor, rows: Rows) -> tuple[pd.DataFrame, int]:
    """Fill a linear head with the best of the path's weights.

    One decomposition serves all penalties: of the Gram matrix of the features, or of the rows where these are fewer.

    Args:
        head: A ridge head whose scales are fitted.
        features: float32 [N, D], raw.
        rows: Which of them to train and validate on.

    Returns:
        The path (columns ``alpha``, ``train_mse``, ``validation_mse``) and the row that was kept.
    """
    x = standardised(head, features[rows.train])
    y = head.scaled(rows.prices[rows.train]).double().numpy()
    tall = x.shape[0] >= x.shape[1]
    import scipy.linalg  # noqa: PLC0415 - only training needs it, and a price need not wait for it

    values, vectors = scipy.linalg.eigh(x.T @ x if tall else x @ x.T)
    values = np.clip(values, 0, None)[:, None]
    inner = (vectors.T @ (x.T @ y if tall else y))[:, None] / (values + ALPHAS)
    weights = vectors @ inner if tall else x.T @ (vectors @ inner)
    held_out = standardised(head, features[rows.validation])
    path = [
        {"alpha": alpha, **_errors(head, rows, torch.from_numpy(x @ weight), torch.from_numpy(held_out @ weight))}
        for alpha, weight in zip(ALPHAS, weights.T, strict=True)
    ]
    history = pd.DataFrame(path)
    best = _best(history)
    linear = cast("nn.Linear", cast("nn.Sequential", head.body)[0])
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weights[:, best])[None])
        linear.bias.zero_()
    head.fit_smearing(torch.from_numpy(held_out @ weights[:, best]), rows.prices[rows.validation])
    return history, best


@dataclass(frozen=True)
class KernelRidge:
    """The equations of a kernel ridge, whose distances are computed once for all widths and penalties.

    Rows of the same picture are solved for as one row of their mean and number: the same solution, much sooner.
    ``group`` says for each training row which of the n pictures it shows; ``near`` and ``far`` are squared distances a
    feature, float64 [n, n] and [validation rows, n].
    """

    rows: Rows
    pictures: Tensor
    group: Tensor
    count: Tensor
    near: Tensor
    far: Tensor

    @classmethod
    def of(cls, head: PriceHead, features: Tensor, rows: Rows) -> "KernelRidge":
        """The equations of these rows.

        Args:
            head: A kernel head whose scales are fitted.
            features: float32 [N, D], raw.
            rows: Which of them to train and validate on.
        """
        x, group, count = torch.unique(
            torch.from_numpy(standardised(head, features[rows.train])), dim=0, return_inverse=True, return_counts=True
        )
        held_out = torch.from_numpy(standardised(head, features[rows.validation]))
        return cls(rows, x.float(), group, count, squared_distances(x, x), squared_distances(held_out, x))

    def fit(self, head: PriceHead, gammas: Sequence[float], alphas: Sequence[float]) -> tuple[pd.DataFrame, int]:
        """Fill a kernel head with the best solution of the grid; as :func:`fit_ridge`, with a column ``gamma``."""
        body = cast("KernelBody", head.body)
        y = head.scaled(self.rows.prices[self.rows.train]).double()
        mean = torch.zeros(len(self.count), dtype=torch.float64).index_add(0, self.group, y) / self.count
        points: list[dict[str, float]] = []
        for gamma in gammas:
            kernel, across = torch.exp(-gamma * self.near), torch.exp(-gamma * self.far)
            for alpha in alphas:
                factor = torch.linalg.cholesky(kernel + torch.diag(alpha / self.count))
                coefficients = torch.cholesky_solve(mean[:, None], factor)[:, 0]
                errors = _errors(head, self.rows, (kernel @ coefficients)[self.group], across @ coefficients)
                if not points or errors["validation_mse"] < min(point["validation_mse"] for point in points):
                    body.gamma.fill_(gamma)
                    body.coefficients, smearing = coefficients.float(), head.smearing.clone()
                points.append({"gamma": gamma, "alpha": alpha, **errors})
        body.support = self.pictures
        head.smearing.copy_(smearing)
        history = pd.DataFrame(points)
        return history, _best(history)


def standardised(head: PriceHead, features: Tensor) -> Matrix:
    """Features float32 [N, D] as the head's body takes them, float64."""
    scaled: Matrix = ((features - head.feature_mean) / head.feature_deviation).double().numpy()
    return scaled


def squared_distances(rows: Tensor, others: Tensor) -> Tensor:
    """Squared distances a feature, float64 [n, m]."""
    squared = rows.square().sum(1)[:, None] + others.square().sum(1) - 2 * rows @ others.T
    return squared.clamp(min=0) / rows.shape[1]


def _errors(head: PriceHead, rows: Rows, train: Tensor, validation: Tensor) -> dict[str, float]:
    """Errors in US dollars of what the body would give; leaves the head with these rows' smearing factor."""
    true = rows.prices[rows.validation]
    head.fit_smearing(validation, true)
    return {
        "train_mse": float((head.dollars(train) - rows.prices[rows.train]).square().mean()),
        "validation_mse": float((head.dollars(validation) - true).square().mean()),
    }


def _best(history: pd.DataFrame) -> int:
    best = int(history["validation_mse"].argmin())
    logger.info("head: %s", ", ".join(f"{name} {value:.4g}" for name, value in history.iloc[best].items()))
    return best
