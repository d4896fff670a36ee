"""Settings of features, price heads, tuning and fine-tuning. Importing this module loads neither torch nor Dagster.

The names and the order of the fields of ``HeadSettings`` and ``FinetuneSettings`` are part of the fingerprints that
name model folders: changing either gives every model a new name.
"""

from typing import Annotated, Literal

from pydantic import Field

from sneaker_assets.settings.model import SettingsModel

WeightsChoice = Literal["auto", "local", "imagenet", "none"]

Fit = Literal["trim", "pad", "squash"]

Keep = Literal["pooled", "scales", "grid", "map"]

View = Literal["plain", "mirrored"]
VIEWS: tuple[View, ...] = ("plain", "mirrored")

HeadKind = Literal["pooled", "article", "ridge", "kernel_ridge", "mixed"]

CLOSED_FORMS: tuple[HeadKind, ...] = ("ridge", "kernel_ridge")
"""Head kinds that are solved in closed form, without epochs."""

Target = Literal["dollars", "log"]

_FitField = Annotated[
    Fit,
    Field(
        description="How an image fills the frame. trim: crop the white border, keep the aspect ratio, pad with white; "
        "pad: keep the border, pad with white; squash: stretch to the frame."
    ),
]
_Height = Annotated[int | None, Field(gt=0, description="Frame height in pixels; default: the backbone's own.")]
_Width = Annotated[int | None, Field(gt=0, description="Frame width in pixels; default: the backbone's own.")]
_Target = Annotated[
    Target,
    Field(
        description="What the head predicts: dollars, or log: the logarithm of the price, transformed back with a "
        "smearing correction."
    ),
]
_Hidden = Annotated[int, Field(gt=0, description="Width of the head's hidden layer.")]
_Dropout = Annotated[float, Field(ge=0, lt=1, description="Dropout rate of the hidden layer.")]
_WeightDecay = Annotated[float, Field(ge=0, description="Decoupled weight decay of AdamW.")]
_Epochs = Annotated[int, Field(gt=0, description="Maximum number of passes over the training rows.")]
_Seed = Annotated[int, Field(description="Random seed.")]


class WeightsSettings(SettingsModel):
    """Where a backbone's weights come from."""

    weights: WeightsChoice = Field(
        default="auto",
        description="Weights of the backbone. auto: the file in the folder SNEAKER_WEIGHTS, else the packaged ImageNet "
        "weights, else downloaded ones (with the offline shop: local); local: the same without downloads, else random; "
        "imagenet: packaged or downloaded ImageNet weights, whatever is in the folder; none: random.",
    )


class FeatureSettings(SettingsModel):
    """How images become features."""

    fit: _FitField = "trim"
    height: _Height = None
    width: _Width = None
    keep: Keep = Field(
        default="pooled",
        description="What is kept of the feature maps. pooled: average and maximum of the last map; scales: average, "
        "maximum and standard deviation of the last map at each of three sizes; grid: signed square roots of "
        "average and standard deviation of the last two of them, and of averages of the larger one in the cells of a "
        "grid, the best input of a kernel ridge; map: the last map itself, which the head "
        "of kind article needs.",
    )
    mirrored: bool = Field(default=False, description="Also compute the features of the mirrored image.")

    @property
    def views(self) -> tuple[View, ...]:
        """The views of an image that are computed."""
        return VIEWS if self.mirrored else VIEWS[:1]


ARTICLE_FEATURES = FeatureSettings(fit="squash", height=224, width=336, keep="map", mirrored=True)
"""The input of the article's VGG16."""


class HeadSettings(SettingsModel):
    """How a price head is trained on the features of a frozen backbone; the defaults of networks are the article's."""

    kind: HeadKind = Field(
        default="pooled",
        description="pooled: a network with one hidden layer; article: the article's network of 25088-4096-4096-1 on "
        "whole maps; ridge; kernel_ridge; mixed: an ensemble of a pooled network and a kernel ridge.",
    )
    target: _Target = "dollars"
    epochs: _Epochs = 60
    batch_size: int = Field(default=64, gt=0, description="Rows per step.")
    learning_rate: float = Field(default=1e-3, gt=0, description="Initial learning rate of AdamW.")
    plateau_patience: int = Field(
        default=10, ge=0, description="Epochs without improvement before the learning rate is reduced."
    )
    plateau_factor: float = Field(
        default=0.1, gt=0, lt=1, description="Factor by which the learning rate is reduced on a plateau."
    )
    patience: int = Field(
        default=15, gt=0, description="Early stopping: epochs without improvement before training ends."
    )
    hidden: _Hidden = 256
    dropout: _Dropout = 0.5
    weight_decay: _WeightDecay = 0.0
    gamma: float | None = Field(
        default=None, gt=0, le=1e6, description="RBF kernel coefficient gamma; default: chosen from a small grid."
    )
    alpha: float | None = Field(
        default=None, gt=0, le=1e6, description="Ridge penalty of the kernel ridge; default: chosen from a small grid."
    )
    landmarks: int = Field(
        default=8000,
        gt=0,
        description="Maximum number of distinct training images for which a kernel ridge is solved exactly; with more, "
        "a random sample of this many supports a Nyström approximation. Memory grows with its square.",
    )
    seed: _Seed = 0


