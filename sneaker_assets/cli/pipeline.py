"""``sneaker-assets``: run every job of the graph in order on the instance of DAGSTER_HOME, and print a summary.

This is equivalent to materializing everything in Dagster's UI, which shows the runs and assets afterwards.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import dagster as dg
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sneaker_assets.assets.partitions import (
    BACKBONES_IN_USE,
    band_partitions,
    check_backbone_in_use,
    release_partitions,
    site_partitions,
)
from sneaker_assets.automation.sensors import RUN_KEY_TAG, run_key
from sneaker_assets.cli import Parser, option
from sneaker_assets.definitions import defs
from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.gan.settings import RECIPE_NAMES, GanSettings
from sneaker_assets.lake import Lake, read_table
from sneaker_assets.market.labels import has_usable_picture, without_pictures
from sneaker_assets.market.releases import announced_content
from sneaker_assets.resources import LakeResource, ListingSourceResource
from sneaker_assets.settings.environment import load_settings
from sneaker_assets.settings.model import SettingsError
from sneaker_assets.vision.settings import FeatureSettings, HeadKind, HeadSettings, WeightsChoice

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class StageError(SneakerError, RuntimeError):
    """A stage failed; the message is that of the failure."""


@dataclass(frozen=True)
class Stage:
    """One run of a job.

    Attributes:
        job: Name of the job.
        partition: Partition key, or None.
        config: Config by asset.
        tags: Tags of the run.
    """

    job: str
    partition: str | None = None
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.job if self.partition is None else f"{self.job} {self.partition}"


@dataclass(frozen=True)
class Outcome:
    """Result of a stage.

    Attributes:
        stage: The stage.
        seconds: Duration of its run.
        metadata: Materialization metadata by asset.
    """

    stage: Stage
    seconds: float
    metadata: Mapping[str, Mapping[str, Any]]


def run_stage(stage: Stage, instance: dg.DagsterInstance) -> Outcome:
    """Run one stage on the instance.

    Args:
        stage: Job, partition and run configuration.
        instance: The Dagster instance that records the run.

    Raises:
        StageError: The run failed.
    """
    ops = {asset: {"config": dict(config)} for asset, config in stage.config.items()}
    started = time.monotonic()
    result = defs.resolve_job_def(stage.job).execute_in_process(
        run_config={**_QUIET, "ops": ops},
        partition_key=stage.partition,
        tags=dict(stage.tags),
        instance=instance,
        raise_on_error=False,
    )
    if not result.success:
        raise StageError(f"{stage}: {_reason(result)}")
    metadata = {
        event.asset_key.to_user_string(): {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
    return Outcome(stage, time.monotonic() - started, metadata)


def _reason(result: dg.ExecuteInProcessResult) -> str:
    """The error of the asset that failed first, without Dagster's wrapping."""
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                return f"{event.step_key}: {failure.user_failure_data.description}"
            raised = failure.error and (failure.error.cause or failure.error)
            return f"{event.step_key}: {raised.message.strip() if raised else 'unknown error'}"
    return "the run failed before its first step"


def crawl_stages() -> Iterator[Stage]:
    """The crawl of every site."""
    for site in _sites():
        yield Stage("crawl_site", site)


def stages(arguments: argparse.Namespace) -> Iterator[Stage]:
    """Every stage between the crawls and the releases, in order."""
    yield Stage("build_data_set")
    for backbone in arguments.backbone:
        # The article's head takes whole feature maps.
        keep = "map" if arguments.head == "article" else FeatureSettings().keep
        config = {
            "image_features": {"weights": arguments.weights, "keep": keep},
            "price_model": {"kind": arguments.head, "epochs": arguments.epochs},
        }
        yield Stage("train_price_model", backbone, config)
    yield Stage("rank_models")
    gan = {
        "epochs": arguments.gan_epochs,
        "generator_width": arguments.gan_width,
        "discriminator_width": arguments.gan_width,
        "batch_size": arguments.gan_batch_size,
        "generator_lr": arguments.gan_learning_rate,
        "discriminator_lr": arguments.gan_learning_rate,
        "recipe": arguments.gan_recipe,
        "weights": arguments.weights,
    }
    bands = band_partitions.get_partition_keys()
    for band in bands:
        yield Stage("train_gan", band, {"gan_checkpoints": gan, "gan_evaluation": {"weights": arguments.weights}})
    lake = LakeResource().open()
    if any(lake.table("gan_evaluation", band).exists() for band in bands):
        yield Stage("compare_bands")


def _images(lake: Lake) -> pd.DataFrame:
    """Images of all sites (``tables.Images``)."""
    paths = [lake.table("scraped_images", site) for site in site_partitions.get_partition_keys()]
    return pd.concat([read_table(path) for path in paths if path.exists()], ignore_index=True)


