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
from sneaker_assets.gan.settings import GanSettings, Recipe, from_recipe
from sneaker_assets.lake import Lake
from sneaker_assets.resources import ComputeResource, LakeResource, ListingSourceResource
from sneaker_assets.vision.settings import WeightsChoice

if TYPE_CHECKING:
    from sneaker_assets.gan.images import UInt8Array
    from sneaker_assets.vision.backbones.backbone import Backbone


class JudgingConfig(dg.Config):
    """Whose features samples are judged on."""

    backbone: str = Field(default="mobilenet_v2", description="One of the price model's backbones.")
    weights: WeightsChoice = Field(
        default="auto",
        description="auto: the file of SNEAKER_WEIGHTS, else ImageNet's weights, downloaded (the offline shop goes "
        "without); imagenet: downloaded; none: random weights.",
    )


class GanTrainingConfig(JudgingConfig):
    """How a band's GAN is trained; 220 epochs want a GPU. What is left empty is the recipe's."""

    recipe: Recipe = Field(default="default", description="default (the best measured) or article (its training).")
    epochs: int = Field(default=GanSettings.epochs, gt=0, description="Passes over the images; more later go on.")
    batch_size: int = Field(default=GanSettings.batch_size, gt=1, description="Images a step.")
    size: int = Field(default=GanSettings.size, description="Side of the images in pixels: 64 or 128.")
    generator_width: int = Field(default=GanSettings.generator_width, gt=0, description="Channels of the last block.")
    discriminator_width: int = Field(
        default=GanSettings.discriminator_width, gt=0, description="Channels of the first block."
    )
    generator_lr: float | None = Field(default=None, gt=0, description="Adam's rate for the generator.")
    discriminator_lr: float | None = Field(default=None, gt=0, description="Adam's rate for the discriminator.")
    ema_decay: float | None = Field(default=None, ge=0, lt=1, description="What the averaged generator keeps a step.")
    augment: bool | None = Field(default=None, description="Whether the discriminator sees its images shifted.")
    spectral_norm: bool | None = Field(default=None, description="Whether the discriminator is kept from running away.")
    checkpoint_every: int = Field(default=GanSettings.checkpoint_every, gt=0, description="Epochs between checkpoints.")
    seed: int = Field(default=GanSettings.seed, description="Another seed is another generator.")
    judged: int = Field(default=1000, ge=0, description="Samples judged at each checkpoint; 0 judges none.")

    def settings(self) -> GanSettings:
        """The same, as the domain has it."""
        return from_recipe(**self.model_dump(exclude={"backbone", "weights", "judged"}))


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
) -> Iterator[dg.Output[UPath] | dg.AssetCheckResult]:
    """The GAN of a price band. An interrupted run resumes, and a larger number of epochs continues the training.

    A band with too few images yields no output: the check fails, and downstream assets are skipped.
    """
    from sneaker_assets.gan.images import TooFewImagesError
    from sneaker_assets.gan.quality import MIN_IMAGES, QualityMonitor, embedding
    from sneaker_assets.gan.run import run_name
    from sneaker_assets.gan.training import train_gan

    here, settings = lake.open(), config.settings()
    images = band_images(here, splits[splits["split"] != "test"], context.partition_key, settings.size)
    folder = here.folder("gan", context.partition_key, run_name(images, settings))
    device, weights = compute.torch_device(), {}
    yield check_result(_ENOUGH, len(images) >= settings.batch_size, images=len(images), batch_size=settings.batch_size)
    monitor = None
    if config.judged and len(images) >= MIN_IMAGES:
        backbone = load_judging_backbone(config, compute, listing_source)
        monitor = QualityMonitor.from_images(images, embedding(backbone, device), config.judged)
        weights = {"weights": backbone.weights}
    try:
        run = train_gan(images, settings, folder, device, monitor)
    except TooFewImagesError as error:
        context.log.warning("%s", error)
        return
    figure_folder = here.folder("figures", "gan_checkpoints", context.partition_key)
    yield dg.Output(
        folder,
        metadata={
            "images": len(images),
            "epochs": run.epochs,
            "epochs_trained_now": run.trained,
            "epoch_drawn_with": run.epoch,
            **weights,
            **show_png(figure_folder / "samples.png", run.samples.read_bytes()),
            **show_figure(figure_folder, "losses", figures.gan_losses(run.history)),
        },
    )


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


def load_judging_backbone(
    config: JudgingConfig, compute: ComputeResource, listing_source: ListingSourceResource
) -> "Backbone":
    """The backbone whose features samples are compared on; the offline shop downloads no weights."""
    from sneaker_assets.vision.backbones.backbone import load_backbone

    offline = config.weights == "auto" and listing_source.name == "demo" and compute.weights_folder is None
    return load_backbone(config.backbone, "none" if offline else config.weights, compute.weights_folder)
