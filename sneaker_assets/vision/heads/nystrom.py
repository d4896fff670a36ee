"""Nyström approximation of kernel ridge regression: a kernel expansion over landmarks, fitted to all training rows.

The landmarks' kernel matrix, factored as T T', maps a row to the features T^-1 k(landmarks, row), in which kernel ridge
regression is ridge regression. The rows are read in blocks: memory is quadratic in the number of landmarks, and time
is linear in the number of rows. The normal equations are accumulated and solved directly. Iterating instead, as
FALKON does with conjugate gradients, evaluates all kernels anew in each iteration, which costs more unless there are
several times as many landmarks as features.

Sources: Williams and Seeger, "Using the Nyström Method to Speed Up Kernel Machines", NIPS 2000; Rudi, Camoriano and
Rosasco, "Less is More: Nyström Computational Regularization", NIPS 2015, arXiv 1507.04717, for the error; Rudi,
Carratino and Rosasco, "FALKON: An Optimal Large Scale Kernel Method", NIPS 2017, arXiv 1705.10958.
"""

from collections.abc import Iterator, Sequence
from typing import cast

import pandas as pd
import torch
from torch import Tensor

from sneaker_assets.vision.heads.cholesky import factor_in_place, solve_in_place
from sneaker_assets.vision.heads.distinct_rows import DistinctRows
from sneaker_assets.vision.heads.networks import KernelBody, PriceHead
from sneaker_assets.vision.heads.ridge import best_row, mean_squared_errors
from sneaker_assets.vision.heads.training_rows import TrainingRows

_ROWS = 2048
"""Rows per block."""

_PANELS = 8
"""Column panels of the Gram matrix, of which only the lower triangle is computed."""

_JITTER = 1e-6
"""Added to the diagonal of the landmarks' kernel matrix, which is 1, so that near duplicates can be factored."""


def fit_nystrom(
    head: PriceHead,
    features: Tensor,
    rows: TrainingRows,
    distinct: DistinctRows,
    *,
    landmarks: int,
    gamma: float,
    alphas: Sequence[float],
) -> tuple[pd.DataFrame, int]:
    """Fit a kernel head with the first distinct rows as landmarks to all training rows.

    Args:
        head: A head of kind ``kernel_ridge`` with fitted scales; its support, coefficients, gamma and smearing factor
            are set in place.
        features: float32 [N, D], raw.
        rows: Training and validation rows.
        distinct: The training rows with duplicates merged.
        landmarks: Number of landmarks, at most that of distinct rows.
        gamma: RBF kernel coefficient.
        alphas: Candidate penalties.

    Returns:
        One row for each penalty with columns ``gamma``, ``alpha``, ``train_mse`` and ``validation_mse`` (US dollars
        squared), and the number of the best row. Errors are NaN where the equations cannot be solved.

    Raises:
        TrainingError: No penalty gives a finite validation error.
    """
    body = cast("KernelBody", head.body)
    body.gamma.fill_(gamma)
    body.support = _standardize(head, features[distinct.rows[:landmarks]])
    target = distinct.mean(head.standardize(rows.prices[rows.train]).double())
    coefficients = _solve(head, features, distinct, target.float(), alphas)
    train, validation = (
        torch.cat([kernel @ coefficients for kernel in _kernels(head, features, chosen)])
        for chosen in (distinct.rows, rows.validation)
    )
    points, smearing = list[dict[str, float]](), list[Tensor]()
    for column, alpha in enumerate(alphas):
        errors = mean_squared_errors(head, rows, train[distinct.inverse, column], validation[:, column])
        points.append({"gamma": gamma, "alpha": alpha, **errors})
        smearing.append(head.smearing.clone())
    history = pd.DataFrame(points)
    best = best_row(history)
    body.coefficients = coefficients[:, best].contiguous()
    head.smearing.copy_(smearing[best])
    return history, best


def _solve(
    head: PriceHead, features: Tensor, distinct: DistinctRows, target: Tensor, alphas: Sequence[float]
) -> Tensor:
    """Coefficients float32 [landmarks, alphas]."""
    body = cast("KernelBody", head.body)
    factor = _factor(body)
    gram, right = torch.zeros_like(factor), torch.zeros(len(factor))
    weights, targets = torch.split(distinct.count.sqrt().float(), _ROWS), torch.split(target, _ROWS)
    for kernel, weight, block in zip(_kernels(head, features, distinct.rows), weights, targets, strict=True):
        mapped = torch.linalg.solve_triangular(factor, kernel.T, upper=False).mul_(weight)
        right += mapped @ (block * weight)
        _add_gram(gram, mapped)
    solved = torch.stack([_solve_ridge(gram, right, alpha) for alpha in alphas], dim=1)
    del gram
    coefficients: Tensor = torch.linalg.solve_triangular(factor.double().T, solved, upper=True).float()
    return coefficients


def _factor(body: KernelBody) -> Tensor:
    """Lower triangular factor float32 [landmarks, landmarks] of the landmarks' kernel matrix."""
    support = body.support.double()
    kernel = squared_distances(support, support).mul_(-body.gamma.double()).exp_()
    kernel.diagonal().add_(_JITTER)
    return factor_in_place(kernel).float()


def _kernels(head: PriceHead, features: Tensor, rows: Tensor) -> Iterator[Tensor]:
    """Kernel matrices float32 [block, landmarks] of consecutive blocks of rows."""
    body = cast("KernelBody", head.body)
    for block in torch.split(rows, _ROWS):
        yield squared_distances(_standardize(head, features[block]), body.support).mul_(-body.gamma).exp_()


def _standardize(head: PriceHead, features: Tensor) -> Tensor:
    standardized: Tensor = (features - head.feature_mean) / head.feature_deviation
    return standardized


def _add_gram(gram: Tensor, mapped: Tensor) -> None:
    """Add the lower triangle of ``mapped mapped'`` to ``gram``, by panels that skip most of the upper triangle."""
    width = -(-len(gram) // _PANELS)
    for start in range(0, len(gram), width):
        gram[start:, start : start + width].addmm_(mapped[start:], mapped[start : start + width].T)


def _solve_ridge(gram: Tensor, right: Tensor, alpha: float) -> Tensor:
    """Solution float64 of ``(gram + alpha I) x = right``, for the lower triangle of ``gram``."""
    penalized = gram.double()
    penalized.diagonal().add_(alpha)
    return solve_in_place(penalized, right.double())


def squared_distances(rows: Tensor, others: Tensor) -> Tensor:
    """Squared Euclidean distances divided by the number of features.

    Args:
        rows: float [n, D].
        others: float [m, D] of the same type.

    Returns:
        float [n, m].
    """
    squared = torch.addmm(others.square().sum(1)[None], rows, others.T, alpha=-2)
    return squared.add_(rows.square().sum(1)[:, None]).clamp_(min=0).div_(rows.shape[1])
