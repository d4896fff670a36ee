"""One DCGAN per price band, trained on the clean listings' images."""

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import figures
from sneaker_assets.assets.metadata import OWNERS, show_figure, show_png
from sneaker_assets.assets.partitions import band_partitions
from sneaker_assets.gan.settings import GanConfig
from sneaker_assets.market.bands import PRICE_BANDS
from sneaker_assets.resources import ComputeResource, LakeResource


class GanTrainingConfig(dg.Config):
    """How a band's GAN is trained; 220 epochs want a GPU."""

    epochs: int = Field(default=GanConfig.epochs, gt=0, description="Passes over the images; more later go on.")
    batch_size: int = Field(default=GanConfig.batch_size, gt=1, description="Images a step.")
    size: int = Field(default=GanConfig.size, description="Side of the images in pixels: 64 or 128.")
    generator_width: int = Field(default=GanConfig.generator_width, gt=0, description="Channels of the last block.")
    discriminator_width: int = Field(
        default=GanConfig.discriminator_width, gt=0, description="Channels of the first block."
    )
    generator_lr: float = Field(default=GanConfig.generator_lr, gt=0, description="Adam's rate for the generator.")
    discriminator_lr: float = Field(
        default=GanConfig.discriminator_lr, gt=0, description="Adam's rate for the discriminator."
    )
    checkpoint_every: int = Field(default=GanConfig.checkpoint_every, gt=0, description="Epochs between checkpoints.")
    seed: int = Field(default=GanConfig.seed, description="Another seed is another generator.")


@dg.asset(
    partitions_def=band_partitions,
    group_name="gan",
    kinds={"pytorch"},
    owners=OWNERS,
    pool="gpu",
)
def gan_checkpoints(
    context: dg.AssetExecutionContext,
    clean_listings: pd.DataFrame,
    config: GanTrainingConfig,
    compute: ComputeResource,
    lake: LakeResource,
) -> dg.Output[UPath]:
    """A generator of shoes in a price band; a run that was killed goes on, and more epochs continue."""
    from sneaker_assets.gan.images import load_square_images
    from sneaker_assets.gan.training import run_name, train_gan

    here = lake.open()
    hashes = PRICE_BANDS[context.partition_key].select(clean_listings)["sha256"].drop_duplicates().sort_values()
    images = load_square_images([here.image(sha256) for sha256 in hashes], config.size)
    settings = GanConfig(**config.model_dump())
    folder = here.folder("gan", context.partition_key, run_name(images, settings))
    run = train_gan(images, settings, folder, compute.torch_device())
    shown = here.folder("figures", "gan_checkpoints", context.partition_key)
    return dg.Output(
        folder,
        metadata={
            "images": len(images),
            "epochs": run.epochs,
            "epochs_trained_now": run.trained,
            **show_png(shown / "samples.png", run.samples.read_bytes()),
            **show_figure(shown, "losses", figures.gan_losses(run.history)),
        },
    )
