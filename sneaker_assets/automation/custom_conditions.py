"""The conditions that Dagster does not have: a site whose crawl is due, new images, training rows that changed.

Each looks at what is so, in schedules, events and tables, and remembers nothing, so a missed tick costs nothing. How
they are put together is ``automation.conditions``'s concern.

Dagster: https://docs.dagster.io/guides/automate/declarative-automation/customizing-automation-conditions
"""

from abc import abstractmethod
from datetime import timedelta

import dagster as dg
import pandas as pd
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorStatus
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._utils.schedules import get_latest_completed_cron_tick
from upath import UPath

from sneaker_assets.assets.partitions import site_partitions
from sneaker_assets.automation.jobs import PARTITION_TAG, crawl_site
from sneaker_assets.automation.schedules import schedule_name
from sneaker_assets.automation.settings import AutomationSettings
from sneaker_assets.lake import read_table
from sneaker_assets.market.drift import share_changed


class PartitionCondition(dg.AutomationCondition[dg.AssetKey]):
    """A condition that is asked of one partition after the other."""

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """The partitions of which it is true, among those that still matter."""
        candidates = context.candidate_subset
        if context.partitions_def is None or candidates.is_empty:
            return dg.AutomationResult(context, context.get_empty_subset())
        keys = candidates.expensively_compute_partition_keys()
        true = {key for key in keys if self.holds(context, key)}
        return dg.AutomationResult(context, candidates.compute_intersection_with_partition_keys(true))

    @abstractmethod
    def holds(self, context: dg.AutomationContext[dg.AssetKey], partition: str) -> bool:
        """Whether it is true of this partition."""


class CrawlPending(PartitionCondition):
    """The site is being crawled, or is due: its schedule, switched on, has ticked and it was not crawled since.

    True for assets by site alone. One that is due is waited for ``crawl_patience`` hours; then the others go on.
    """

    def __init__(self, settings: AutomationSettings) -> None:
        self._settings = settings

    def holds(self, context: dg.AutomationContext[dg.AssetKey], partition: str) -> bool:
        """Whether this site's crawl is still to be waited for."""
        if context.partitions_def != site_partitions:
            return False
        instance, now = context.asset_graph_view.instance, context.evaluation_time
        if _being_crawled(instance, partition):
            return True
        due = get_latest_completed_cron_tick(self._settings.cron_of(partition), now, self._settings.time_zone)
        if now >= due + timedelta(hours=self._settings.crawl_patience) or not _switched_on(instance, partition):
            return False
        crawled = _last(instance, context.key, partition)
        return crawled is None or crawled.timestamp < due.timestamp()


class NewImages(PartitionCondition):
    """Crawls have brought new images since the asset was last made."""

    def holds(self, context: dg.AutomationContext[dg.AssetKey], partition: str) -> bool:
        """Whether there are images without features of this backbone."""
        instance = context.asset_graph_view.instance
        made = _last(instance, context.key, partition)
        since = dg.AssetRecordsFilter(dg.AssetKey("scraped_images"), after_storage_id=made.storage_id if made else None)
        crawls = instance.fetch_materializations(since, limit=1000).records
        return any(_metadata(record).get("new_images") for record in crawls)


class TrainingRowsChanged(PartitionCondition):
    """Enough of the rows that a backbone's model was trained on have changed: come, gone, or priced otherwise."""

    def __init__(self, share: float, price_tolerance: float) -> None:
        self._share, self._price_tolerance = share, price_tolerance

    def holds(self, context: dg.AutomationContext[dg.AssetKey], partition: str) -> bool:
        """Whether this backbone's model is to be trained again."""
        instance = context.asset_graph_view.instance
        trained = _table(instance, dg.AssetKey("trained_rows"), partition)
        splits = _table(instance, dg.AssetKey("splits"))
        if splits is None:
            return False
        rows = splits[splits["split"] == "train"]
        return trained is None or share_changed(trained, rows, self._price_tolerance) >= self._share


def _being_crawled(instance: dg.DagsterInstance, site: str) -> bool:
    """Whether a crawl has been asked for and has not ended; its prices are there before its images are."""
    crawl = dg.RunsFilter(job_name=crawl_site.name, tags={PARTITION_TAG: site}, statuses=NOT_FINISHED_STATUSES)
    return instance.get_runs_count(crawl) > 0


def _switched_on(instance: dg.DagsterInstance, site: str) -> bool:
    running = {InstigatorStatus.RUNNING}
    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE, instigator_statuses=running)
    return any(state.instigator_name == schedule_name(site) for state in states)


def _last(instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str | None) -> dg.EventLogRecord | None:
    wanted = dg.AssetRecordsFilter(asset, asset_partitions=None if partition is None else [partition])
    return next(iter(instance.fetch_materializations(wanted, limit=1).records), None)


def _metadata(record: dg.EventLogRecord) -> dict[str, object]:
    materialization = record.asset_materialization
    return {} if materialization is None else {name: entry.value for name, entry in materialization.metadata.items()}


def _table(instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str | None = None) -> pd.DataFrame | None:
    """The table that the asset's last materialization wrote, by the path that it noted; None where there is none."""
    record = _last(instance, asset, partition)
    path = UPath(str(_metadata(record).get("path"))) if record else None
    return read_table(path) if path is not None and path.exists() else None
