import numpy as np
import pytest
import torch

from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.heads.training_rows import InMemoryFeatures, check_finite, split_rows


def test_split_rows_returns_row_numbers_and_ignores_test_rows() -> None:
    rows = split_rows(np.array([1.0, 2.0, 3.0, 4.0]), np.array(["train", "test", "validation", "train"]))
    assert rows.train.tolist() == [0, 3]
    assert rows.validation.tolist() == [2]
    assert rows.prices.dtype == torch.float32
    assert rows.prices.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        (["train", "test"], "1 training and 0 validation listings are too few"),
        (["train", "train"], "2 training and 0 validation"),
        (["train", "validation"], "1 training and 1 validation"),
    ],
)
def test_split_rows_reports_how_many_rows_there_are_when_too_few(sides: list[str], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        split_rows(np.ones(len(sides)), np.array(sides))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_check_finite_rejects_a_single_non_finite_feature(value: float) -> None:
    features = torch.zeros(2, 3, 4)
    check_finite(features)
    features[1, 2, 3] = value
    with pytest.raises(TrainingError, match=r"^the features of 1 of 3 listings are not finite .* row 2\): remove"):
        check_finite(features)


def test_in_memory_features_take_the_requested_view_of_each_row() -> None:
    source = InMemoryFeatures(torch.arange(12.0).reshape(2, 3, 2))
    assert source.n_views == 2
    assert source.take(torch.tensor([2, 0]), torch.tensor([0, 1])).tolist() == [[4, 5], [6, 7]]
