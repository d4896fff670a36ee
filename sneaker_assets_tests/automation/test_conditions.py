"""What the automation conditions request, and what they wait for, on an ephemeral instance."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from sneaker_assets.assets import groups
from sneaker_assets.assets.partitions import BACKBONES_IN_USE
from sneaker_assets.automation.dagster_internals import InstigatorType
from sneaker_assets.definitions import build_definitions, defs
from sneaker_assets.lake import Lake, write_table
from sneaker_assets.settings.automation import ALL_SITES, AutomationSettings
from sneaker_assets_tests.builders import digest

pytestmark = pytest.mark.slow


def in_groups(*names: str) -> list[str]:
    """Assets of these groups in topological order."""
    graph = defs.get_repository_def().asset_graph
    return [key.to_user_string() for key in graph.toposorted_asset_keys if graph.get(key).group_name in names]


DATA_SET = in_groups(groups.PRICES, groups.DATA_SET)
Requested = set[tuple[str, str | None]]


def of_each_backbone(*assets: str) -> Requested:
    return {(asset, backbone) for asset in assets for backbone in BACKBONES_IN_USE}


FEATURES = of_each_backbone(*in_groups(groups.FEATURES))
MODELS = of_each_backbone(*in_groups(groups.TRAINING, groups.EVALUATION))
EVALUATED = of_each_backbone(*in_groups(groups.EVALUATION))
RANKED: Requested = {(name, None) for name in in_groups(groups.CHAMPION)}
BUILT: Requested = {(name, None) for name in DATA_SET}


class World:
    """The definitions, and an instance with the materializations reported so far."""

    def __init__(self, instance: dg.DagsterInstance, lake: Lake, settings: AutomationSettings) -> None:
        self.definitions = build_definitions(settings=settings)
        self.instance, self.lake = instance, lake
        self.cursor: Any = None

    def requested(self, at: datetime | None = None) -> Requested:
        """The asset partitions that one evaluation requests."""
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, dg.AssetSelection.all(), evaluation_time=at, cursor=self.cursor
        )
        self.cursor = result.cursor
        return {
            (item.key.to_user_string(), partition)
            for item in result.results
            if isinstance(item.key, dg.AssetKey)
            for partition in (
                item.true_subset.expensively_compute_partition_keys()
                if item.true_subset.is_partitioned
                else [None] * item.true_subset.size
            )
        }

    def made(self, asset: str, partition: str | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(asset, partition=partition, metadata=dict(metadata or {}))
        )

    def wrote(self, asset: str, table: pd.DataFrame, partition: str | None = None) -> None:
        path = self.lake.table(asset, partition)
        write_table(path, table)
        self.made(asset, partition, {"path": dg.MetadataValue.path(str(path))})

    def crawled(self, *sites: str, new_images: int = 3) -> None:
        for site in sites:
            self.made("raw_scrapes", site)
            self.made("scraped_images", site, {"new_images": new_images})

    def built(self, splits: pd.DataFrame) -> None:
        """Report that the data set was rebuilt, inputs first."""
        for asset in DATA_SET:
            if asset == "splits":
                self.wrote(asset, splits)
            else:
                self.made(asset)

    def trained(self, backbone: str, rows: pd.DataFrame) -> None:
        """Report that a backbone's model was trained and evaluated, inputs first."""
        for asset in in_groups(groups.FEATURES, groups.TRAINING, groups.EVALUATION):
            if asset == "trained_rows":
                self.wrote(asset, rows, backbone)
            else:
                self.made(asset, backbone)

    def evaluated(self) -> None:
        for backbone in BACKBONES_IN_USE:
            self.made("evaluation_metrics", backbone)

    def ranked(self) -> None:
        for asset, _ in sorted(RANKED):
            self.made(asset)

    def started(self, job: str, partition: str | None = None) -> dg.DagsterRun:
        """A run in progress."""
        tags = {} if partition is None else {"dagster/partition": partition}
        run = self.instance.create_run_for_job(self.definitions.resolve_job_def(job), tags=tags)
        self.instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", job, message="started"), run_id=run.run_id)
        return run

    def switched_on(self, schedule: str) -> None:
        location = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="sneaker_assets.definitions"))
        origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), schedule)
        data = ScheduleInstigatorData("0 3 * * *")
        self.instance.add_instigator_state(
            InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, data)
        )


def training_rows(n: int, **changed: float) -> pd.DataFrame:
    """Rows of ``splits``; ``changed`` maps products such as ``p0`` to another price."""
    return pd.DataFrame(
        {
            "site": "stockx",
            "product_id": [f"p{i}" for i in range(n)],
            "sha256": [digest(str(i)) for i in range(n)],
            "twin_group": [digest(str(i)) for i in range(n)],
            "price": [changed.get(f"p{i}", 100.0) for i in range(n)],
            "split": "train",
        }
    )


