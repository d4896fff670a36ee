"""Training and validation rows of a head, and access to their features."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sneaker_assets.vision.errors import TrainingError


class FeatureSource(Protocol):
    """Random access to the features of each row, computed in advance or on demand."""

    @property
    def n_views(self) -> int:
        """Number of views of each row."""

    def take(self, rows: Tensor, views: Tensor) -> Tensor:
        """Features of the given rows, each in one of its views.

        Args:
            rows: int64 [n], row numbers.
            views: int64 [n], the view to take of each row.

        Returns:
            float32 [n, D].
        """


@dataclass(frozen=True)
class InMemoryFeatures:
    """Features that were computed in advance.

    Attributes:
        features: float32 [views, N, D].
    """

    features: Tensor

    @property
    def n_views(self) -> int:
        """Number of views of each row."""
        return len(self.features)

    def take(self, rows: Tensor, views: Tensor) -> Tensor:
        """See :meth:`FeatureSource.take`."""
        return self.features[views, rows]


@dataclass(frozen=True)
class TrainingRows:
    """Prices of all rows, and which of them belong to the training and validation splits.

    Attributes:
        prices: float32 [N], US dollars.
        train: int64, row numbers of the training split.
        validation: int64, row numbers of the validation split.
    """

    prices: Tensor
    train: Tensor
    validation: Tensor

    @property
    def price_range(self) -> tuple[float, float]:
        """Lowest and highest training price, US dollars."""
        prices = self.prices[self.train]
        return float(prices.min()), float(prices.max())


def split_rows(prices: NDArray[np.float64], splits: NDArray[np.str_]) -> TrainingRows:
    """Training and validation rows by the names of their splits.

    Args:
        prices: float64 [N], US dollars, positive.
        splits: [N], each of ``tables.SPLITS``; rows of any other split than ``train`` and ``validation`` are unused.

    Returns:
        The rows.

    Raises:
        TrainingError: There are fewer than two training rows, or no validation row, or one of them has no positive
            price.
    """
    train, validation = np.flatnonzero(splits == "train"), np.flatnonzero(splits == "validation")
    if len(train) < 2 or len(validation) < 1:
        raise TrainingError(
            f"{len(train)} training and {len(validation)} validation listings are too few to train on: "
            "crawl more pages, or change the proportions of the splits"
        )
    rows = TrainingRows(
        torch.tensor(prices, dtype=torch.float32), torch.from_numpy(train), torch.from_numpy(validation)
    )
    _check_prices(rows)
    return rows


def _check_prices(rows: TrainingRows) -> None:
    used = torch.cat([rows.train, rows.validation]).sort().values
    invalid = used[~(torch.isfinite(rows.prices[used]) & (rows.prices[used] > 0))]
    if len(invalid):
        raise TrainingError(
            f"{len(invalid)} of {len(used)} training and validation listings have no positive price (the first is row "
            f"{int(invalid[0])} with {float(rows.prices[invalid[0]]):g}): materialize clean_listings and splits again"
        )


def mean_over_views(features: Tensor) -> Tensor:
    """Features averaged over the views, without a copy if there is one view.

    Args:
        features: float32 [views, N, D].

    Returns:
        float32 [N, D].
    """
    return features[0] if len(features) == 1 else features.mean(0)


def check_finite(features: Tensor) -> None:
    """Raise if any feature is NaN or infinite, as a backbone that overflows produces.

    Args:
        features: float32 [views, N, D].

    Raises:
        TrainingError: A feature is not finite.
    """
    if features.numel() and not torch.isfinite(torch.stack(torch.aminmax(features))).all():
        (rows,) = torch.where(~torch.isfinite(features).all(2).all(0))
        raise TrainingError(
            f"the features of {len(rows)} of {features.shape[1]} listings are not finite numbers (the first is row "
            f"{int(rows[0])}): remove the feature store and materialize image_features again"
        )