def _sites() -> list[str]:
    """Sites to crawl: those of the settings, or those known ones that the sources have listings of.

    Raises:
        StageError: The sources have no listing of any site.
    """
    known = site_partitions.get_partition_keys()
    if "saved" not in ListingSourceResource().names or load_settings().sites:
        return list(known)
    with ListingSourceResource().open(LakeResource().open()) as source:
        found = [site for site in source.sites() if site in known]
    if not found:
        raise StageError(f"the saved pages are of none of the sites {', '.join(known)}")
    return found


def release_stages(instance: dg.DagsterInstance) -> Iterator[Stage]:
    """A stage for each announced shoe; new ones are added as partitions.

    Runs have the run key that the sensor would give them, so that the sensor does not price the shoe again.
    """
    with ListingSourceResource().open(LakeResource().open()) as source:
        seen = [announced_content(source.releases(site)) for site in source.release_sites()]
    content = {release: digest for announced in seen for release, digest in announced.items()}
    instance.add_dynamic_partitions(release_partitions.name or "", list(content))
    for release, digest in content.items():
        yield Stage("price_release", release, tags={RUN_KEY_TAG: run_key(release, digest)})


def run(arguments: argparse.Namespace, console: Console) -> list[Outcome]:
    """Run every stage and print its progress.

    Args:
        arguments: The parsed command line.
        console: Where progress is printed.

    Returns:
        One outcome per stage, in the order of the runs.

    Raises:
        StageError: A stage failed.
        LakeError: The lake cannot be opened or written.
    """
    outcomes = []

    def run_stages(pending: Iterator[Stage]) -> None:
        for stage in pending:
            console.print(f"[bold]{stage}[/bold]")
            outcomes.append(run_stage(stage, instance))
            console.print(f"  [green]done[/green] in {outcomes[-1].seconds:.1f} s")

    ListingSourceResource().check()
    lake = LakeResource().open()
    lake.check_writable()
    with dg.DagsterInstance.get() as instance:
        run_stages(crawl_stages())
        images = _images(lake)
        if has_usable_picture(images):
            run_stages(stages(arguments))
            run_stages(release_stages(instance))
        else:
            run_stages(iter([Stage("build_price_history")]))
            console.print(without_pictures(read_table(lake.table("price_observations")), images))
    return outcomes