@contextmanager
def instance_with_schedules(lake: Lake) -> Iterator[dg.DagsterInstance]:
    """An ephemeral instance with a schedule storage, which it lacks by default."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance._schedule_storage = SqliteScheduleStorage.from_local(str(lake.root))
        instance._schedule_storage.register_instance(instance)
        yield instance


@pytest.fixture
def untrained(lake: Lake) -> Iterator[World]:
    """Both sites crawled and the data set built, and nothing trained."""
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    settings = AutomationSettings(
        recrawl_cron={ALL_SITES: f"{two_hours_ago:%M %H} * * *"},
        recrawl_jitter=0,
        crawl_patience=3.0,
        rates_cron="0 0 29 2 *",
    )
    with instance_with_schedules(lake) as instance:
        world = World(instance, lake, settings)
        world.made("fx_rates")
        world.crawled("stockx", "farfetch")
        world.built(training_rows(100))
        yield world


@pytest.fixture
def world(untrained: World) -> World:
    """Both sites crawled, everything built, all backbones and the cheap GAN trained; nothing is requested."""
    for backbone in BACKBONES_IN_USE:
        untrained.trained(backbone, training_rows(100))
    untrained.ranked()
    untrained.made("gan_checkpoints", "cheap")
    untrained.made("gan_evaluation", "cheap")
    assert untrained.requested() == set()
    return untrained


def test_nothing_is_requested_without_changes(world: World) -> None:
    assert [world.requested() for _ in range(2)] == [set(), set()]


def test_crawl_triggers_the_data_set_and_features_of_backbones_in_use(world: World) -> None:
    world.crawled("stockx")
    assert world.requested() == BUILT | FEATURES
    assert world.requested() == set()


def test_a_crawl_without_new_images_computes_no_features(world: World) -> None:
    world.crawled("stockx", new_images=0)
    assert world.requested() == BUILT


def test_new_images_are_computed_even_if_a_later_crawl_finds_none(world: World) -> None:
    world.crawled("stockx", new_images=5)
    world.crawled("stockx", new_images=0)
    assert world.requested() >= FEATURES


def test_data_set_waits_for_a_due_crawl(world: World) -> None:
    yesterday_was_crawled = datetime.now(UTC) + timedelta(days=1)
    world.switched_on("recrawl_farfetch")
    world.crawled("stockx")
    assert world.requested(yesterday_was_crawled) == set()
    assert world.requested(yesterday_was_crawled + timedelta(minutes=5)) == set()


def test_completed_crawl_does_not_delay_the_data_set(world: World) -> None:
    world.switched_on("recrawl_farfetch")
    world.switched_on("recrawl_stockx")
    world.crawled("stockx", "farfetch")
    assert world.requested() >= BUILT


def test_failed_crawl_delays_the_data_set_by_the_patience_only(world: World) -> None:
    due = datetime.now(UTC) + timedelta(days=1)
    world.switched_on("recrawl_farfetch")
    world.crawled("stockx")
    assert world.requested(due) == set()
    assert world.requested(due + timedelta(hours=1, minutes=5)) == BUILT | FEATURES
    assert world.requested(due + timedelta(hours=1, minutes=6)) == set()


def test_stopped_schedule_is_not_waited_for(world: World) -> None:
    world.crawled("stockx")
    assert world.requested(datetime.now(UTC) + timedelta(days=1)) >= BUILT


def test_data_set_waits_for_a_running_crawl(world: World) -> None:
    run = world.started("crawl_site", "farfetch")
    world.crawled("stockx")
    assert world.requested() == set()
    world.instance.report_run_failed(run)
    assert world.requested() >= BUILT


def test_data_set_waits_for_the_images_of_a_crawl(world: World) -> None:
    run = world.started("crawl_site", "stockx")
    world.made("raw_scrapes", "stockx")
    assert world.requested() == set()
    world.made("scraped_images", "stockx", {"new_images": 1})
    assert world.requested() == set()
    world.instance.report_dagster_event(dg.DagsterEvent("PIPELINE_SUCCESS", "crawl_site", message=""), run.run_id)
    assert world.requested() >= BUILT


def test_site_that_was_never_crawled_does_not_block_the_data_set(lake: Lake) -> None:
    with instance_with_schedules(lake) as instance:
        world = World(instance, lake, AutomationSettings(recrawl_jitter=0))
        assert world.requested() == {("fx_rates", None)}
        world.made("fx_rates")
        world.crawled("stockx")
        assert world.requested() == BUILT | FEATURES


def test_new_rates_alone_trigger_nothing(world: World) -> None:
    world.made("fx_rates")
    assert world.requested() == set()


def test_model_is_retrained_when_enough_rows_have_changed(world: World) -> None:
    world.built(training_rows(100, p0=200.0, p1=50.0, p2=105.0))
    assert world.requested() == EVALUATED
    world.evaluated()
    assert world.requested() == RANKED - {("ensemble_price_model", None)}
    world.ranked()
    assert world.requested() == set()
    world.built(training_rows(100, p0=200.0, p1=50.0, p2=300.0, p3=300.0, p4=300.0))
    assert world.requested() == MODELS
    assert world.requested() == set()


def test_row_changes_accumulate_since_the_last_training(world: World) -> None:
    world.built(training_rows(103))
    assert world.requested() == EVALUATED
    assert world.requested() == set()
    world.built(training_rows(106))
    assert world.requested() == MODELS


def test_training_waits_for_a_running_feature_computation(world: World) -> None:
    run = world.started("train_price_model", "resnet18")
    world.built(training_rows(200))
    assert world.requested() == {item for item in MODELS if item[1] != "resnet18"}
    world.instance.report_run_failed(run)
    assert world.requested() == {item for item in MODELS if item[1] == "resnet18"}


def test_stale_model_is_retrained(world: World) -> None:
    world.instance._report_runless_asset_event(
        FreshnessStateChange(
            key=dg.AssetKey("price_model"),
            new_state=FreshnessState.FAIL,
            previous_state=FreshnessState.PASS,
            state_change_timestamp=datetime.now(UTC).timestamp(),
        )
    )
    assert ("price_model", "resnet18") in world.requested()
    assert world.requested() == set()


def test_trained_model_is_evaluated_and_ranked(world: World) -> None:
    world.made("price_model", "resnet18")
    assert world.requested() == {("evaluation_metrics", "resnet18")}
    world.made("evaluation_metrics", "resnet18")
    assert world.requested() == RANKED


def test_ranking_waits_for_an_evaluation_in_progress(world: World) -> None:
    run = world.started("train_price_model", "resnet18")
    world.trained("vgg16", training_rows(100))
    assert world.requested() == set()
    world.instance.report_run_failed(run)
    assert world.requested() == RANKED


def test_fine_tuned_model_joins_ensemble_and_ranking(world: World) -> None:
    world.made("finetuned_price_model", "resnet18")
    world.made("finetuned_evaluation", "resnet18")
    assert world.requested() == RANKED
    assert world.requested() == set()


def test_new_leaderboard_triggers_the_similarity_index(world: World) -> None:
    world.made("model_leaderboard")
    assert world.requested() == {("similarity_index", None)}
    assert world.requested() == set()


def test_new_prices_trigger_the_backtest(world: World) -> None:
    world.made("prediction_backtest")
    assert world.requested() == set()
    world.made("price_observations")
    assert ("prediction_backtest", None) in world.requested()


def test_backbones_in_use_are_trained_the_first_time(untrained: World) -> None:
    assert untrained.requested() == FEATURES | MODELS
    assert untrained.requested() == set()
    for backbone in BACKBONES_IN_USE:
        untrained.trained(backbone, training_rows(100))
    assert untrained.requested() == RANKED
    untrained.ranked()
    assert untrained.requested() == set()


def test_first_training_waits_for_the_data_set(lake: Lake) -> None:
    with instance_with_schedules(lake) as instance:
        world = World(instance, lake, AutomationSettings(recrawl_jitter=0))
        world.made("fx_rates")
        world.requested()
        world.crawled("stockx", "farfetch")
        assert world.requested() == BUILT | FEATURES
        for backbone in BACKBONES_IN_USE:
            world.made("image_features", backbone)
        assert world.requested() == set()
        world.built(training_rows(100))
        assert world.requested() == MODELS


def test_first_training_needs_no_images_that_are_new(lake: Lake) -> None:
    with instance_with_schedules(lake) as instance:
        world = World(instance, lake, AutomationSettings(recrawl_jitter=0))
        world.made("fx_rates")
        world.requested()
        world.crawled("stockx", new_images=0)
        assert world.requested() == BUILT | FEATURES


def test_only_a_backbone_that_was_added_is_trained(untrained: World) -> None:
    added, *others = BACKBONES_IN_USE
    for backbone in others:
        untrained.trained(backbone, training_rows(100))
    untrained.ranked()
    assert untrained.requested() == {item for item in FEATURES | MODELS if item[1] == added}


def test_failed_first_training_is_repeated_when_inputs_change(untrained: World) -> None:
    untrained.requested()
    assert untrained.requested() == set()
    untrained.crawled("stockx")
    assert untrained.requested() >= FEATURES
    assert untrained.requested() == set()
    for backbone in BACKBONES_IN_USE:
        untrained.made("image_features", backbone)
    untrained.built(training_rows(101))
    assert untrained.requested() == MODELS


def test_gans_are_trained_weekly_the_first_time_and_when_rows_have_changed(world: World) -> None:
    sunday = datetime.now(UTC) + timedelta(days=7 - (datetime.now(UTC).weekday() + 1) % 7)
    morning = sunday.replace(hour=6, minute=1)
    world.made("splits")
    trained = {("gan_checkpoints", "cheap"), ("gan_checkpoints", "expensive")}
    assert trained.isdisjoint(world.requested(morning - timedelta(hours=2)))
    assert trained <= world.requested(morning)
    for band in ("cheap", "expensive"):
        world.made("gan_checkpoints", band)
    assert trained.isdisjoint(world.requested(morning + timedelta(days=7)))


def test_rates_are_fetched_when_they_are_published(world: World) -> None:
    leap_day = datetime(2028, 2, 29, 0, 1, tzinfo=UTC)
    world.requested(leap_day - timedelta(minutes=5))
    assert ("fx_rates", None) in world.requested(leap_day)
