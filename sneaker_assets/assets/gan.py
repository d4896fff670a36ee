"""Training of one DCGAN per price band, on the images of all rows outside the test set."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.checks import check_result, warning_check
from sneaker_assets.assets.metadata import OWNERS, UNFINISHED, code_version, show_figure, show_png
from sneaker_assets.assets.partitions import PRICE_BANDS, band_partitions
from sneaker_assets.gan.settings import GanSettings, Recipe, Upsampling, from_recipe
from sneaker_assets.lake import Lake
from sneaker_assets.progress import duration
from sneaker_assets.resources import ComputeResource, LakeResource, ListingSourceResource, TrackingResource
from sneaker_assets.resources.tracking import RunTracker
from sneaker_assets.settings.model import Unset, given, optional_field
from sneaker_assets.vision.settings import WeightsSettings

if TYPE_CHECKING:
    from sneaker_assets.gan.images import UInt8Array
    from sneaker_assets.gan.run import GanRun
    from sneaker_assets.vision.backbones.backbone import Backbone

MINUTES_ON_CPU = 10
"""Time budget of a training on a CPU, by default."""


class EmbeddingConfig(WeightsSettings, dg.Config):
    """Feature extractor for sample quality; the default one's ImageNet weights are installed with the project."""

    backbone: str = Field(
        default="efficientnet_lite0",
        description="A registered backbone, whether or not price models are trained on it.",
    )


class GanTrainingConfig(EmbeddingConfig):
    """Training of a band's GAN. Unset fields take the recipe's values."""

    recipe: Literal[Recipe, "last"] = Field(
        default="last",
        description="default: the best of those measured; small: narrow networks, for a CPU or few images; article: "
        "the article's settings; last: the settings of the last training, which is continued, or else default.",
    )
    minutes: float | None = Field(
        default=None,
        ge=0,
        description="Time after which the training ends with a checkpoint, from which the next one continues; 0: no "
        f"limit. By default {MINUTES_ON_CPU} on a CPU, and no limit on a GPU.",
    )
    epochs: int | None = optional_field(GanSettings, "epochs")
    batch_size: int | None = optional_field(GanSettings, "batch_size")
    size: int | None = optional_field(GanSettings, "size")
    generator_width: int | None = optional_field(GanSettings, "generator_width")
    discriminator_width: int | None = optional_field(GanSettings, "discriminator_width")
    checkpoint_every: int | None = optional_field(GanSettings, "checkpoint_every")
    seed: int | None = optional_field(GanSettings, "seed")
    latent: int | None = optional_field(GanSettings, "latent")
    generator_lr: float | None = optional_field(GanSettings, "generator_lr")
    discriminator_lr: float | None = optional_field(GanSettings, "discriminator_lr")
    ema_decay: float | None = optional_field(GanSettings, "ema_decay")
    augment: str | None = optional_field(GanSettings, "augment")
    spectral_norm: bool | None = optional_field(GanSettings, "spectral_norm")
    upsampling: Literal[Unset, Upsampling] = optional_field(GanSettings, "upsampling")
    convolutions: int | None = optional_field(GanSettings, "convolutions")
    r1_weight: float | None = optional_field(GanSettings, "r1_weight")
    r1_every: int | None = optional_field(GanSettings, "r1_every")
    kid_samples: int = Field(
        default=1000, ge=0, description="Samples that KID is measured on at each checkpoint; 0 disables it."
    )

    def choose(self, last: tuple[str, GanSettings] | None = None) -> tuple[str, GanSettings]:
        """The recipe, and the settings of the training: those of the recipe with the values that are set.

        Args:
            last: Recipe and settings of the last training, where there is one; used by the recipe ``last``, with the
                default number of epochs.
        """
        changes = given(self, GanSettings)
        if self.recipe != "last":
            return self.recipe, from_recipe(self.recipe, **changes)
        usual = from_recipe("default")
        recipe, settings = last or ("default", usual)
        return recipe, settings.with_changes(epochs=usual.epochs).with_changes(**changes)

    def budget(self, device_type: str) -> float:
        """Minutes after which a training on a device, ``cpu`` or ``cuda``, ends; infinite where there is no limit."""
        if self.minutes is None:
            return MINUTES_ON_CPU if device_type == "cpu" else math.inf
        return self.minutes or math.inf


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
    """The GAN of a price band, by default trained for 220 epochs, which takes a CPU hours.

    On a CPU a run ends after 10 minutes by default. Materialize the asset again to continue the training, which an
    interrupted run resumes too. A band with too few images yields no output: the check fails, and downstream assets are
    skipped.
    """
    from sneaker_assets.gan.run import last_run, run_name

    here, band = lake.open(), context.partition_key
    recipe, settings = config.choose(last_run(here.referenced("gan_checkpoints", band)))
    images = band_images(here, splits[splits["split"] != "test"], band, settings.size)
    folder = here.folder("gan", band, run_name(images, settings))
    training = GanTraining(
        images, settings, folder, here.folder("figures", "gan_checkpoints", band), facts_of([band], recipe)
    )
    trainer = GanTrainer(config, compute, listing_source, tracking.open(context))
    yield from trainer.materialize(training, _ENOUGH)