TunedKind = Literal["pooled", "kernel_ridge"]


class TuningSettings(SettingsModel):
    """Budget of a hyperparameter search; a later, larger one resumes the earlier study."""

    network_trials: int = Field(default=100, gt=0, description="Number of network trials, including earlier runs.")
    kernel_trials: int = Field(default=24, gt=0, description="Number of kernel ridge trials, including earlier runs.")
    minutes: float = Field(default=10.0, gt=0, description="Time limit of the search in minutes.")
    epochs: int = Field(default=20, gt=0, description="Maximum number of epochs of a network trial.")
    patience: int = Field(default=4, gt=0, description="Early stopping of a network trial, in epochs.")
    seed: _Seed = 0


class FinetuneSettings(SettingsModel):
    """How the upper blocks of a backbone are trained together with a head."""

    unfreeze_from: str | None = Field(
        default=None,
        description="First block to train, such as features.14 or layer4; empty: train the head alone; default: the "
        "backbone's last stage.",
    )
    freeze_batch_norm: bool = Field(default=True, description="Freeze the running statistics of batch norms.")
    fit: _FitField = "trim"
    height: _Height = None
    width: _Width = None
    copies: int = Field(
        default=2,
        ge=0,
        description="Augmented copies of each image whose activations in the frozen blocks are cached; 0: augment anew "
        "in each epoch and run the whole network.",
    )
    flip: bool = Field(default=True, description="Flip half of the images horizontally.")
    rotation: float = Field(default=6.0, ge=0, le=45, description="Maximum rotation in degrees.")
    colour: float = Field(
        default=0.15, ge=0, lt=1, description="Maximum relative change of brightness, contrast and saturation."
    )
    target: _Target = "dollars"
    hidden: _Hidden = 256
    dropout: _Dropout = 0.5
    epochs: _Epochs = 8
    batch_size: int = Field(default=64, gt=0, description="Rows per step, over all processes.")
    micro_batch: int = Field(
        default=64, gt=0, description="Rows per forward pass; halved where they do not fit into memory."
    )
    learning_rate: float = Field(default=5e-4, gt=0, description="Peak learning rate of the backbone.")
    head_learning_rate: float = Field(default=3e-4, gt=0, description="Peak learning rate of the head.")
    weight_decay: _WeightDecay = 0.01
    warm_up: float = Field(default=0.1, ge=0, lt=1, description="Share of the steps with a linear warm-up.")
    ema_decay: float = Field(default=0.99, ge=0, lt=1, description="Decay of the moving average of the weights.")
    clip: float = Field(default=1.0, gt=0, description="Maximum gradient norm.")
    bfloat16: bool = Field(default=True, description="Use bfloat16 where the device supports it in hardware.")
    mixed: bool = Field(
        default=True,
        description="Add a kernel ridge on the trained network's features, weighted with the head on validation rows.",
    )
    seed: _Seed = 0

    @property
    def features(self) -> FeatureSettings:
        """The features taken from the trained network: more of them where a kernel ridge is added."""
        keep: Keep = "grid" if self.mixed else "pooled"
        return FeatureSettings(fit=self.fit, height=self.height, width=self.width, keep=keep, mirrored=self.mixed)


class EnsembleSettings(SettingsModel):
    """Which models an ensemble contains."""

    min_share: float = Field(
        default=0.05, ge=0, lt=1, description="Members with a smaller share are left out: each costs time per picture."
    )
    min_gain: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="Minimum improvement of the validation RMSE over the best member's, as a share of it; with less "
        "there is no ensemble.",
    )
