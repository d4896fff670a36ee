"""Kernel ridge regression with the RBF kernel, with gamma and alpha chosen from a small grid on the validation rows.

Up to a number of distinct training rows, ``HeadSettings.landmarks``, the equations are solved exactly, which takes
memory quadratic and time cubic in the number of rows. Beyond it, as many of the rows are the landmarks of a Nyström
approximation, which is fitted to all rows: see :mod:`sneaker_assets.vision.heads.nystrom`.

Source: Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2nd edition, section 5.8.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import pandas as pd
import torch
from torch import Tensor

from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.heads.cholesky import solve_in_place
from sneaker_assets.vision.heads.distinct_rows import DistinctRows
from sneaker_assets.vision.heads.networks import KernelBody, PriceHead
from sneaker_assets.vision.heads.nystrom import fit_nystrom, squared_distances
from sneaker_assets.vision.heads.ridge import best_row, mean_squared_errors, standardize_features
from sneaker_assets.vision.heads.training_rows import TrainingRows

GAMMAS = (0.2, 0.4, 0.8, 1.6, 3.2)
ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0)

FEW_LANDMARKS = 2000
"""Maximum number of landmarks with which gamma is chosen."""

_BLOCK = 2**22
"""Elements of a kernel matrix that are computed at a time where the whole matrix is not needed."""


def fit_kernel_ridge(
    head: PriceHead,
    features: Tensor,
    rows: TrainingRows,
    *,
    gammas: Sequence[float] = GAMMAS,
    alphas: Sequence[float] = ALPHAS,
    landmarks: int,
    seed: int = 0,
) -> tuple[pd.DataFrame, int, bool]:
    """Fit a kernel head, exactly or with landmarks.

    With landmarks gamma is chosen with a few of them, because each gamma takes a pass over all rows.

    Args:
        head: A head of kind ``kernel_ridge`` with fitted scales; its support, coefficients and smearing factor are set
            in place.
        features: float32 [N, D], raw.
        rows: Training and validation rows.
        gammas: Candidate RBF kernel coefficients.
        alphas: Candidate penalties.
        landmarks: Maximum number of support rows.
        seed: Seed of the choice of landmarks.

    Returns:
        One row for each point of the grid with columns ``gamma``, ``alpha``, ``train_mse`` and ``validation_mse`` (US
        dollars squared), with landmarks only those of the chosen gamma; the number of the best row; and whether the
        solution is exact.

    Raises:
        TrainingError: No point of the grid gives a finite validation error.
    """
    distinct = DistinctRows.from_features(features, rows.train, seed)
    if len(distinct) <= landmarks:
        history, best = KernelRidge.from_rows(head, features, rows, distinct, landmarks).fit(head, gammas, alphas)
        return history, best, True
    gamma = gammas[0]
    fit = partial(fit_nystrom, head, features, rows, distinct, alphas=alphas)
    if len(gammas) > 1:
        few = partial(fit, landmarks=min(landmarks, FEW_LANDMARKS))
        gamma = min(gammas, key=lambda gamma: _lowest_error(partial(few, gamma=gamma)))
    return *fit(landmarks=landmarks, gamma=gamma), False


def _lowest_error(fit: Callable[[], tuple[pd.DataFrame, int]]) -> float:
    """Lowest validation error of a fit; infinite if its equations cannot be solved."""
    try:
        history, best = fit()
    except TrainingError:
        return math.inf
    return float(history["validation_mse"].iloc[best])


@dataclass(frozen=True)
class KernelRidge:
    """Kernel ridge equations of fixed rows, with distances computed once for all gammas and alphas.

    Rows with equal features are merged into one with their mean target and their number, which has the same solution
    and is much faster.

    Attributes:
        rows: Training and validation rows.
        distinct: The training rows with duplicates merged.
        support: float32 [n, D], distinct standardized training rows.
        train_distances: float32 [n, n], mean squared differences of features between distinct rows.
        validation_distances: float32 [validation rows, n], the same from validation rows to distinct rows.
    """

    rows: TrainingRows
    distinct: DistinctRows
    support: Tensor
    train_distances: Tensor
    validation_distances: Tensor

    @classmethod
    def from_rows(
        cls, head: PriceHead, features: Tensor, rows: TrainingRows, distinct: DistinctRows, max_rows: int
    ) -> "KernelRidge":
        """Equations of the training rows, or of a random sample of them.

        Args:
            head: A head of kind ``kernel_ridge`` with fitted scales.
            features: float32 [N, D], raw.
            rows: Training and validation rows.
            distinct: The training rows with duplicates merged.
            max_rows: Maximum number of distinct rows; a sample is used if there are more.

        Returns:
            The equations.
        """
        if len(distinct) > max_rows:
            distinct, rows = distinct.first(max_rows, rows)
        x = torch.from_numpy(standardize_features(head, features[distinct.rows]))
        between, across = (_distances(head, features, chosen, x) for chosen in (distinct.rows, rows.validation))
        return cls(rows, distinct, x.float(), between, across)

    def fit(self, head: PriceHead, gammas: Sequence[float], alphas: Sequence[float]) -> tuple[pd.DataFrame, int]:
        """Fit a kernel head with the gamma and alpha of the grid that have the lowest validation error.

        Args:
            head: A head of kind ``kernel_ridge`` with fitted scales; its coefficients and smearing factor are set in
                place.
            gammas: Candidate RBF kernel coefficients.
            alphas: Candidate penalties.

        Returns:
            One row for each point of the grid with columns ``gamma``, ``alpha``, ``train_mse`` and ``validation_mse``
            (US dollars squared), and the number of the best row. Errors are NaN where the equations cannot be solved.

        Raises:
            TrainingError: No point of the grid gives a finite validation error.
        """
        body = cast("KernelBody", head.body)
        body.support = self.support
        mean = self.distinct.mean(head.standardize(self.rows.prices[self.rows.train]).double())
        points, solutions = list[dict[str, float]](), list[tuple[Tensor, Tensor]]()
        for gamma in gammas:
            coefficients = torch.stack([self._solve(gamma, alpha, mean) for alpha in alphas], dim=1)
            # The equations (K + diag(alpha / count)) c = mean give K c without another product.
            train = (
                mean[:, None] - coefficients * torch.tensor(alphas, dtype=torch.float64) / self.distinct.count[:, None]
            )
            validation = self._predict(gamma, coefficients)
            for column, alpha in enumerate(alphas):
                errors = mean_squared_errors(
                    head, self.rows, train[self.distinct.inverse, column], validation[:, column]
                )
                points.append({"gamma": gamma, "alpha": alpha, **errors})
                solutions.append((coefficients[:, column].float(), head.smearing.clone()))
        history = pd.DataFrame(points)
        best = best_row(history)
        body.coefficients, smearing = solutions[best]
        body.gamma.fill_(history["gamma"].iloc[best])
        head.smearing.copy_(smearing)
        return history, best

    def _solve(self, gamma: float, alpha: float, mean: Tensor) -> Tensor:
        """Coefficients float64 [n]; the kernel matrix is computed anew, because it takes more memory than time."""
        kernel = self.train_distances.double().mul_(-gamma).exp_()
        kernel.diagonal().add_(alpha / self.distinct.count)
        return solve_in_place(kernel, mean)

    def _predict(self, gamma: float, coefficients: Tensor) -> Tensor:
        """Standardized target float64 [validation rows, alphas]."""
        blocks = torch.split(self.validation_distances, max(1, _BLOCK // self.validation_distances.shape[1]))
        return torch.cat([block.double().mul_(-gamma).exp_() @ coefficients for block in blocks])


def _distances(head: PriceHead, features: Tensor, rows: Tensor, support: Tensor) -> Tensor:
    """Mean squared differences float32 [rows, n] of standardized features from ``support`` float64 [n, D]."""
    distances, size = torch.empty(len(rows), len(support)), max(1, _BLOCK // len(support))
    for block, target in zip(torch.split(rows, size), torch.split(distances, size), strict=True):
        target.copy_(squared_distances(torch.from_numpy(standardize_features(head, features[block])), support))
    return distances
