"""The command line of ``sneaker-assets``."""

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import dagster as dg
from rich.console import Console
from rich.markup import escape

from sneaker_assets.assets.gan import MINUTES_ON_CPU, GanTrainingConfig
from sneaker_assets.assets.partitions import BACKBONES_IN_USE, check_backbone_in_use
from sneaker_assets.cli import Parser, option
from sneaker_assets.cli.pipeline.running import run
from sneaker_assets.cli.pipeline.summary import figure_paths, summary
from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.gan.settings import RECIPE_NAMES, GanSettings
from sneaker_assets.settings.model import SettingsError
from sneaker_assets.vision.recipes import RecipeName
from sneaker_assets.vision.settings import HeadKind, HeadSettings, WeightsChoice


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
    """The command line; options that are not given are None, apart from the backbones.

    Raises:
        UnknownBackboneError: A backbone is unknown.
        SettingsError: A backbone is not in use.
    """
    parser = Parser(
        prog="sneaker-assets",
        description="Bring the whole graph up to date: crawl, clean, split, train, evaluate, generate images, price "
        "releases. SNEAKER_SOURCE, SNEAKER_ARCHIVE and SNEAKER_LAKE set the source of the listings and the lake.",
    )
    in_use = ", ".join(BACKBONES_IN_USE)
    parser.add_argument("--backbone", action="append", help=f"of SNEAKER_BACKBONES; default: {in_use}; repeatable")
    parser.add_argument("--weights", choices=get_args(WeightsChoice), help="default: auto")
    parser.add_argument("--recipe", choices=get_args(RecipeName), help="of the price models; default: default")
    parser.add_argument("--head", choices=get_args(HeadKind), help="default: that of the recipe")
    for name, settings, key, description in (
        ("--epochs", HeadSettings, "epochs", f"of the price model; default: {HeadSettings().epochs}"),
        ("--gan-epochs", GanSettings, "epochs", f"of each GAN; default: {GanSettings().epochs}, best on a GPU"),
        ("--gan-width", GanSettings, "generator_width", "channels of both networks; default: that of the recipe"),
        ("--gan-batch-size", GanSettings, "batch_size", "images per step; default: that of the recipe"),
    ):
        parser.add_argument(name, type=option(settings, key), metavar="N", help=description)
    parser.add_argument(
        "--gan-learning-rate",
        type=option(GanSettings, "generator_lr"),
        metavar="RATE",
        help="of both networks; default: that of the recipe",
    )
    parser.add_argument(
        "--gan-recipe", choices=(*RECIPE_NAMES, "last"), help="default: last, the settings of the last training"
    )
    parser.add_argument(
        "--gan-minutes",
        type=option(GanTrainingConfig, "minutes"),
        metavar="MINUTES",
        help=f"time budget of each GAN, 0 for none; default: {MINUTES_ON_CPU} on a CPU; run again to continue",
    )
    parser.add_argument(
        "--conditional-gan", action="store_true", help="also train the GAN that knows price bands and colours"
    )
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
