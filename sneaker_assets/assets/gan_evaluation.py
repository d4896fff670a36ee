"""Sample quality of each price band's generator, and a comparison of colours across the bands."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.checks import check_result, skipped, warning_check
from sneaker_assets.assets.gan import EmbeddingConfig, band_images, load_embedding_backbone
from sneaker_assets.assets.metadata import (
    OWNERS,
    Metadata,
    code_version,
    column_names,
    column_schema,
    preview,
    show_figure,
    show_png,
)
from sneaker_assets.assets.partitions import PRICE_BANDS, band_partitions
from sneaker_assets.lake import read_json, read_table, write_bytes
from sneaker_assets.resources import ComputeResource, LakeResource, ListingSourceResource

if TYPE_CHECKING:
    from sneaker_assets.gan.generator import Generator
    from sneaker_assets.gan.images import UInt8Array

Scores = dict[str, dict[Any, Any]]
"""Population to its row of the table."""


class GanEvaluationConfig(EmbeddingConfig):
    """Number of samples, and thresholds of the checks."""

    samples: int = Field(default=2000, ge=8, description="Number of samples; at most that of the training images.")
    seed: int = Field(default=1, description="Random seed of the samples' noise.")
    min_diversity: float = Field(
        default=0.3,
        ge=0,
        description="Minimum mean distance between samples, as a share of that between training images.",
    )
    max_close: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Maximum share of samples as close to a training image as the closest 5 % of held-out images.",
    )
    max_kid_ratio: float = Field(
        default=2.0, ge=1, description="Maximum KID of the last checkpoint, in multiples of the best checkpoint's."
    )


_COLLAPSE = warning_check(
    "gan_evaluation", "no_mode_collapse", "Samples are as diverse as training images, within a tolerance."
)
_COPIES = warning_check(
    "gan_evaluation", "no_copies", "Samples are no closer to training images than held-out images are."
)
_DIVERGENCE = warning_check(
    "gan_evaluation", "no_divergence", "Sample quality did not deteriorate at the end of the training."
)


@dg.asset(
    partitions_def=band_partitions,
    group_name=groups.GAN,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    pool="gpu",
    output_required=False,
    metadata=column_schema("gan_evaluation"),
    code_version=code_version("gan_evaluation", code_versions.GAN_EVALUATION),
    check_specs=[_COLLAPSE, _COPIES, _DIVERGENCE],
)
def gan_evaluation(
    context: dg.AssetExecutionContext,
    gan_checkpoints: UPath,
    splits: pd.DataFrame,
    config: GanEvaluationConfig,
    *,
    compute: ComputeResource,
    listing_source: ListingSourceResource,
    lake: LakeResource,
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Quality and novelty of the samples, with sample images; skipped for a band with too few images."""
    from sneaker_assets.gan.evaluation import evaluate
    from sneaker_assets.gan.generator import Generator
    from sneaker_assets.gan.images import TooFewImagesError
    from sneaker_assets.gan.quality import embedding

    here, band, folder = lake.open(), context.partition_key, gan_checkpoints / "generator"
    trained, history = read_json(folder / "config.json"), read_table(folder / "history.parquet")
    in_test = splits["split"] == "test"
    training, held_out = (band_images(here, splits[rows], band, trained["size"]) for rows in (~in_test, in_test))
    device = compute.torch_device()
    generator = Generator.load(folder, device.type)
    generator.check_bands(PRICE_BANDS, band)
    backbone = load_embedding_backbone(config, compute, listing_source)
    embed = embedding(backbone, device)
    try:
        found = evaluate(
            generator.network, training, held_out, embed, n=config.samples, seed=config.seed, device=device
        )
    except TooFewImagesError as error:
        yield from (skipped(spec, str(error)) for spec in (_COLLAPSE, _COPIES, _DIVERGENCE))
        return
    facts = {
        "band": band,
        "generator": folder.relative_to(here.root).as_posix(),
        "epoch": int(trained["epoch"]),
        "backbone": backbone.architecture.name,
        "weights": str(backbone.weights),
    }
    table = found.table.assign(**facts).reindex(columns=column_names("gan_evaluation"))
    shown = here.folder("figures", "gan_evaluation", band)
    label = f"{band}, recipe {trained.get('recipe', 'unknown')}"
    title = f"{label}, epoch {trained['epoch']}: samples and the nearest training images"
    scores: Scores = {str(row["population"]): {**row} for row in table.to_dict("records")}
    yield dg.Output(
        table,
        metadata={
            "weights": str(backbone.weights),
            "kid": scores["generated"]["kid"],
            "scores": preview(table, ["population", "n", "kid", "fid", "precision", "recall", "diversity", "close"]),
            **show_figure(shown, "nearest", figures.samples_and_nearest(found.samples, found.nearest, title)),
            **_pictures(folder, shown, generator, config.seed, label),
            **_curve(shown, history, scores, backbone.weights.label),
        },
    )
    yield from _check_results(scores, history, config)