@dataclass(frozen=True)
class GanTraining:
    """What to train a GAN on, and where to store it.

    Attributes:
        images: uint8 RGB [N, size, size, 3].
        settings: The settings.
        folder: Folder of the run.
        figures: Folder of its figures.
        facts: JSON values to store with the generator.
        labels: Labels of the images, for a conditional generator.
        left_out: Number of images that are left out since their labels are unknown.
    """

    images: "UInt8Array"
    settings: GanSettings
    folder: UPath
    figures: UPath
    facts: Mapping[str, Any]
    labels: pd.DataFrame | None = None
    left_out: int = 0


@dataclass(frozen=True)
class GanTrainer:
    """Trains a GAN for an asset.

    Attributes:
        config: Time budget, and how to measure the quality of samples.
        compute: The device and the folder of weight files.
        listing_source: The source of listings.
        tracker: Where trainings are logged.
    """

    config: GanTrainingConfig
    compute: ComputeResource
    listing_source: ListingSourceResource
    tracker: RunTracker

    def materialize(
        self, training: GanTraining, enough: dg.AssetCheckSpec
    ) -> Iterator[dg.Output[UPath] | dg.AssetCheckResult]:
        """Train, or continue an earlier training.

        Args:
            training: Images, settings and folders.
            enough: The check for at least one batch of images.

        Yields:
            The result of the check, and the folder of the run; no folder with fewer than two images.
        """
        from sneaker_assets.gan.images import TooFewImagesError

        n, batch_size = len(training.images), training.settings.batch_size
        yield check_result(enough, n >= batch_size, images=n, batch_size=batch_size)
        try:
            metadata = self._train(training)
        except TooFewImagesError as error:
            dg.get_dagster_logger().warning("%s", error)
            return
        yield dg.Output(training.folder, metadata=metadata)

    def _train(self, training: GanTraining) -> dict[str, Any]:
        """Train, log the run, and return the metadata of the materialization."""
        from sneaker_assets.gan.quality import MIN_IMAGES, QualityMonitor, embedding
        from sneaker_assets.gan.training import train_gan

        config, images, device = self.config, training.images, self.compute.torch_device()
        monitor, weights = None, dict[str, str]()
        if config.kid_samples and len(images) >= MIN_IMAGES:
            backbone = load_embedding_backbone(config, self.compute, self.listing_source)
            monitor = QualityMonitor.from_images(images, embedding(backbone, device), config.kid_samples)
            weights = {"weights": str(backbone.weights)}
        run = train_gan(
            images,
            training.settings,
            training.folder,
            device,
            monitor,
            labels=training.labels,
            facts=training.facts,
            minutes=config.budget(device.type),
        )
        shown = {
            **show_png(training.figures / "samples.png", titled_samples(run, training.facts)),
            **show_figure(training.figures, "losses", figures.gan_losses(run.history)),
        }
        counts = {"images": len(images), "epochs": run.epochs, "epoch_drawn_with": run.epoch}
        params, name = training.settings.model_dump() | weights, f"{training.folder.name}-{run.epochs}"
        logged = self.tracker.log(run.generator, params, counts, run.history, shown, trained=run.trained > 0, name=name)
        progress = {"epochs_trained_now": run.trained, "epochs_wanted": run.wanted, **unfinished(run)}
        left_out = {"images_without_colour": training.left_out} if training.labels is not None else {}
        return {**counts, **left_out, **progress, **weights, **shown, **logged}


def titled_samples(run: "GanRun", facts: Mapping[str, Any]) -> bytes:
    """The newest grid of samples with bands, recipe and epoch as its title.

    Args:
        run: The training.
        facts: What is stored with the generator.

    Returns:
        A PNG.
    """
    import io

    from PIL import Image

    from sneaker_assets.gan.pictures import titled
    from sneaker_assets.vision.imaging.encoding import png_bytes

    title = f"{' and '.join(facts['bands'])}, recipe {facts['recipe']}, epoch {run.epochs} of {run.wanted}"
    return png_bytes(titled(Image.open(io.BytesIO(run.samples.read_bytes())), title))


def unfinished(run: "GanRun") -> dict[str, dg.TextMetadataValue]:
    """Metadata of a training that its time budget has ended; none of one that is complete.

    Args:
        run: The training.
    """
    left = f"about {duration(run.seconds_left)}: materialize again to continue"
    return {} if run.finished else {UNFINISHED: dg.MetadataValue.text(left)}


def facts_of(bands: Sequence[str], recipe: str) -> dict[str, Any]:
    """What ``config.json`` of a generator has beside the settings.

    Args:
        bands: Keys of ``PRICE_BANDS``.
        recipe: Name of the recipe.

    Returns:
        ``bands``: name to lower and upper edge, US dollars, without the upper one where there is none; and ``recipe``.
    """
    return {"recipe": recipe, "bands": {band: list(PRICE_BANDS[band].edges) for band in bands}}


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

    return load_square_images([lake.image(sha256) for sha256 in band_hashes(rows, band)], size)


def band_hashes(rows: pd.DataFrame, band: str) -> list[str]:
    """The sha256 of the distinct images of the rows in a price band, sorted.

    Args:
        rows: ``tables.Splits``.
        band: A key of ``PRICE_BANDS``.
    """
    return sorted(PRICE_BANDS[band].select(rows)["sha256"].unique())


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
