"""Leave-group-out predictions of ridge and kernel ridge in closed form, without refitting.

For these models the residuals with a group of rows held out follow from the equations solved for all rows. Every
training row gets an out-of-sample residual, and there are several times as many training rows as validation rows. The
scales of features and target remain those of all training rows.

Sources: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, section 5.4.2, for the identity;
Barber, Candès, Ramdas and Tibshirani, "Predictive Inference with the Jackknife+", Annals of Statistics 49, 2021, for
prediction intervals from such residuals.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sneaker_assets.vision.heads.cholesky import factor_in_place
from sneaker_assets.vision.heads.distinct_rows import DistinctRows
from sneaker_assets.vision.heads.networks import KernelBody, PriceHead
from sneaker_assets.vision.heads.nystrom import squared_distances
from sneaker_assets.vision.heads.ridge import standardize_features
from sneaker_assets.vision.heads.training_rows import TrainingRows

_BLOCK = 2**22
"""Features that are standardized at a time."""

_Standardize = Callable[[Tensor], Tensor]
"""Standardized features float64 [k, D] of the k distinct rows given by number."""


def leave_group_out_predictions(
    head: PriceHead, alpha: float, features: Tensor, rows: TrainingRows, groups: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Price of each training row as predicted by a model fitted without the row's group.

    Memory is quadratic in the number of support rows of a kernel, and in the number of features or of distinct rows,
    whichever is lower, of a ridge.

    Args:
        head: A ridge or an exactly solved kernel ridge head fitted with penalty ``alpha``.
        alpha: The penalty.
        features: float32 [N, D], raw, the features it was fitted to.
        rows: Training and validation rows.
        groups: [N], name of each row's group. Rows with equal features must share a group.

    Returns:
        float64 [training rows], US dollars, in the order of ``rows.train``.
    """
    distinct = DistinctRows.from_features(features, rows.train)
    target = distinct.mean(head.standardize(rows.prices[rows.train]).double())
    codes = torch.from_numpy(np.unique(groups, return_inverse=True)[1])[distinct.rows]

    def standardized(chosen: Tensor) -> Tensor:
        return torch.from_numpy(standardize_features(head, features[distinct.rows[chosen]]))

    if isinstance(head.body, KernelBody) or len(distinct) <= features.shape[1]:
        x = standardized(torch.arange(len(distinct)))
        kernel = (
            squared_distances(x, x).mul_(-head.body.gamma.double()).exp_()
            if isinstance(head.body, KernelBody)
            else x @ x.T
        )
        residuals = _kernel_residuals(kernel, alpha, target, distinct.count, codes)
    else:
        residuals = _ridge_residuals(standardized, alpha, target, distinct.count, codes)
    prices: NDArray[np.float64] = head.to_dollars((target - residuals)[distinct.inverse]).numpy()
    return prices


def _kernel_residuals(kernel: Tensor, alpha: float, target: Tensor, count: Tensor, group: Tensor) -> Tensor:
    """Leave-group-out residuals of (K + diag(alpha / count)) c = target; a linear kernel gives those of ridge.

    ``kernel`` is overwritten.
    """
    kernel.diagonal().add_(alpha / count)
    inverse = torch.cholesky_inverse(factor_in_place(kernel))
    residuals, right = torch.empty_like(target), inverse @ target
    for rows in _members(group):
        residuals[rows] = torch.linalg.solve(inverse[rows[:, None], rows], right[rows])
    return residuals


def _ridge_residuals(standardized: _Standardize, alpha: float, target: Tensor, count: Tensor, group: Tensor) -> Tensor:
    """Leave-group-out residuals of ridge from the hat matrix, for fewer features than rows."""
    n_features = standardized(torch.arange(1)).shape[1]
    size = max(1, _BLOCK // n_features)
    gram = alpha * torch.eye(n_features, dtype=torch.float64)
    right = torch.zeros(n_features, dtype=torch.float64)
    for rows in torch.split(torch.arange(len(target)), size):
        x = standardized(rows)
        weighted = x * count[rows, None]
        gram.addmm_(x.T, weighted)
        right += weighted.T @ target[rows]
    factor = torch.linalg.cholesky(gram)
    weights = torch.cholesky_solve(right[:, None], factor)[:, 0]
    residuals = torch.empty_like(target)
    for members in _batches(_members(group), size):
        chosen = torch.cat(members)
        x, root = standardized(chosen), count[chosen].sqrt()
        error = (target[chosen] - x @ weights) * root
        half = torch.linalg.solve_triangular(factor, (x * root[:, None]).T, upper=False)
        start = 0
        for rows in members:
            own = slice(start, start + len(rows))
            identity_minus_hat = torch.eye(len(rows), dtype=x.dtype) - half[:, own].T @ half[:, own]
            residuals[rows] = torch.linalg.solve(identity_minus_hat, error[own]) / root[own]
            start += len(rows)
    return residuals


def _members(group: Tensor) -> list[Tensor]:
    """The rows of each group."""
    return [
        rows for rows in torch.split(torch.argsort(group, stable=True), torch.bincount(group).tolist()) if len(rows)
    ]


def _batches(members: list[Tensor], size: int) -> Iterator[list[Tensor]]:
    """Consecutive groups with ``size`` rows in total, or one group of more."""
    batch, n = list[Tensor](), 0
    for rows in members:
        if batch and n + len(rows) > size:
            yield batch
            batch, n = [], 0
        batch.append(rows)
        n += len(rows)
    yield batch
