"""What a conditional generator is told about each image, such as its price band and its colour.

Mirza, Osindero: Conditional Generative Adversarial Nets (2014), https://arxiv.org/abs/1411.1784
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from sneaker_assets.errors import SneakerError

IMAGES = "images"
"""Column of :attr:`Conditions.counts` with the number of training images."""


class ConditionError(SneakerError, LookupError):
    """No training image meets the wanted conditions; the message lists those that are met."""


@dataclass(frozen=True)
class Conditions:
    """Combinations of labels among the training images.

    Attributes:
        counts: One row per combination that occurs, ordered by its labels: a column of labels (strings) for each
            condition and ``images``, the number of training images.
    """

    counts: pd.DataFrame

    @classmethod
    def of(cls, labels: pd.DataFrame) -> Self:
        """The combinations that occur.

        Args:
            labels: One row per image and one column of strings per condition.
        """
        return cls(labels.groupby(list(labels), sort=True).size().rename(IMAGES).reset_index())

    @classmethod
    def from_json(cls, rows: Sequence[Mapping[str, Any]]) -> Self:
        """Read the result of :meth:`to_json`."""
        return cls(pd.DataFrame([dict(row) for row in rows]))

    def to_json(self) -> list[dict[str, Any]]:
        """The rows of :attr:`counts` as JSON values."""
        return [{str(name): value for name, value in row.items()} for row in self.counts.to_dict("records")]

    @property
    def names(self) -> dict[str, list[str]]:
        """The labels of each condition that occur, sorted."""
        columns = [column for column in self.counts if column != IMAGES]
        return {str(column): sorted(self.counts[column].unique()) for column in columns}

    @property
    def width(self) -> int:
        """Length C of an encoded combination."""
        return sum(map(len, self.names.values()))

    def encode(self, labels: pd.DataFrame) -> Tensor:
        """Labels as network inputs.

        Args:
            labels: One column of strings per condition, with labels that occur.

        Returns:
            float32 [N, C]: for each condition, in order, a one at the label's position and zeros elsewhere.
        """
        codes = [
            one_hot(torch.tensor(pd.Categorical(labels[name], known).codes, dtype=torch.long), len(known))
            for name, known in self.names.items()
        ]
        return torch.cat(codes, dim=1).float()

    def draw(self, n: int, seed: int, **wanted: str | None) -> pd.DataFrame:
        """Labels for new images, distributed like those of the training images that meet the wanted conditions.

        The same seed uses the same random numbers for all wanted conditions.

        Args:
            n: Number of images.
            seed: Random seed.
            **wanted: Label of a condition; None leaves it open.

        Returns:
            n rows, with one column of strings per condition.

        Raises:
            ConditionError: No training image meets them.
        """
        rows = self._meeting({name: label for name, label in wanted.items() if label is not None})
        shares = (rows[IMAGES].cumsum() / rows[IMAGES].sum()).to_numpy()
        drawn = np.searchsorted(shares[:-1], np.random.default_rng(seed).random(n), side="right")
        return rows.drop(columns=IMAGES).iloc[drawn].reset_index(drop=True)

    def _meeting(self, wanted: Mapping[str, str]) -> pd.DataFrame:
        """The combinations that meet the wanted conditions.

        Raises:
            ConditionError: There are none.
        """
        rows, met = self.counts, list[str]()
        for name, label in wanted.items():
            if name not in self.names:
                raise ConditionError(f"the generator has no condition {name!r}: it has {', '.join(self.names)}")
            found = rows[rows[name] == label]
            if found.empty:
                there = ", ".join(f"{known} ({n:,})" for known, n in rows.groupby(name)[IMAGES].sum().items())
                raise ConditionError(
                    f"no training image {'of ' + ', '.join(met) + ' ' if met else ''}has the {name} {label!r}: "
                    f"choose one of {there}"
                )
            rows, met = found, [*met, f"{name} {label}"]
        return rows
