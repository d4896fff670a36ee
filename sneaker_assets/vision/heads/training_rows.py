"""The rows that a head learns from: features, prices and sides of the split, checked before hours of work."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sneaker_assets.vision.errors import TrainingError


class FeatureSource(Protocol):
    """Where features come from, row by row: kept ones here; a network that still learns would compute them."""

    @property
    def n_views(self) -> int:
        """How many views there are of each row."""

    def take(self, rows: Tensor, views: Tensor) -> Tensor:
        """Features float32 [n, D] of ``rows``, each in the view given for it; both int64 [n]."""


@dataclass(frozen=True)
class KeptFeatures:
    """Features float32 [views, N, D] in memory."""

    features: Tensor

    @property
    def n_views(self) -> int:
        """How many views there are of each row."""
        return len(self.features)

    def take(self, rows: Tensor, views: Tensor) -> Tensor:
        """See :class:`FeatureSource`."""
        return self.features[views, rows]


@dataclass(frozen=True)
class Rows:
    """Prices float32 [N] in US dollars, and which of the N rows are trained and validated on (int64)."""

    prices: Tensor
    train: Tensor
    validation: Tensor


def split_rows(prices: NDArray[np.float64], splits: NDArray[np.str_]) -> Rows:
    """The rows by side.

    Args:
        prices: float64 [N], US dollars, positive.
        splits: [N], of ``tables.SPLITS``.

    Raises:
        TrainingError: there are fewer than two rows to train on, or none to validate on.
    """
    train, validation = np.flatnonzero(splits == "train"), np.flatnonzero(splits == "validation")
    if len(train) < 2 or len(validation) < 1:
        raise TrainingError(
            f"{len(train)} training and {len(validation)} validation listings are too few to train on: "
            "crawl more pages, or change the proportions of the splits"
        )
    return Rows(torch.tensor(prices, dtype=torch.float32), torch.from_numpy(train), torch.from_numpy(validation))


def check_numbers(features: Tensor) -> None:
    """Refuse features that are no numbers, which a network that overflows gives.

    Raises:
        TrainingError: there are some.
    """
    if not torch.isfinite(features).all():
        raise TrainingError("some features are no numbers: materialize image_features again")
