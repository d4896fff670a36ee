"""Sensor of announced releases: polls the sites' release pages.

It has no cursor. Requested releases are identified by Dagster's runs (their run keys) and partitions, so a tick may be
killed at any point and the next one makes up for it.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

from collections.abc import Mapping

import dagster as dg

from sneaker_assets.assets.partitions import release_partitions
from sneaker_assets.automation.jobs import PARTITION_TAG, price_release
from sneaker_assets.crawl.announcements import read_announcements
from sneaker_assets.market.releases import announced_content, parse_release_key
from sneaker_assets.resources import LakeResource, ListingSourceResource
from sneaker_assets.settings.automation import AutomationSettings
from sneaker_assets.sites import SITES

RUN_KEY_TAG = "dagster/run_key"
RETRIES = {"dagster/max_retries": "2"}
"""A run key is never used twice, so without retries a failed run would leave its release without a price."""


def release_sensor(settings: AutomationSettings) -> dg.SensorDefinition:
    """The sensor ``new_releases``, stopped by default."""

    @dg.sensor(job=price_release, minimum_interval_seconds=settings.watch_seconds)
    def new_releases(
        context: dg.SensorEvaluationContext, listing_source: ListingSourceResource, lake: LakeResource
    ) -> dg.SensorResult | dg.SkipReason:
        """Add a partition for each announced shoe and price it; a changed announcement is priced again.

        A site that cannot be read does not affect the others; it is named and retried at the next tick. A tick without
        requests fails if a site failed.

        Raises:
            dagster.Failure: a site could not be read, and there is nothing to request.
        """
        here = lake.open()
        if not here.table("model_leaderboard").exists():
            return dg.SkipReason("there is no champion yet: train a model and rank it first")
        partitions = set(context.instance.get_dynamic_partitions(release_partitions.name or ""))
        with listing_source.open(here) as source:
            announced = read_announcements(source, sorted(SITES), {parse_release_key(key)[0] for key in partitions})
        content = {
            release: digest
            for observations in announced.observations.values()
            for release, digest in announced_content(observations).items()
        }
        requests = _requests(context.instance, content)
        problem = "; ".join(f"{site}: {why}" for site, why in announced.failures.items())
        if problem and not requests:
            raise dg.Failure(f"releases could not be read and are retried at the next tick: {problem}")
        if problem:
            context.log.error("releases could not be read and are retried at the next tick: %s", problem)
        if not requests:
            busy = f"; {', '.join(announced.busy)} is being crawled and is read afterwards" if announced.busy else ""
            return dg.SkipReason(f"{len(content)} releases are announced, none of them new or changed{busy}")
        new = [release for release in content if release not in partitions]
        return dg.SensorResult(
            run_requests=requests,
            dynamic_partitions_requests=[release_partitions.build_add_request(new)] if new else [],
        )

    return new_releases


def run_key(release: str, content: str, earlier: int = 0) -> str:
    """The run key of an announcement.

    Args:
        release: Partition key of the release.
        content: Digest of the announcement.
        earlier: Number of earlier run keys of the release.
    """
    return f"{release}:{content}:{earlier}"


def _requests(instance: dg.DagsterInstance, content: Mapping[str, str]) -> list[dg.RunRequest]:
    """A run for each release whose announcement differs from the one requested last.

    Run keys count the earlier announcements, so that a retail price that changes and changes back is priced again.
    """
    requested = _run_keys(instance, content)
    requests = []
    for release, digest in content.items():
        keys = requested.get(release, [])
        if not keys or keys[-1].rsplit(":", 2)[1] != digest:
            key = run_key(release, digest, len(keys))
            requests.append(dg.RunRequest(partition_key=release, run_key=key, tags=RETRIES))
    return requests


def _run_keys(instance: dg.DagsterInstance, content: Mapping[str, str]) -> dict[str, list[str]]:
    """The run keys of each release in order of their request; a retry has the key of its run."""
    wanted = dg.RunsFilter(job_name=price_release.name, tags={PARTITION_TAG: list(content)})
    keys: dict[str, list[str]] = {}
    for record in reversed(instance.get_run_records(wanted)) if content else ():
        tags = record.dagster_run.tags
        of_release = keys.setdefault(tags[PARTITION_TAG], [])
        if RUN_KEY_TAG in tags and tags[RUN_KEY_TAG] not in of_release:
            of_release.append(tags[RUN_KEY_TAG])
    return keys
