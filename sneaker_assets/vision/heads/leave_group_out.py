"""What a head in closed form would say of each training row had it not learned from that row's group.

No head is fitted again: of a ridge, the errors without a group follow from the equations that were solved with it. So
every training row has a residual that neither the fit nor the choice of its settings has seen, and there are several
times as many of them as validation rows. The scales of features and target stay those of all training rows.

Sources: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, section 5.4.2, for the formula;
Barber, Candès, Ramdas and Tibshirani, "Predictive inference with the jackknife+", 2021, for intervals made of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sneaker_assets.vision.heads.networks import KernelBody, PriceHead
from sneaker_assets.vision.heads.ridge import squared_distances, standardised
from sneaker_assets.vision.heads.training_rows import Rows


@dataclass(frozen=True)
class _Pictures:
    """The training rows by picture: rows that are equal weigh as many as they are, and have their mean target.

    ``x`` float64 [n, D], ``target`` and ``count`` float64 [n], ``group`` int64 [n]; ``of_row`` int64 [training rows].
    """

    x: Tensor
    target: Tensor
    count: Tensor
    group: Tensor
    of_row: Tensor

    @classmethod
    def of(cls, head: PriceHead, features: Tensor, rows: Rows, groups: NDArray[np.str_]) -> "_Pictures":
        x, of_row, count = torch.unique(
            torch.from_numpy(standardised(head, features[rows.train])), dim=0, return_inverse=True, return_counts=True
        )
        y = head.scaled(rows.prices[rows.train]).double()
        codes = torch.from_numpy(np.unique(groups[rows.train.numpy()], return_inverse=True)[1])
        group = torch.empty(len(x), dtype=torch.int64).index_copy_(0, of_row, codes)
        target = torch.zeros(len(x), dtype=torch.float64).index_add_(0, of_row, y) / count
        return cls(x, target, count.double(), group, of_row)


def prices_left_out(
    head: PriceHead, alpha: float, features: Tensor, rows: Rows, groups: NDArray[np.str_]
) -> NDArray[np.float64]:
    """What each training row would be priced at by this ridge or kernel ridge without the row's group.

    Args:
        head: The head, fitted with the penalty ``alpha``.
        alpha: The penalty.
        features: float32 [N, D], raw, those that it was fitted to.
        rows: Which of them are trained on.
        groups: [N], names of groups; equal rows are of one group.

    Returns:
        float64 [training rows], US dollars.
    """
    pictures = _Pictures.of(head, features, rows, groups)
    if isinstance(head.body, KernelBody):
        kernel = torch.exp(-head.body.gamma.double() * squared_distances(pictures.x, pictures.x))
        errors = _errors_of_kernel(kernel, alpha, pictures)
    elif pictures.x.shape[0] <= pictures.x.shape[1]:
        errors = _errors_of_kernel(pictures.x @ pictures.x.T, alpha, pictures)
    else:
        errors = _errors_of_ridge(alpha, pictures)
    expected = (pictures.target - errors)[pictures.of_row]
    prices: NDArray[np.float64] = head.dollars(expected).numpy()
    return prices


def _errors_of_kernel(kernel: Tensor, alpha: float, pictures: _Pictures) -> Tensor:
    """Of the equations (K + alpha / count) c = target; a kernel of scalar products makes them those of a ridge."""
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(kernel + torch.diag(alpha / pictures.count)))
    return _by_group(lambda rows: inverse[rows][:, rows], inverse @ pictures.target, pictures.group)


def _errors_of_ridge(alpha: float, pictures: _Pictures) -> Tensor:
    """The same where features are fewer than pictures: the rows' leverages are what is solved for."""
    weight = pictures.count.sqrt()
    x, y = pictures.x * weight[:, None], pictures.target * weight
    factor = torch.linalg.cholesky(x.T @ x + alpha * torch.eye(x.shape[1], dtype=x.dtype))
    half = torch.linalg.solve_triangular(factor, x.T, upper=False)

    def unexplained(rows: Tensor) -> Tensor:
        rest: Tensor = torch.eye(len(rows), dtype=x.dtype) - half[:, rows].T @ half[:, rows]
        return rest

    return _by_group(unexplained, y - half.T @ (half @ y), pictures.group) / weight


def _by_group(block: Callable[[Tensor], Tensor], right: Tensor, group: Tensor) -> Tensor:
    """Solve each group's own small block of equations."""
    solved = torch.empty_like(right)
    for rows in torch.split(torch.argsort(group, stable=True), torch.bincount(group).tolist()):
        solved[rows] = torch.linalg.solve(block(rows), right[rows])
    return solved
