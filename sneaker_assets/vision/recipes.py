"""Recipes of the price model: features and heads that belong together.

Importing this module loads neither torch nor Dagster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.settings import ARTICLE_FEATURES, FeatureSettings, HeadSettings

RecipeName = Literal["default", "article"]

FRAME_HEIGHT, FRAME_WIDTH = 160, 384
"""Frame of the default recipe in pixels: about the shape of a shoe without its white border."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of one price model.

    Attributes:
        features: How images become features.
        head: How the head is trained on them.
    """

    features: FeatureSettings
    head: HeadSettings


ARTICLE = Recipe(
    ARTICLE_FEATURES,
    HeadSettings(
        kind="article",
        target="dollars",
        epochs=60,
        batch_size=64,
        learning_rate=1e-3,
        plateau_patience=10,
        plateau_factor=0.1,
    ),
)
"""The article's input, classifier and training."""

PRETRAINED = Recipe(
    FeatureSettings(fit="trim", height=FRAME_HEIGHT, width=FRAME_WIDTH, keep="grid", mirrored=True),
    HeadSettings(kind="kernel_ridge"),
)
"""The lowest validation error measured on pretrained backbones; ``benchmarks/RESULTS.md``, "Accuracy"."""

RANDOM = Recipe(FeatureSettings(height=FRAME_HEIGHT // 2, width=FRAME_WIDTH // 2), HeadSettings())
"""A small network on pooled features, for backbones with random weights.

More pixels hardly help them: VGG16 takes three times as long in a frame of 224x224, for 2 % of the validation RMSE on
the offline shop.
"""


def find_recipe(name: RecipeName, weights: WeightsSource) -> Recipe:
    """The settings of a recipe for a backbone.

    Args:
        name: ``article``, or ``default``: the best measured for weights of this kind.
        weights: Where the backbone's weights come from.
    """
    if name == "article":
        return ARTICLE
    return RANDOM if weights.kind == "random" else PRETRAINED


def recipe_of_features(manifest: Mapping[str, Any]) -> RecipeName:
    """The recipe whose head takes the features of a store: that of the article for whole feature maps.

    Args:
        manifest: The store's manifest.
    """
    return "article" if manifest["keep"] == ARTICLE_FEATURES.keep else "default"
