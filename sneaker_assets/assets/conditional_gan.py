"""A GAN that knows the price band and the colour of each shoe, so that both can be chosen for new ones."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.checks import check_result, warning_check
from sneaker_assets.assets.gan import GanTrainer, GanTraining, GanTrainingConfig, band_hashes, facts_of
from sneaker_assets.assets.metadata import (
    OWNERS,
    code_version,
    column_names,
    column_schema,
    preview,
    show_figure,
)
from sneaker_assets.assets.partitions import PRICE_BANDS
from sneaker_assets.lake import Lake, read_json
from sneaker_assets.resources import ComputeResource, LakeResource, ListingSourceResource, TrackingResource

if TYPE_CHECKING:
    from sneaker_assets.gan.images import UInt8Array

_ENOUGH = warning_check("conditional_gan_checkpoints", "enough_images", "There is at least one batch of images.")


@dg.asset(
    group_name=groups.CONDITIONAL_GAN,
    kinds={"pytorch"},
    owners=OWNERS,
    pool="gpu",
    output_required=False,
    check_specs=[_ENOUGH],
    code_version=code_version("conditional_gan_checkpoints", code_versions.GAN, code_versions.CONDITIONAL_GAN),
)
def conditional_gan_checkpoints(
    context: dg.AssetExecutionContext,
    splits: pd.DataFrame,
    config: GanTrainingConfig,
    *,
    compute: ComputeResource,
    listing_source: ListingSourceResource,
    lake: LakeResource,
    tracking: TrackingResource,
) -> Iterator[dg.Output[UPath] | dg.AssetCheckResult]:
    """One GAN for all price bands and colours; the colour of a shoe is the name of its mean colour.

    On a CPU a run ends after 10 minutes by default. Materialize the asset again to continue the training.
    """
    from sneaker_assets.gan.run import last_run, run_name

    here = lake.open()
    recipe, settings = config.choose(last_run(here.referenced("conditional_gan_checkpoints")))
    images, labels, unknown = labelled_images(here, splits[splits["split"] != "test"], settings.size)
    folder = here.folder("gan", "conditional", run_name(images, settings, labels))
    shown, facts = here.folder("figures", "conditional_gan_checkpoints"), facts_of(list(PRICE_BANDS), recipe)
    training = GanTraining(images, settings, folder, shown, facts, labels, unknown)
    trainer = GanTrainer(config, compute, listing_source, tracking.open(context))
    yield from trainer.materialize(training, _ENOUGH)


def labelled_images(lake: Lake, rows: pd.DataFrame, size: int) -> "tuple[UInt8Array, pd.DataFrame, int]":
    """The distinct images of each price band with their labels.

    Args:
        lake: Where the images are stored.
        rows: ``tables.Splits``.
        size: Side of the images in pixels.

    Returns:
        Images, uint8 [N, size, size, 3]; their labels, N rows with the columns ``band`` and ``colour``; and the number
        of images that are left out since they are of a single colour.
    """
    from sneaker_assets.gan.colours import name_colours
    from sneaker_assets.gan.images import load_square_images

    hashes = {band: band_hashes(rows, band) for band in PRICE_BANDS}
    images = load_square_images([lake.image(sha256) for of_band in hashes.values() for sha256 in of_band], size)
    bands = [band for band, of_band in hashes.items() for _ in of_band]
    labels = pd.DataFrame({"band": bands, "colour": name_colours(images)}, dtype=object)
    known = labels["colour"].notna().to_numpy()
    kept = images if known.all() else images[known]
    return kept, labels[known].reset_index(drop=True), int((~known).sum())


class ConditionalGanEvaluationConfig(dg.Config):
    """Number of samples, and the threshold of the check."""

    samples: int = Field(default=256, ge=8, description="Samples of each price band and colour.")
    seed: int = Field(default=1, description="Random seed of the samples' noise.")
    min_matching: float = Field(
        default=0.5, ge=0, le=1, description="Minimum share of samples that have the wanted colour, over all colours."
    )


_MATCHING = warning_check(
    "conditional_gan_evaluation", "wanted_colours", "Samples have the colours they were asked for."
)


@dg.asset(
    group_name=groups.CONDITIONAL_GAN,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    pool="gpu",
    metadata=column_schema("conditional_gan_evaluation"),
    code_version=code_version("conditional_gan_evaluation", code_versions.CONDITIONAL_GAN_EVALUATION),
    check_specs=[_MATCHING],
)
def conditional_gan_evaluation(
    conditional_gan_checkpoints: UPath,
    config: ConditionalGanEvaluationConfig,
    *,
    compute: ComputeResource,
    lake: LakeResource,
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Whether samples have the colours they were generated for, and price bands compared on the same noise."""
    from sneaker_assets.gan.conditional_evaluation import compare_bands, samples_by_condition
    from sneaker_assets.gan.generator import Generator

    here, folder = lake.open(), conditional_gan_checkpoints / "generator"
    generator, trained = Generator.load(folder, compute.torch_device().type), read_json(folder / "config.json")
    generator.check_bands(PRICE_BANDS)
    found, examples = samples_by_condition(generator, config.samples, config.seed)
    pairs = compare_bands(generator, config.samples, config.seed)
    facts: dict[str, Any] = {"generator": folder.relative_to(here.root).as_posix(), "epoch": int(trained["epoch"])}
    table = found.assign(**facts).reindex(columns=column_names("conditional_gan_evaluation"))
    shown = here.folder("figures", "conditional_gan_evaluation")
    matching = float((table["matching"] * table["training_images"]).sum() / table["training_images"].sum())
    metadata: dict[str, Any] = {
        "matching": matching,
        "colours": preview(table, ["band", "colour", "training_images", "matching", "saturation"], rows=20),
        **show_figure(shown, "by_condition", figures.samples_by_condition(table, examples)),
        **show_figure(shown, "same_noise", figures.bands_on_the_same_noise(pairs.saturation, pairs.examples)),
    }
    yield dg.Output(table, metadata=metadata)
    yield check_result(_MATCHING, matching >= config.min_matching, matching=matching)
