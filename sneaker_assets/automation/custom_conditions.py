"""Custom automation conditions: a crawl is pending, there are new images, training rows have changed.

They are stateless, computed from schedules, events and tables, so a missed tick loses nothing.

Dagster: https://docs.dagster.io/guides/automate/declarative-automation/customizing-automation-conditions
"""

from abc import abstractmethod
from datetime import timedelta

import dagster as dg
import pandas as pd
from upath import UPath

from sneaker_assets.assets.partitions import site_partitions
from sneaker_assets.automation.dagster_internals import (
    NOT_FINISHED_STATUSES,
    InstigatorType,
    get_latest_completed_cron_tick,
)
from sneaker_assets.automation.jobs import PARTITION_TAG, crawl_site
from sneaker_assets.automation.schedules import schedule_name
from sneaker_assets.lake import read_table
from sneaker_assets.market.drift import share_changed
from sneaker_assets.settings.automation import AutomationSettings


class PartitionCondition(dg.AutomationCondition[dg.AssetKey]):
    """A condition that is evaluated for each partition on its own."""

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """The candidate partitions for which the condition is true."""
        candidates = context.candidate_subset
        if context.partitions_def is None or candidates.is_empty:
            return dg.AutomationResult(context, context.get_empty_subset())
        keys = candidates.expensively_compute_partition_keys()
        true = {key for key in keys if self.holds(context, key)}
        return dg.AutomationResult(context, candidates.compute_intersection_with_partition_keys(true))

    @abstractmethod
    def holds(self, context: dg.AutomationContext[dg.AssetKey], partition: str) -> bool:
        """Whether the condition is true for this partition.

        Args:
            context: The context of the evaluation.
            partition: Key of the partition.
        """


class CrawlPending(PartitionCondition):
    """A site is being crawled, or its running schedule has ticked and the site was not crawled since.

    Only true for assets partitioned by site. A due crawl counts as pending for ``crawl_patience`` hours.
    """

    def __init__(self, settings: AutomationSettings) -> None:
        self._settings = settings

    def holds(self, context: dg.AutomationContext[dg.AssetKey], partition: str) -> bool:
        """Whether this site's crawl is running or due."""
        if context.partitions_def != site_partitions:
            return False
        instance, now = context.asset_graph_view.instance, context.evaluation_time
        if _being_crawled(instance, partition):
            return True
        due = get_latest_completed_cron_tick(self._settings.cron_of(partition), now, self._settings.time_zone)
        if now >= due + timedelta(hours=self._settings.crawl_patience) or not _schedule_is_running(instance, partition):
            return False
        crawled = _last(instance, context.key, partition)
        return crawled is None or crawled.timestamp < due.timestamp()


class NewImages(PartitionCondition):
    """Crawls have found new images since the asset was last materialized; any crawl, where it never was."""

    def holds(self, context: dg.AutomationContext[dg.AssetKey], partition: str) -> bool:
        """Whether there are images without features of this backbone."""
        instance = context.asset_graph_view.instance
        computed = _last(instance, context.key, partition)
        since = dg.AssetRecordsFilter(
            dg.AssetKey("scraped_images"), after_storage_id=computed.storage_id if computed else None
        )
        crawls = instance.fetch_materializations(since, limit=1000).records
        # A lake that another instance filled has images that no crawl of this instance counts as new.
        return any(computed is None or _metadata(record).get("new_images") for record in crawls)


class TrainingRowsChanged(PartitionCondition):
    """A share of a model's training rows has changed: was added, removed or priced differently.

    Args:
        share: Share of changed rows from which the condition is true.
        price_tolerance: Relative price change up to which a row counts as unchanged.
    """

    def __init__(self, share: float, price_tolerance: float) -> None:
        self._share, self._price_tolerance = share, price_tolerance

    def holds(self, context: dg.AutomationContext[dg.AssetKey], partition: str) -> bool:
        """Whether enough training rows of this backbone's model have changed, or it has no snapshot of them."""
        instance = context.asset_graph_view.instance
        trained = _table(instance, dg.AssetKey("trained_rows"), partition)
        splits = _table(instance, dg.AssetKey("splits"))
        if splits is None:
            return False
        rows = splits[splits["split"] == "train"]
        return trained is None or share_changed(trained, rows, self._price_tolerance) >= self._share


def _being_crawled(instance: dg.DagsterInstance, site: str) -> bool:
    """Whether a crawl is queued or running; its prices are materialized before its images."""
    crawl = dg.RunsFilter(job_name=crawl_site.name, tags={PARTITION_TAG: site}, statuses=NOT_FINISHED_STATUSES)
    return instance.get_runs_count(crawl) > 0


def _schedule_is_running(instance: dg.DagsterInstance, site: str) -> bool:
    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    return any(state.is_running and state.instigator_name == schedule_name(site) for state in states)


def _last(instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str | None) -> dg.EventLogRecord | None:
    wanted = dg.AssetRecordsFilter(asset, asset_partitions=None if partition is None else [partition])
    return next(iter(instance.fetch_materializations(wanted, limit=1).records), None)


def _metadata(record: dg.EventLogRecord) -> dict[str, object]:
    materialization = record.asset_materialization
    return {} if materialization is None else {name: entry.value for name, entry in materialization.metadata.items()}


def _table(instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str | None = None) -> pd.DataFrame | None:
    """The table of the asset's last materialization, read from the path in its metadata; None where there is none."""
    record = _last(instance, asset, partition)
    path = UPath(str(_metadata(record).get("path"))) if record else None
    return read_table(path) if path is not None and path.exists() else None
