"""Provenance of a backbone's weights as a value. Nothing here imports torch."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sneaker_assets.errors import SneakerError
from sneaker_assets.vision.settings import WeightsChoice

WeightsKind = Literal["random", "packaged", "imagenet", "file"]

RANDOM_WEIGHTS_SEED = 0

HEAD = "its head"
"""``fine_tuned_from`` where no block of the backbone was trained, only the head."""

_LABELS = {
    "random": f"random (seed {RANDOM_WEIGHTS_SEED})",
    "packaged": "ImageNet (packaged)",
    "imagenet": "ImageNet",
}
_CHOICES: dict[WeightsKind, WeightsChoice] = {
    "random": "none",
    "packaged": "imagenet",
    "imagenet": "auto",
    "file": "auto",
}
_EXPLANATIONS = {"random": ": nothing was learned from photographs"}
_DESCRIPTION = re.compile(
    r"(?:(?P<random>random\b[^,]*)|(?P<packaged>ImageNet \(packaged\))|(?P<imagenet>ImageNet)|file (?P<file>.+?))"
    r"(?:, fine-tuned from (?P<block>.+) on)?"
)


class WeightsSourceError(SneakerError, ValueError):
    """A stored provenance of weights cannot be read; the message shows it."""


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Where a backbone's weights come from.

    Attributes:
        kind: ``random`` (drawn from a fixed seed), ``packaged`` (ImageNet weights installed as a Python package),
            ``imagenet`` (the library's published weights) or ``file``.
        file: Name of the file in the weights folder; None unless ``kind`` is ``file``.
        fine_tuned_from: Name of the first block trained by fine-tuning, :data:`HEAD` where none was; None for weights
            as they were published.
    """

    kind: WeightsKind
    file: str | None = None
    fine_tuned_from: str | None = None

    @property
    def choice(self) -> WeightsChoice:
        """The setting that loads these weights again, before any fine-tuning."""
        return _CHOICES[self.kind]

    @property
    def label(self) -> str:
        """A short description for legends and table cells, such as ``random (seed 0)``."""
        return f"file {self.file}" if self.kind == "file" else _LABELS[self.kind]

    def describe(self) -> str:
        """The provenance in words, as reports and the lake's tables state it; :meth:`parse` reads it back."""
        tuned = f", fine-tuned from {self.fine_tuned_from} on" if self.fine_tuned_from is not None else ""
        return f"{self.label}{_EXPLANATIONS.get(self.kind, '')}{tuned}"

    __str__ = describe

    def as_dict(self) -> dict[str, str]:
        """The provenance as a JSON object; fields that are None are omitted."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def parse(cls, stored: str | Mapping[str, Any]) -> "WeightsSource":
        """Read a provenance: what :meth:`as_dict` or :meth:`describe` returned.

        Models and feature stores of earlier versions, and the lake's tables, hold the description.

        Raises:
            WeightsSourceError: It is neither.
        """
        if not isinstance(stored, str):
            try:
                return cls(**stored)
            except TypeError as error:
                raise WeightsSourceError(f"unknown provenance of weights: {dict(stored)}") from error
        match = _DESCRIPTION.fullmatch(stored)
        if match is None:
            raise WeightsSourceError(f"unknown provenance of weights: {stored!r}")
        kinds: tuple[WeightsKind, ...] = ("random", "packaged", "imagenet", "file")
        kind = next(kind for kind in kinds if match[kind])
        return cls(kind, match["file"], match["block"])
