"""The stages of the pipeline: runs of jobs in the order of a full pass, with what the command line configures."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import dagster as dg

from sneaker_assets.assets.gan import EmbeddingConfig
from sneaker_assets.assets.partitions import PRICE_BANDS, band_partitions, release_partitions, site_partitions
from sneaker_assets.automation.sensors import RUN_KEY_TAG, current_run_keys
from sneaker_assets.errors import SneakerError
from sneaker_assets.market.releases import announced_content
from sneaker_assets.resources import LakeResource, ListingSourceResource
from sneaker_assets.settings.environment import Settings, load_settings
from sneaker_assets.vision.backbones.architectures import get_architecture

SETTING_TAG = "sneaker-assets/"
"""Prefix of the run tags with settings of the environment that shape a stage's results."""


class StageError(SneakerError, RuntimeError):
    """A stage failed; the message is that of the failure."""


@dataclass(frozen=True)
class Stage:
    """One run of a job.

    Attributes:
        job: Name of the job.
        partition: Partition key, or None.
        config: Config by asset.
        tags: Tags of the run. What was materialized with other tags is not up to date.
    """

    job: str
    partition: str | None = None
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.job if self.partition is None else f"{self.job} {self.partition}"


def crawl_stages() -> Iterator[Stage]:
    """The crawl of every site.

    Raises:
        StageError: The sources have no listing of any site.
    """
    for site in _sites():
        yield Stage("crawl_site", site)


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


def model_stages(arguments: argparse.Namespace) -> Iterator[Stage]:
    """Every stage between the crawls and the releases, in order.

    Args:
        arguments: The parsed command line.
    """
    yield Stage("build_data_set")
    for backbone in arguments.backbone:
        yield Stage("train_price_model", backbone, _model_config(arguments), _weights_tag(backbone))
    yield Stage("rank_models")
    yield from _gan_stages(arguments)


def _model_config(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    # The article's head takes whole feature maps.
    keep = "map" if arguments.head == "article" else None
    return _given(
        image_features={"recipe": arguments.recipe, "weights": arguments.weights, "keep": keep},
        price_model={"kind": arguments.head, "epochs": arguments.epochs},
    )


def _gan_stages(arguments: argparse.Namespace) -> Iterator[Stage]:
    training = {
        "epochs": arguments.gan_epochs,
        "generator_width": arguments.gan_width,
        "discriminator_width": arguments.gan_width,
        "batch_size": arguments.gan_batch_size,
        "generator_lr": arguments.gan_learning_rate,
        "discriminator_lr": arguments.gan_learning_rate,
        "recipe": arguments.gan_recipe,
        "minutes": arguments.gan_minutes,
        "weights": arguments.weights,
    }
    config = _given(gan_checkpoints=training, gan_evaluation={"weights": arguments.weights})
    bands = band_partitions.get_partition_keys()
    for band in bands:
        yield Stage("train_gan", band, config, _weights_tag(EmbeddingConfig().backbone) | _band_tag(band))
    lake = LakeResource().open()
    if any(lake.table("gan_evaluation", band).exists() for band in bands):
        yield Stage("compare_bands")
    if arguments.conditional_gan:
        tags = _weights_tag(EmbeddingConfig().backbone) | _band_tag(*bands)
        yield Stage("train_conditional_gan", None, _given(conditional_gan_checkpoints=training), tags)


def _given(**config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Config by asset, without the options that the command line leaves to their defaults."""
    given = {asset: {name: value for name, value in own.items() if value is not None} for asset, own in config.items()}
    return {asset: own for asset, own in given.items() if own}


def _weights_tag(backbone: str) -> dict[str, str]:
    """The weights that a backbone would be built with; none where they are random or downloaded."""
    folder, package = load_settings().weights, get_architecture(backbone).packaged_in
    files = [(file.name, file.stat()) for file in sorted(folder.glob(f"{backbone}*"))] if folder else []
    found = [f"{name} {status.st_size} {status.st_mtime_ns}" for name, status in files]
    with suppress(PackageNotFoundError):
        found += [f"{package} {version(package)}"] if package else []
    return {f"{SETTING_TAG}weights": ", ".join(found)} if found else {}


def _band_tag(*bands: str) -> dict[str, str]:
    """The edges of price bands, where they are not the default ones."""
    edges = ", ".join(f"{PRICE_BANDS[band].lower:g} to {PRICE_BANDS[band].upper:g}" for band in bands)
    return {f"{SETTING_TAG}band": edges} if _is_set("bands") else {}


def _fees_tag() -> dict[str, str]:
    """The selling costs, where they are not the default ones."""
    fees = {site: own.model_dump(mode="json") for site, own in sorted(load_settings().fees.items())}
    return {f"{SETTING_TAG}fees": str(fees)} if fees else {}


def _is_set(name: str) -> bool:
    return bool(getattr(load_settings(), name) != Settings.model_fields[name].default)


def release_stages(instance: dg.DagsterInstance) -> Iterator[Stage]:
    """A stage for each announced shoe; new ones are added as partitions.

    Runs have the run key that the sensor would give them, so that the sensor does not price the shoe again.

    Args:
        instance: The instance that records the partitions and runs.
    """
    with ListingSourceResource().open(LakeResource().open()) as source:
        seen = [announced_content(source.releases(site)) for site in source.release_sites()]
    content = {release: digest for announced in seen for release, digest in announced.items()}
    instance.add_dynamic_partitions(release_partitions.name or "", list(content))
    for release, key in current_run_keys(instance, content).items():
        yield Stage("price_release", release, tags={RUN_KEY_TAG: key, **_fees_tag()})
