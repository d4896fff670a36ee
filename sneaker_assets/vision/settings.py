"""How the price model is trained, as data; the article's numbers are the defaults. Nothing here loads torch."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

WeightsChoice = Literal["auto", "imagenet", "none"]
"""``auto``: a file of the weights folder where there is one, else ``imagenet``; ``none``: random, from a seed."""


@dataclass(frozen=True)
class HeadConfig:
    """How the head is trained on the backbone's features."""

    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 1e-3
    plateau_patience: int = 10
    plateau_factor: float = 0.1
    hidden: int = 256
    dropout: float = 0.5
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self)