def summary(outcomes: Sequence[Outcome]) -> Table:
    """A table with the main results of every stage."""
    table = Table(title="\nSummary", title_justify="left", title_style="bold", show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for outcome in outcomes:
        for line, words in _facts(outcome):
            table.add_row(line, words)
    for job, seconds in _seconds_per_job(outcomes).items():
        table.add_row(f"seconds {job}", f"{seconds:.1f}")
    return table


def _facts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    for asset, metadata in outcome.metadata.items():
        if asset in _LINES:
            name, words = _LINES[asset]
            yield metadata.get("title") or f"{name} {outcome.stage.partition or ''}".strip(), words(metadata)


def _errors(rmse: Mapping[str, Mapping[str, float]]) -> str:
    return "; ".join(f"{split} ${by['model']:,.0f} (mean predictor ${by['mean']:,.0f})" for split, by in rmse.items())


def _best(metadata: Mapping[str, Any]) -> str:
    return f"best epoch {metadata['epoch']:.0f}" if "epoch" in metadata else f"best penalty {metadata['alpha']:.3g}"


def _expected(metadata: Mapping[str, Any]) -> str:
    retail = f" (retail ${metadata['retail_price']:,.0f})" if metadata["retail_price"] else ""
    return f"${metadata['predicted_price']:,.0f} expected{retail}"


_LINES: dict[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "raw_scrapes": (
        "listings",
        lambda metadata: f"{metadata['products']:,} products, {metadata['new_products']:,} new",
    ),
    "price_observations": (
        "prices",
        lambda metadata: ", ".join(f"{kind} {n:,}" for kind, n in metadata["label_kinds"].items()),
    ),
    "scraped_images": (
        "images",
        lambda metadata: f"{metadata['images']:,}, {metadata['new_images']:,} new, {metadata['unusable']:,} unusable",
    ),
    "clean_listings": (
        "outliers",
        lambda metadata: (
            f"{metadata['outliers_removed']:,} above the fence of ${metadata['upper_fence']:,.2f} removed, "
            f"{metadata['without_price']:,} without a price left out"
        ),
    ),
    "splits": ("split sizes", lambda metadata: ", ".join(f"{split} {n:,}" for split, n in metadata["sizes"].items())),
    "image_features": (
        "features",
        lambda metadata: (
            f"{metadata['images']:,} images, {metadata['new_images']:,} new; weights: {metadata['weights']}"
        ),
    ),
    "price_model": (
        "model",
        lambda metadata: f"{'trained now' if metadata['trained_now'] else 'already there'}, {_best(metadata)}",
    ),
    "evaluation_metrics": ("RMSE", lambda metadata: _errors(metadata["rmse"])),
    "model_leaderboard": ("champion", lambda metadata: str(metadata["champion"])),
    "gan_checkpoints": (
        "GAN",
        lambda metadata: (
            f"{metadata['images']:,} images, {metadata['epochs']} epochs, {metadata['epochs_trained_now']} trained now"
        ),
    ),
    "gan_evaluation": (
        "GAN quality",
        lambda metadata: f"KID {metadata['kid']:.3g} on features of weights: {metadata['weights']}",
    ),
    "release_predictions": ("release", _expected),
}
"""Asset to its line in the summary: the name, and a function from metadata to text."""


def _seconds_per_job(outcomes: Sequence[Outcome]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for outcome in outcomes:
        seconds[outcome.stage.job] = seconds.get(outcome.stage.job, 0.0) + outcome.seconds
    return seconds


def figure_paths(outcomes: Sequence[Outcome]) -> list[str]:
    """Paths of all figures."""
    entries = [entry for outcome in outcomes for metadata in outcome.metadata.values() for entry in metadata.items()]
    return [str(path) for name, path in entries if name.endswith("_file")]


@contextmanager
def _shown_progress() -> Iterator[None]:
    """Print the domain's log records to stdout, without the prefix of Dagster's handler."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("  %(message)s"))
    logger = logging.getLogger("sneaker_assets")
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        logger.propagate = propagate


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line.

    Raises:
        UnknownBackboneError: A backbone is unknown.
        SettingsError: A backbone is not in use.
    """
    parser = Parser(
        prog="sneaker-assets",
        description="Materialize the whole graph: crawl, clean, split, train, evaluate, generate images, price "
        "releases. SNEAKER_SOURCE, SNEAKER_ARCHIVE and SNEAKER_LAKE set the source of the listings and the lake.",
    )
    in_use = ", ".join(BACKBONES_IN_USE)
    parser.add_argument("--backbone", action="append", help=f"of SNEAKER_BACKBONES; default: {in_use}; repeatable")
    head, gan = HeadSettings(), GanSettings()
    parser.add_argument("--weights", default="auto", choices=get_args(WeightsChoice), help="default: %(default)s")
    parser.add_argument("--head", default=head.kind, choices=get_args(HeadKind), help="default: %(default)s")
    for name, settings, key, description in (
        ("--epochs", head, "epochs", "of the price model"),
        ("--gan-epochs", gan, "epochs", "of each GAN; a GPU is recommended for the default"),
        ("--gan-width", gan, "generator_width", "channels of both networks"),
        ("--gan-batch-size", gan, "batch_size", "images per step"),
    ):
        default = getattr(settings, key)
        text = f"{description}; default: {default}"
        parser.add_argument(name, type=option(type(settings), key), default=default, metavar="N", help=text)
    parser.add_argument(
        "--gan-learning-rate",
        type=option(GanSettings, "generator_lr"),
        metavar="RATE",
        help="of both networks; default: that of the recipe",
    )
    parser.add_argument("--gan-recipe", default="default", choices=RECIPE_NAMES, help="default: default")
    options = parser.parse_args(arguments)
    options.backbone = options.backbone or list(BACKBONES_IN_USE)
    for name in options.backbone:
        check_backbone_in_use(name)
    return options


def check_dagster_home() -> None:
    """Check the folder of Dagster's instance, so that an invalid one is reported in one line.

    Raises:
        SettingsError: DAGSTER_HOME is not set, not absolute or not a folder.
    """
    home = os.environ.get("DAGSTER_HOME", "")
    if not home:
        raise SettingsError(
            "DAGSTER_HOME is not set: use make, or set it to an absolute path to an existing folder with dagster.yaml"
        )
    if not Path(home).is_absolute() or not Path(home).is_dir():
        raise SettingsError(
            "DAGSTER_HOME must be an absolute path to an existing folder with dagster.yaml: use make, or create it"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline from the command line; returns exit status 1 if a stage failed."""
    console, errors = Console(highlight=False), Console(highlight=False, stderr=True)
    try:
        check_dagster_home()
        with _shown_progress():
            outcomes = run(parse(arguments), console)
    except (SneakerError, ValueError, OSError, dg.DagsterInvariantViolationError) as error:
        errors.print(f"[red]failed[/red] {escape(one_line(error))}", soft_wrap=True)
        return 1
    console.print(summary(outcomes))
    console.print("\n[bold]Figures[/bold]")
    for path in figure_paths(outcomes):
        console.print(f" {path}", soft_wrap=True)
    console.print("\nSee it all in Dagster's UI: [bold]make ui[/bold], then http://localhost:3000")
    return 0


if __name__ == "__main__":
    sys.exit(main())
