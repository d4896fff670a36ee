"""The settings of a GAN's training; known without torch, so that a form can show them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

Recipe = Literal["default", "article"]
RECIPE_NAMES: tuple[Recipe, ...] = get_args(Recipe)


@dataclass(frozen=True)
class GanSettings:
    """The settings of one training; as they stand, the default recipe.

    The loss is binary cross-entropy on logits, in either recipe.

    Attributes:
        epochs: passes over the images, in total: a later call with more goes on from where this one ended.
        batch_size: images a step; fewer where there are fewer.
        size: side of the images in pixels, a power of two from 8.
        latent: length of a noise vector.
        generator_width: channels of the generator's last hidden block.
        discriminator_width: channels of the discriminator's first block.
        generator_lr: Adam's learning rate for the generator.
        discriminator_lr: Adam's learning rate for the discriminator.
        betas: Adam's decay rates.
        ema_decay: what the averaged generator keeps at each step, less in the first steps; at 0 it is the present one.
        augment: whether the discriminator sees its images shifted at random, real and generated ones alike.
        spectral_norm: whether the discriminator's convolutions are kept from growing.
        seed: of weights, noise, order and augmentation.
        checkpoint_every: epochs between two checkpoints, each with a grid of samples and its quality.
    """

    epochs: int = 220
    batch_size: int = 64
    size: int = 64
    latent: int = 100
    generator_width: int = 64
    discriminator_width: int = 64
    generator_lr: float = 4e-4
    discriminator_lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    ema_decay: float = 0.999
    augment: bool = True
    spectral_norm: bool = False
    seed: int = 0
    checkpoint_every: int = 10


RECIPES: Mapping[Recipe, GanSettings] = {
    "default": GanSettings(),
    "article": GanSettings(
        generator_lr=2e-4,
        discriminator_lr=2e-5,
        betas=(0.55, 0.999),
        ema_decay=0.0,
        augment=False,
        spectral_norm=False,
    ),
}
"""``article`` trains as the article did; ``default`` is the best of those measured: see ``benchmarks/RESULTS.md``."""


def from_recipe(recipe: str, **changed: Any) -> GanSettings:
    """The settings of a recipe, with single values changed; None leaves the recipe's own.

    Raises:
        ValueError: there is no such recipe; the message lists those known.
    """
    for name, config in RECIPES.items():
        if name == recipe:
            return replace(config, **{key: value for key, value in changed.items() if value is not None})
    raise ValueError(f"unknown recipe {recipe!r}: choose one of {', '.join(RECIPES)}")
