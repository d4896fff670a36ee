"""Cholesky factorization in the memory of the matrix, which torch would copy several times.

LAPACK works on columns: a symmetric matrix stored by rows is its own transpose, so that no copy is needed.

scipy: https://docs.scipy.org/doc/scipy/reference/generated/scipy.linalg.cholesky.html
"""

import torch
from torch import Tensor

from sneaker_assets.vision.errors import TrainingError


def factor_in_place(matrix: Tensor) -> Tensor:
    """Lower triangular Cholesky factor of a positive definite matrix.

    Args:
        matrix: float64 [n, n], contiguous; only its lower triangle is read. It is overwritten.

    Returns:
        float64 [n, n], in the memory of ``matrix``.

    Raises:
        TrainingError: Rounding makes the matrix indefinite, or it is not finite.
    """
    import scipy.linalg  # noqa: PLC0415 - slow to import and unnecessary for pricing

    try:
        upper = scipy.linalg.cholesky(matrix.numpy().T, lower=False, overwrite_a=True, check_finite=False)
    except scipy.linalg.LinAlgError as error:
        raise TrainingError(
            f"the equations of the head cannot be solved ({error}): raise alpha, or leave alpha and gamma unset"
        ) from error
    return torch.from_numpy(upper.T)


def solve_in_place(matrix: Tensor, right: Tensor) -> Tensor:
    """Solution of a positive definite system of linear equations.

    Args:
        matrix: float64 [n, n], contiguous; only its lower triangle is read. It is overwritten.
        right: float64 [n].

    Returns:
        float64 [n]; NaN if rounding makes the matrix indefinite, so that other hyperparameters can be tried.
    """
    import scipy.linalg  # noqa: PLC0415 - slow to import and unnecessary for pricing

    try:
        factor = factor_in_place(matrix).numpy().T
    except TrainingError:
        return torch.full_like(right, torch.nan)
    return torch.from_numpy(scipy.linalg.cho_solve((factor, False), right.numpy(), check_finite=False))
