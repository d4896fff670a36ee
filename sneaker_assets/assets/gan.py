"""Training of one DCGAN per price band, on the images of all rows outside the test set."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.checks import check_result, warning_check
from sneaker_assets.assets.metadata import OWNERS, code_version, show_figure, show_png
from sneaker_assets.assets.partitions import PRICE_BANDS, band_partitions
from sneaker_assets.gan.settings import GanRunSettings, GanSettings, Recipe, from_recipe
from sneaker_assets.lake import Lake
from sneaker_assets.resources import ComputeResource, LakeResource, ListingSourceResource, TrackingResource
from sneaker_assets.settings.model import given, optional_field
from sneaker_assets.vision.settings import WeightsSettings

if TYPE_CHECKING:
    from sneaker_assets.gan.images import UInt8Array
    from sneaker_assets.vision.backbones.backbone import Backbone


class EmbeddingConfig(WeightsSettings, dg.Config):
    """Feature extractor for sample quality; the default one's ImageNet weights are installed with the project."""

    backbone: str = Field(
        default="efficientnet_lite0",
        description="A registered backbone, whether or not price models are trained on it.",
    )


class GanTrainingConfig(GanRunSettings, EmbeddingConfig):
    """Training of a band's GAN; a GPU is recommended for 220 epochs. Unset fields take the recipe's values."""

    recipe: Recipe = Field(
        default="default", description="default: the best of those measured; article: the article's settings."
    )
    generator_lr: float | None = optional_field(GanSettings, "generator_lr")
    discriminator_lr: float | None = optional_field(GanSettings, "discriminator_lr")
    ema_decay: float | None = optional_field(GanSettings, "ema_decay")
    augment: bool | None = optional_field(GanSettings, "augment")
    spectral_norm: bool | None = optional_field(GanSettings, "spectral_norm")
    kid_samples: int = Field(
        default=1000, ge=0, description="Samples that KID is measured on at each checkpoint; 0 disables it."
    )

    def settings(self) -> GanSettings:
        """The settings of the training: those of the recipe with the values that are set."""
        return from_recipe(self.recipe, **given(self, GanSettings))


_ENOUGH = warning_check("gan_checkpoints", "enough_images", "The band has at least one batch of training images.")


@dg.asset(
    partitions_def=band_partitions,
    group_name=groups.GAN,
    kinds={"pytorch"},
    owners=OWNERS,
    pool="gpu",
    output_required=False,
    check_specs=[_ENOUGH],
    code_version=code_version("gan_checkpoints", code_versions.GAN),
)
def gan_checkpoints(
    context: dg.AssetExecutionContext,
    splits: pd.DataFrame,
    config: GanTrainingConfig,
    *,
    compute: ComputeResource,
    listing_source: ListingSourceResource,
    lake: LakeResource,
    tracking: TrackingResource,
) -> Iterator[dg.Output[UPath] | dg.AssetCheckResult]:
    """The GAN of a price band. An interrupted run resumes, and a larger number of epochs continues the training.

    A band with too few images yields no output: the check fails, and downstream assets are skipped.
    """
    from sneaker_assets.gan.images import TooFewImagesError
    from sneaker_assets.gan.quality import MIN_IMAGES, QualityMonitor, embedding
    from sneaker_assets.gan.run import run_name
    from sneaker_assets.gan.training import train_gan

    tracker, here, settings = tracking.open(context), lake.open(), config.settings()
    images = band_images(here, splits[splits["split"] != "test"], context.partition_key, settings.size)
    folder = here.folder("gan", context.partition_key, run_name(images, settings))
    device, weights = compute.torch_device(), {}
    yield check_result(_ENOUGH, len(images) >= settings.batch_size, images=len(images), batch_size=settings.batch_size)
    monitor = None
    if config.kid_samples and len(images) >= MIN_IMAGES:
        backbone = load_embedding_backbone(config, compute, listing_source)
        monitor = QualityMonitor.from_images(images, embedding(backbone, device), config.kid_samples)
        weights = {"weights": str(backbone.weights)}
    try:
        run = train_gan(images, settings, folder, device, monitor)
    except TooFewImagesError as error:
        context.log.warning("%s", error)
        return
    figure_folder = here.folder("figures", "gan_checkpoints", context.partition_key)
    shown = {
        **show_png(figure_folder / "samples.png", run.samples.read_bytes()),
        **show_figure(figure_folder, "losses", figures.gan_losses(run.history)),
    }
    counts = {"images": len(images), "epochs": run.epochs, "epoch_drawn_with": run.epoch}
    logged = tracker.log(
        run.generator,
        settings.model_dump() | weights,
        counts,
        run.history,
        shown,
        trained=run.trained > 0,
        name=f"{folder.name}-{run.epochs}",
    )
    yield dg.Output(folder, metadata={**counts, "epochs_trained_now": run.trained, **weights, **shown, **logged})


def band_images(lake: Lake, rows: pd.DataFrame, band: str, size: int) -> "UInt8Array":
    """The distinct images of the rows in a price band.

    Args:
        lake: Where the images are stored.
        rows: ``tables.Splits``.
        band: A key of ``PRICE_BANDS``.
        size: Side of the images in pixels.

    Returns:
        uint8 [N, size, size, 3], ordered by sha256.
    """
    from sneaker_assets.gan.images import load_square_images

    hashes = PRICE_BANDS[band].select(rows)["sha256"].drop_duplicates().sort_values()
    return load_square_images([lake.image(sha256) for sha256 in hashes], size)


def load_embedding_backbone(
    config: EmbeddingConfig, compute: ComputeResource, listing_source: ListingSourceResource
) -> "Backbone":
    """The backbone that extracts the features for sample quality.

    Args:
        config: Name of the backbone and choice of weights; with the offline shop, ``auto`` downloads none.
        compute: The folder of weight files.
        listing_source: The source of listings.
    """
    from sneaker_assets.vision.backbones.backbone import load_backbone

    weights = compute.weights_choice(config.weights, offline=listing_source.is_demo)
    return load_backbone(config.backbone, weights, compute.weights_folder)
