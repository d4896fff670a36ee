"""Training rows with equal features merged into one, which leaves the solution of kernel ridge regression unchanged."""

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sneaker_assets.vision.heads.training_rows import TrainingRows


@dataclass(frozen=True)
class DistinctRows:
    """Training rows with duplicates merged.

    The distinct rows are ordered by a keyed hash of their features. The first m of them are therefore a random sample
    that does not depend on the order of the rows, and most of it stays when rows are added.

    Attributes:
        rows: int64 [n], row number of the first occurrence of each distinct row.
        inverse: int64 [training rows], the distinct row of each training row.
        count: float64 [n], number of training rows merged into each distinct row.
    """

    rows: Tensor
    inverse: Tensor
    count: Tensor

    @classmethod
    def from_features(cls, features: Tensor, train: Tensor, seed: int = 0) -> "DistinctRows":
        """Merge the training rows that have equal features.

        Args:
            features: float32 [N, D].
            train: int64, row numbers of the training split.
            seed: Key of the hashes.

        Returns:
            The distinct rows.
        """
        key = str(seed).encode()
        # Adding zero makes a negative zero positive, whose bytes differ.
        digests = [
            hashlib.blake2b((features[row] + 0.0).numpy().tobytes(), digest_size=16, key=key).digest()
            for row in train.tolist()
        ]
        numbers = {digest: number for number, digest in enumerate(sorted(set(digests)))}
        inverse = torch.tensor([numbers[digest] for digest in digests])
        rows = torch.empty(len(numbers), dtype=torch.int64)
        # Written from the last to the first, so that the first occurrence remains.
        for row, number in zip(train.flip(0).tolist(), inverse.flip(0).tolist(), strict=True):
            rows[number] = row
        return cls(rows, inverse, torch.bincount(inverse).double())

    def __len__(self) -> int:
        return len(self.rows)

    def mean(self, values: Tensor) -> Tensor:
        """Mean of the values of the training rows merged into each distinct row.

        Args:
            values: float64 [training rows].

        Returns:
            float64 [n].
        """
        return torch.zeros(len(self), dtype=torch.float64).index_add_(0, self.inverse, values) / self.count

    def first(self, size: int, rows: TrainingRows) -> tuple["DistinctRows", TrainingRows]:
        """The first distinct rows, a random sample.

        Args:
            size: Number of distinct rows.
            rows: The rows that were merged.

        Returns:
            The first distinct rows; and ``rows`` with only the training rows that were merged into them.
        """
        kept = self.inverse < size
        sample = DistinctRows(self.rows[:size], self.inverse[kept], self.count[:size])
        return sample, replace(rows, train=rows.train[kept])