def _pictures(folder: UPath, shown: UPath, generator: "Generator", seed: int, label: str) -> Metadata:
    """Metadata: the latest grid of samples, an interpolation in latent space, and an animation of the training."""
    import io

    from PIL import Image

    from sneaker_assets.gan.pictures import animation, interpolation, titled
    from sneaker_assets.gan.sampling import image_grid
    from sneaker_assets.vision.imaging.encoding import png_bytes

    grids = sorted((folder / "samples").glob("epoch-*.png"), key=lambda path: path.name)
    frames = [
        titled(Image.open(io.BytesIO(grid.read_bytes())), f"{label}, epoch {int(grid.stem.removeprefix('epoch-'))}")
        for grid in grids
    ]
    animation_file = shown / "training.webp"
    write_bytes(animation_file, animation(frames))
    walk = image_grid(interpolation(generator.network, generator.device, seed), columns=10)
    paths = titled(walk, f"{label}: paths between random noise vectors")
    return {
        **show_png(shown / "samples.png", png_bytes(frames[-1])),
        **show_png(shown / "interpolation.png", png_bytes(paths)),
        "animation_file": dg.MetadataValue.path(str(animation_file)),
    }


def _curve(shown: UPath, history: pd.DataFrame, scores: Scores, weights: str) -> Metadata:
    """Metadata: KID over the epochs, if samples were evaluated during the training."""
    if "kid" not in history:
        return {}
    real = scores["held_out"]["kid"]
    return show_figure(shown, "kid_over_epochs", figures.kid_over_epochs(history.dropna(subset=["kid"]), real, weights))


def _check_results(scores: Scores, history: pd.DataFrame, config: GanEvaluationConfig) -> Iterator[dg.AssetCheckResult]:
    """Check results; checks without enough data are skipped."""
    drawn, measured = scores["generated"], history.dropna(subset=["kid"]) if "kid" in history else history[:0]
    diversity, close = float(drawn["diversity"]), float(drawn["close"])
    yield check_result(_COLLAPSE, diversity >= config.min_diversity, diversity=diversity, recall=float(drawn["recall"]))
    if math.isnan(close):
        yield skipped(_COPIES, "the band has too few held-out images to measure closeness by")
    else:
        yield check_result(_COPIES, close <= config.max_close, close=close)
    if measured.empty:
        yield skipped(_DIVERGENCE, "sample quality was not measured during training")
    else:
        last, best, noise = (
            float(measured["kid"].iloc[-1]),
            float(measured["kid"].min()),
            measured["kid_deviation"].iloc[-1],
        )
        limit = config.max_kid_ratio * max(best, 0.0) + float(noise)
        yield check_result(_DIVERGENCE, last <= limit, last_kid=last, best_kid=best)


@dg.asset(
    group_name=groups.GAN_COMPARISON,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("gan_colour_comparison"),
    code_version=code_version("gan_colour_comparison", code_versions.GAN_EVALUATION),
)
def gan_colour_comparison(gan_evaluation: pd.DataFrame, lake: LakeResource) -> dg.Output[pd.DataFrame]:
    """Mean colour, brightness and saturation of real and generated shoes by price band."""
    here = lake.open()
    bands = [band for band in PRICE_BANDS if band in set(gan_evaluation["band"])]
    rows = gan_evaluation[gan_evaluation["population"] != "held_out"]
    table = rows[column_names("gan_colour_comparison")]
    shown = here.folder("figures", "gan_colour_comparison")
    grids = {band: _first_shoes(here.root, gan_evaluation, band) for band in bands}
    return dg.Output(
        table,
        metadata={
            "colours": preview(table, ["band", "population", "n", "brightness", "saturation", "saturation_error"]),
            **show_figure(shown, "bands", figures.compare_bands(table, grids)),
        },
    )


def _first_shoes(root: UPath, table: pd.DataFrame, band: str) -> "UInt8Array":
    """The first 24 samples of a band's generator."""
    import torch

    from sneaker_assets.gan.sampling import load_generator, sample

    folder = root / str(table.loc[table["band"] == band, "generator"].iloc[0])
    return sample(load_generator(folder), 24, seed=1, device=torch.device("cpu"))
