"""Cholesky factorization in the memory of the matrix, which torch would copy several times.

LAPACK works on columns: a symmetric matrix stored by rows is its own transpose, so that no copy is needed.

scipy: https://docs.scipy.org/doc/scipy/reference/generated/scipy.linalg.cholesky.html
"""

import torch
from torch import Tensor


def factor_in_place(matrix: Tensor) -> Tensor:
    """Lower triangular Cholesky factor of a positive definite matrix.

    Args:
        matrix: float64 [n, n], contiguous; only its lower triangle is read. It is overwritten.

    Returns:
        float64 [n, n], in the memory of ``matrix``.
    """
    import scipy.linalg  # noqa: PLC0415 - slow to import and unnecessary for pricing

    upper = scipy.linalg.cholesky(matrix.numpy().T, lower=False, overwrite_a=True, check_finite=False)
    return torch.from_numpy(upper.T)


def solve_in_place(matrix: Tensor, right: Tensor) -> Tensor:
    """Solution of a positive definite system of linear equations.

    Args:
        matrix: float64 [n, n], contiguous; only its lower triangle is read. It is overwritten.
        right: float64 [n].

    Returns:
        float64 [n].
    """
    import scipy.linalg  # noqa: PLC0415 - slow to import and unnecessary for pricing

    factor = factor_in_place(matrix).numpy().T
    return torch.from_numpy(scipy.linalg.cho_solve((factor, False), right.numpy(), check_finite=False))
