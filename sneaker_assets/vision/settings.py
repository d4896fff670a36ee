"""How pictures become features and features a price, as data. Nothing here loads torch."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

WeightsChoice = Literal["auto", "imagenet", "none"]
"""``auto``: a file of the weights folder where there is one, else ``imagenet``; ``none``: random, from a seed."""

Fit = Literal["trim", "pad", "squash"]
"""How a picture fills its frame: its white border cut and padded with white, only padded, or squashed."""

Keep = Literal["pooled", "scales", "map"]
"""What is kept of a network's maps.

``pooled``: average and maximum over the last one; ``scales``: average, maximum and deviation over the last one of each
of three sizes; ``map``: the last one itself (7x7, as VGG's classifier takes it).
"""

View = Literal["plain", "mirrored"]
VIEWS: tuple[View, ...] = ("plain", "mirrored")
HeadKind = Literal["pooled", "article", "ridge", "kernel_ridge", "mixed"]
"""``mixed`` is a pooled network and a kernel ridge, a share of each."""

CLOSED_FORMS: tuple[HeadKind, ...] = ("ridge", "kernel_ridge")
Target = Literal["dollars", "log"]


@dataclass(frozen=True)
class FeatureSettings:
    """How pictures become features; ``height`` and ``width`` in pixels, None for the backbone's own."""

    fit: Fit = "trim"
    height: int | None = None
    width: int | None = None
    keep: Keep = "pooled"
    mirrored: bool = False

    @property
    def views(self) -> tuple[View, ...]:
        """The views that are computed."""
        return VIEWS if self.mirrored else VIEWS[:1]


ARTICLE_FEATURES = FeatureSettings(fit="squash", height=224, width=336, keep="map", mirrored=True)
"""What the article fed its VGG16."""


@dataclass(frozen=True)
class HeadSettings:
    """How a head is trained on the backbone's features; the numbers of the networks are the article's.

    ``patience`` is how many epochs without progress end the training; ``hidden`` is the pooled network's width;
    ``gamma`` and ``alpha`` are the kernel ridge's width and penalty, None for the best of a small grid.
    """

    kind: HeadKind = "pooled"
    target: Target = "dollars"
    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 1e-3
    plateau_patience: int = 10
    plateau_factor: float = 0.1
    patience: int = 15
    hidden: int = 256
    dropout: float = 0.5
    weight_decay: float = 0.0
    gamma: float | None = None
    alpha: float | None = None
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self)


TunedKind = Literal["pooled", "kernel_ridge"]


@dataclass(frozen=True)
class TuningSettings:
    """How long settings are looked for.

    ``network_trials`` and ``kernel_trials`` are how many there are in all, those of an earlier run counted in;
    ``minutes`` ends the search sooner. ``epochs`` and ``patience`` are a trial's.
    """

    network_trials: int = 100
    kernel_trials: int = 24
    minutes: float = 10.0
    epochs: int = 20
    patience: int = 4
    seed: int = 0


@dataclass(frozen=True)
class FinetuneSettings:
    """How a backbone is trained further together with its head.

    ``unfreeze_from`` is the first block that is trained (``features.14``; empty: none; None: the architecture's
    default). Where ``copies`` is 0, pictures are augmented anew each epoch and go through the whole network; else the
    blocks below see that many augmented copies of each picture once, and the copies are kept. ``rotation`` is in
    degrees; ``colour`` is a share of
    brightness, contrast and saturation. ``warm_up`` is a share of all steps. ``micro_batch`` is what goes through the
    network at once; ``batch_size`` is what a step counts, over all processes. ``bfloat16`` is taken where the device is
    made for it. Where it is ``mixed``, a kernel ridge is fitted to the trained network's features afterwards, and its
    prices are mixed with those of the head that was trained along.
    """

    unfreeze_from: str | None = None
    freeze_batch_norm: bool = True
    fit: Fit = "trim"
    height: int | None = None
    width: int | None = None
    copies: int = 2
    flip: bool = True
    rotation: float = 6.0
    colour: float = 0.15
    target: Target = "dollars"
    hidden: int = 256
    dropout: float = 0.5
    epochs: int = 8
    batch_size: int = 64
    micro_batch: int = 64
    learning_rate: float = 5e-4
    head_learning_rate: float = 3e-4
    weight_decay: float = 0.01
    warm_up: float = 0.1
    ema_decay: float = 0.99
    clip: float = 1.0
    bfloat16: bool = True
    mixed: bool = True
    seed: int = 0

    @property
    def features(self) -> FeatureSettings:
        """What is kept of the trained network; a kernel does better with more of it."""
        keep: Keep = "scales" if self.mixed else "pooled"
        return FeatureSettings(fit=self.fit, height=self.height, width=self.width, keep=keep, mirrored=self.mixed)

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self)
