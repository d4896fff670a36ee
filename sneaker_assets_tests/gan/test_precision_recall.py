import pytest
import torch

from sneaker_assets.gan.precision_recall import nearest, precision_and_recall, spread


def cloud(count: int, seed: int, centre: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed)) + centre


def test_the_same_distribution_is_precise_and_complete_and_another_place_neither() -> None:
    precision, recall = precision_and_recall(cloud(200, 0), cloud(200, 1))
    assert min(precision, recall) > 0.7
    assert precision_and_recall(cloud(200, 0), cloud(200, 1, centre=50.0)) == (0.0, 0.0)


def test_drawing_one_of_two_kinds_is_precise_and_recalls_half() -> None:
    both = torch.cat([cloud(100, 0), cloud(100, 1, centre=50.0)])
    precision, recall = precision_and_recall(both, cloud(200, 2))
    assert precision > 0.8
    assert recall == pytest.approx(0.5, abs=0.1)


def test_drawing_a_kind_that_is_not_there_recalls_all_and_is_half_precise() -> None:
    precision, recall = precision_and_recall(cloud(200, 2), torch.cat([cloud(100, 0), cloud(100, 1, centre=50.0)]))
    assert precision == pytest.approx(0.5, abs=0.1)
    assert recall > 0.7


def test_the_nearest_come_first() -> None:
    known = torch.tensor([[0.0, 0.0], [3.0, 0.0], [1.0, 0.0]])
    distances, rows = nearest(torch.tensor([[0.9, 0.0]]), known, count=2)
    assert rows.tolist() == [[2, 0]]
    assert distances.tolist() == [[pytest.approx(0.1), pytest.approx(0.9)]]


def test_copies_of_a_few_points_have_no_spread() -> None:
    assert spread(cloud(50, 0).repeat(2, 1)) < 0.01 < spread(cloud(100, 0))
