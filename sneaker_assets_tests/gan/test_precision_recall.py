import pytest
import torch

from sneaker_assets.gan.precision_recall import median_neighbour_distance, nearest_neighbours, precision_and_recall


def cloud(count: int, seed: int, centre: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed)) + centre


def test_precision_and_recall_are_high_for_equal_and_zero_for_disjoint_distributions() -> None:
    precision, recall = precision_and_recall(cloud(200, 0), cloud(200, 1))
    assert min(precision, recall) > 0.7
    assert precision_and_recall(cloud(200, 0), cloud(200, 1, centre=50.0)) == (0.0, 0.0)


def test_missing_one_of_two_modes_halves_recall() -> None:
    both = torch.cat([cloud(100, 0), cloud(100, 1, centre=50.0)])
    precision, recall = precision_and_recall(both, cloud(200, 2))
    assert precision > 0.8
    assert recall == pytest.approx(0.5, abs=0.1)


def test_adding_a_spurious_mode_halves_precision() -> None:
    precision, recall = precision_and_recall(cloud(200, 2), torch.cat([cloud(100, 0), cloud(100, 1, centre=50.0)]))
    assert precision == pytest.approx(0.5, abs=0.1)
    assert recall > 0.7


def test_nearest_neighbours_are_sorted_by_distance() -> None:
    known = torch.tensor([[0.0, 0.0], [3.0, 0.0], [1.0, 0.0]])
    distances, indices = nearest_neighbours(torch.tensor([[0.9, 0.0]]), known, count=2)
    assert indices.tolist() == [[2, 0]]
    assert distances.tolist() == [[pytest.approx(0.1), pytest.approx(0.9)]]


def test_duplicated_points_have_no_distance_to_their_neighbours() -> None:
    assert median_neighbour_distance(cloud(50, 0).repeat(2, 1)) < 0.01 < median_neighbour_distance(cloud(100, 0))
