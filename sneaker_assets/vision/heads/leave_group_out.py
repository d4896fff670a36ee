"""Leave-group-out predictions of ridge and kernel ridge in closed form, without refitting.

For these models the residuals with a group of rows held out follow from the equations solved for all rows. Every
training row gets an out-of-sample residual, and there are several times as many training rows as validation rows. The
scales of features and target remain those of all training rows.

Sources: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, section 5.4.2, for the identity;
Barber, Candès, Ramdas and Tibshirani, "Predictive Inference with the Jackknife+", Annals of Statistics 49, 2021, for
prediction intervals from such residuals.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sneaker_assets.vision.heads.networks import KernelBody, PriceHead
from sneaker_assets.vision.heads.ridge import squared_distances, standardize_features
from sneaker_assets.vision.heads.training_rows import TrainingRows


@dataclass(frozen=True)
class _DistinctRows:
    """Training rows with duplicates merged: a distinct row has the mean target of its duplicates and their number.

    Attributes:
        x: float64 [n, D], standardized features.
        target: float64 [n], mean standardized target.
        count: float64 [n], number of duplicates.
        group: int64 [n], number of the row's group.
        inverse: int64 [training rows], the distinct row of each training row.
    """

    x: Tensor
    target: Tensor
    count: Tensor
    group: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, head: PriceHead, features: Tensor, rows: TrainingRows, groups: NDArray[np.str_]) -> "_DistinctRows":
        x, inverse, count = torch.unique(
            torch.from_numpy(standardize_features(head, features[rows.train])),
            dim=0,
            return_inverse=True,
            return_counts=True,
        )
        y = head.standardize(rows.prices[rows.train]).double()
        codes = torch.from_numpy(np.unique(groups[rows.train.numpy()], return_inverse=True)[1])
        group = torch.empty(len(x), dtype=torch.int64).index_copy_(0, inverse, codes)
        target = torch.zeros(len(x), dtype=torch.float64).index_add_(0, inverse, y) / count
        return cls(x, target, count.double(), group, inverse)


def leave_group_out_predictions(
    head: PriceHead, alpha: float, features: Tensor, rows: TrainingRows, groups: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Price of each training row as predicted by a model fitted without the row's group.

    Args:
        head: A ridge or kernel ridge head fitted with penalty ``alpha``.
        alpha: The penalty.
        features: float32 [N, D], raw, the features it was fitted to.
        rows: Training and validation rows.
        groups: [N], name of each row's group. Rows with equal features must share a group.

    Returns:
        float64 [training rows], US dollars, in the order of ``rows.train``.
    """
    distinct = _DistinctRows.of(head, features, rows, groups)
    if isinstance(head.body, KernelBody):
        kernel = torch.exp(-head.body.gamma.double() * squared_distances(distinct.x, distinct.x))
        residuals = _kernel_residuals(kernel, alpha, distinct)
    elif distinct.x.shape[0] <= distinct.x.shape[1]:
        residuals = _kernel_residuals(distinct.x @ distinct.x.T, alpha, distinct)
    else:
        residuals = _ridge_residuals(alpha, distinct)
    standardized = (distinct.target - residuals)[distinct.inverse]
    prices: NDArray[np.float64] = head.to_dollars(standardized).numpy()
    return prices


def _kernel_residuals(kernel: Tensor, alpha: float, distinct: _DistinctRows) -> Tensor:
    """Leave-group-out residuals of (K + diag(alpha / count)) c = target; a linear kernel gives those of ridge."""
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(kernel + torch.diag(alpha / distinct.count)))
    return _solve_by_group(lambda rows: inverse[rows][:, rows], inverse @ distinct.target, distinct.group)


def _ridge_residuals(alpha: float, distinct: _DistinctRows) -> Tensor:
    """Leave-group-out residuals of ridge from the hat matrix, for fewer features than rows."""
    weight = distinct.count.sqrt()
    x, y = distinct.x * weight[:, None], distinct.target * weight
    factor = torch.linalg.cholesky(x.T @ x + alpha * torch.eye(x.shape[1], dtype=x.dtype))
    half = torch.linalg.solve_triangular(factor, x.T, upper=False)

    def identity_minus_hat(rows: Tensor) -> Tensor:
        block: Tensor = torch.eye(len(rows), dtype=x.dtype) - half[:, rows].T @ half[:, rows]
        return block

    return _solve_by_group(identity_minus_hat, y - half.T @ (half @ y), distinct.group) / weight


def _solve_by_group(block: Callable[[Tensor], Tensor], right: Tensor, group: Tensor) -> Tensor:
    """Solve one small linear system for each group.

    Args:
        block: Matrix [k, k] of the system of the k rows given.
        right: float64 [n], right-hand sides.
        group: int64 [n], number of each row's group.

    Returns:
        float64 [n].
    """
    solved = torch.empty_like(right)
    for rows in torch.split(torch.argsort(group, stable=True), torch.bincount(group).tolist()):
        solved[rows] = torch.linalg.solve(block(rows), right[rows])
    return solved
