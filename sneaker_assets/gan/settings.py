"""Settings of a GAN's training. Importing this module loads neither torch nor Dagster."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from sneaker_assets.settings.model import SettingsError, SettingsModel

Upsampling = Literal["nearest", "transposed"]
"""How the generator doubles the resolution, see ``networks.Generator``."""

AUGMENTATIONS = ("translation", "cutout", "colour")
"""Augmentations of ``augment``, in the order in which they are applied."""

COLOURS = ("black", "grey", "white", "red", "orange", "yellow", "green", "blue", "purple")
"""Colours that a conditional generator knows, see ``colours.name_colours``."""

Recipe = Literal["default", "small", "article"]
RECIPE_NAMES: tuple[Recipe, ...] = get_args(Recipe)


class GanSettings(SettingsModel):
    """All settings of one training; the defaults are the recipe ``default``.

    The loss is binary cross-entropy on logits in all recipes. The names of the fields are part of a run's name.
    """

    epochs: int = Field(
        default=220, gt=0, description="Total passes over the images; a larger value resumes an earlier training."
    )
    batch_size: int = Field(default=64, gt=1, description="Images per step; all of them where there are fewer.")
    size: int = Field(default=64, description="Image height and width in pixels, a power of two from 8.")
    generator_width: int = Field(default=64, gt=0, description="Channels of the generator's last hidden block.")
    discriminator_width: int = Field(default=64, gt=0, description="Channels of the discriminator's first block.")
    checkpoint_every: int = Field(default=10, gt=0, description="Epochs between checkpoints.")
    seed: int = Field(default=0, description="Random seed of weights, noise, order and augmentation.")
    latent: int = Field(default=100, gt=0, description="Length of a noise vector.")
    generator_lr: float = Field(default=1e-3, gt=0, description="Adam's learning rate for the generator.")
    discriminator_lr: float = Field(default=4e-4, gt=0, description="Adam's learning rate for the discriminator.")
    betas: tuple[float, float] = Field(default=(0.5, 0.999), description="Adam's exponential decay rates.")
    ema_decay: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        description="Decay of the generator's moving average, smaller during the first steps; 0 disables it.",
    )
    augment: str = Field(
        default="translation",
        description="Random augmentations of the discriminator's images, real and generated ones alike: any of "
        f"{', '.join(AUGMENTATIONS)}, separated by commas; empty: none.",
    )
    spectral_norm: bool = Field(
        default=False, description="Apply spectral normalization to the discriminator's convolutions."
    )
    upsampling: Upsampling = Field(
        default="nearest",
        description="nearest: resize to the nearest pixel, then a convolution; transposed: transposed convolutions.",
    )
    convolutions: int = Field(default=1, ge=1, le=4, description="Convolutions of the generator at each resolution.")
    r1_weight: float = Field(
        default=0.0, ge=0, description="Weight of the R1 penalty on the discriminator's gradients; 0 disables it."
    )
    r1_every: int = Field(default=16, gt=0, description="Steps between R1 penalties, which are weighted accordingly.")

    @field_validator("size")
    @classmethod
    def _power_of_two(cls, size: int) -> int:
        if size < 8 or size & (size - 1):
            raise ValueError("the size must be a power of two from 8, such as 64 or 128")
        return size

    @field_validator("augment")
    @classmethod
    def _known_augmentations(cls, augment: str) -> str:
        names = {name.strip() for name in augment.split(",")} - {""}
        if unknown := names - set(AUGMENTATIONS):
            raise ValueError(f"unknown augmentations {', '.join(sorted(unknown))}: choose from {AUGMENTATIONS}")
        return ",".join(name for name in AUGMENTATIONS if name in names)


RECIPES: Mapping[Recipe, GanSettings] = {
    "default": GanSettings(),
    "small": GanSettings(
        batch_size=16,
        generator_width=16,
        discriminator_width=16,
        generator_lr=2e-3,
        discriminator_lr=5e-4,
        betas=(0.5, 0.9),
    ),
    "article": GanSettings(
        generator_lr=2e-4,
        discriminator_lr=2e-5,
        betas=(0.55, 0.999),
        ema_decay=0.0,
        augment="",
        upsampling="transposed",
    ),
}
"""``default`` is the best of those in ``benchmarks/RESULTS.md``; ``small`` has narrow networks, small batches and high
learning rates, for a CPU or few images; ``article`` has the article's settings."""


def from_recipe(recipe: str, **changes: Any) -> GanSettings:
    """The settings of a recipe with some values changed.

    Args:
        recipe: A key of ``RECIPES``.
        **changes: New values by field name; None keeps the recipe's value.

    Raises:
        SettingsError: The recipe is unknown.
        pydantic.ValidationError: A value is out of bounds.
    """
    for name, settings in RECIPES.items():
        if name == recipe:
            return settings.with_changes(**{key: value for key, value in changes.items() if value is not None})
    raise SettingsError(f"unknown recipe {recipe!r}: choose one of {', '.join(RECIPES)}")
