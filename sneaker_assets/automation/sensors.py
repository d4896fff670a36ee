"""Sensor of announced releases: polls the sites' release pages.

It has no cursor. Requested releases are identified by Dagster's runs (their run keys and status) and partitions: after
a killed tick, the next one requests what is missing.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import dagster as dg

from sneaker_assets.assets.partitions import release_partitions
from sneaker_assets.automation.jobs import PARTITION_TAG, price_release
from sneaker_assets.market.releases import announced_content, release_site
from sneaker_assets.resources import LakeResource, ListingSourceResource
from sneaker_assets.settings.automation import AutomationSettings
from sneaker_assets.sources.announcements import read_announcements

RUN_KEY_TAG = "dagster/run_key"
RETRIES = {"dagster/max_retries": "2"}
"""Immediate retries of a failed run; the sensor repeats the request later."""

FIRST_PAUSE, MAX_PAUSE = timedelta(minutes=5), timedelta(hours=1)
"""Pauses between the failure of a release's run and the next request."""


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
            announced = read_announcements(source, source.release_sites(), {release_site(key) for key in partitions})
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


def current_run_keys(instance: dg.DagsterInstance, content: Mapping[str, str]) -> dict[str, str]:
    """The run key of each announcement: that of the last run if it has not changed since, else a new one.

    Args:
        instance: The instance whose runs are examined.
        content: Digest of the announcement by release.
    """
    runs = _runs(instance, content)
    keys = {release: _keys(runs.get(release, [])) for release in content}
    return {
        release: of_release[-1]
        if of_release and _digest(of_release[-1]) == content[release]
        else run_key(release, content[release], len(of_release))
        for release, of_release in keys.items()
    }


def _requests(
    instance: dg.DagsterInstance, content: Mapping[str, str], now: datetime | None = None
) -> list[dg.RunRequest]:
    """A run for each release whose announcement has changed since the last request, or whose last run failed.

    Run keys count the earlier requests, so that a retail price that changes and changes back is priced again. Failed
    runs are repeated after growing pauses, see :func:`_pause`, for as long as the shoe is announced.

    Args:
        instance: The instance whose runs are examined.
        content: Digest of the announcement by release.
        now: Current time, for tests.
    """
    runs = _runs(instance, content)
    time = (now or datetime.now(UTC)).timestamp()
    requests = []
    for release, digest in content.items():
        of_release = runs.get(release, [])
        keys = _keys(of_release)
        changed = not keys or _digest(keys[-1]) != digest
        if changed or _repeat_is_due(of_release, keys, time):
            key = run_key(release, digest, len(keys))
            requests.append(dg.RunRequest(partition_key=release, run_key=key, tags=RETRIES))
    return requests


def _repeat_is_due(records: Sequence[dg.RunRecord], keys: Sequence[str], now: float) -> bool:
    """Whether the last run of a release failed, and long enough ago for the number of requests that failed."""
    last = records[-1]
    if last.dagster_run.status not in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED):
        return False
    same = sum(1 for _ in takewhile(lambda key: _digest(key) == _digest(keys[-1]), reversed(keys)))
    return last.end_time is None or now - last.end_time >= _pause(same).total_seconds()


def _pause(requests: int) -> timedelta:
    """Pause after that number of requests for the same announcement: five minutes, doubled up to one hour."""
    return min(FIRST_PAUSE * (1 << min(requests - 1, 10)), MAX_PAUSE)


def _keys(records: Sequence[dg.RunRecord]) -> list[str]:
    """The distinct run keys, in the order of their first run."""
    return list(dict.fromkeys(record.dagster_run.tags[RUN_KEY_TAG] for record in records))


def _digest(key: str) -> str:
    return key.rsplit(":", 2)[1]


def _runs(instance: dg.DagsterInstance, content: Mapping[str, str]) -> dict[str, list[dg.RunRecord]]:
    """The runs with a run key by release, in the order of their creation; a retry has the key of its run."""
    wanted = dg.RunsFilter(job_name=price_release.name, tags={PARTITION_TAG: list(content)})
    runs: dict[str, list[dg.RunRecord]] = {}
    for record in reversed(instance.get_run_records(wanted)) if content else ():
        tags = record.dagster_run.tags
        if RUN_KEY_TAG in tags:
            runs.setdefault(tags[PARTITION_TAG], []).append(record)
    return runs
