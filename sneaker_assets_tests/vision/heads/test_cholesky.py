import pytest
import torch

from sneaker_assets.vision.heads.cholesky import factor_in_place, solve_in_place


def system(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A positive definite matrix, its lower triangle with other values above, and a right-hand side."""
    generator = torch.Generator().manual_seed(n)
    half = torch.randn(n, n + 2, dtype=torch.float64, generator=generator)
    matrix = half @ half.T + torch.eye(n, dtype=torch.float64)
    lower = matrix.tril() + torch.full_like(matrix, 7.0).triu(1)
    return matrix, lower, torch.randn(n, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("n", [1, 2, 50])
def test_factor_is_that_of_the_lower_triangle_and_takes_its_memory(n: int) -> None:
    matrix, lower, _ = system(n)
    factor = factor_in_place(lower)
    assert torch.allclose(factor, torch.linalg.cholesky(matrix))
    assert factor.data_ptr() == lower.data_ptr()


@pytest.mark.parametrize("n", [1, 2, 50])
def test_solution_satisfies_the_equations(n: int) -> None:
    matrix, lower, right = system(n)
    assert torch.allclose(matrix @ solve_in_place(lower, right), right)
