"""Runs the stages of the pipeline, leaving out what is up to date."""

import argparse
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pandas as pd
from rich.console import Console

from sneaker_assets.assets.partitions import site_partitions
from sneaker_assets.cli.pipeline.stages import Stage, StageError, crawl_stages, model_stages, release_stages
from sneaker_assets.cli.pipeline.staleness import DUE, Staleness
from sneaker_assets.definitions import defs
from sneaker_assets.lake import Lake, read_table
from sneaker_assets.market.labels import has_usable_picture, without_pictures
from sneaker_assets.resources import LakeResource, ListingSourceResource

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Outcome:
    """Result of a stage.

    Attributes:
        stage: The stage.
        seconds: Duration of its run; 0 if everything was up to date.
        metadata: Materialization metadata by asset, of this run or, for an asset that was up to date, the last one.
        up_to_date: Names of the assets that were not materialized again.
    """

    stage: Stage
    seconds: float
    metadata: Mapping[str, Mapping[str, Any]]
    up_to_date: frozenset[str] = frozenset()


def run_stage(
    stage: Stage,
    instance: dg.DagsterInstance,
    selection: Collection[dg.AssetKey] | None = None,
    definitions: dg.Definitions = defs,
) -> Outcome:
    """Run one stage on the instance.

    Args:
        stage: Job, partition and run configuration.
        instance: The Dagster instance that records the run.
        selection: The assets of the job to materialize; all by default.
        definitions: The graph.

    Raises:
        StageError: The run failed.
    """
    started = time.monotonic()
    configured = {
        asset: own for asset, own in stage.config.items() if selection is None or dg.AssetKey(asset) in selection
    }
    result = definitions.resolve_job_def(stage.job).execute_in_process(
        run_config={**_QUIET, "ops": {asset: {"config": dict(own)} for asset, own in configured.items()}},
        partition_key=stage.partition,
        tags=dict(stage.tags),
        instance=instance,
        asset_selection=None if selection is None else list(selection),
        raise_on_error=False,
    )
    if not result.success:
        raise StageError(f"{stage}: {_reason(result)}")
    metadata = {
        event.asset_key.to_user_string(): _values(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
    return Outcome(stage, time.monotonic() - started, metadata)


def _values(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, Any]:
    return {name: value.value for name, value in metadata.items()}


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


class Pass:
    """A pass over the stages on one instance and lake.

    Args:
        instance: The instance that records the runs.
        lake: The lake.
        console: Where progress is printed.
        definitions: The graph.
    """

    def __init__(
        self, instance: dg.DagsterInstance, lake: Lake, console: Console, definitions: dg.Definitions = defs
    ) -> None:
        self._instance, self._console, self._definitions = instance, console, definitions
        assets = (asset for asset in definitions.assets or () if isinstance(asset, dg.AssetsDefinition))
        self._staleness = Staleness(assets, instance, lake)
        self.outcomes: list[Outcome] = []

    def run(self, stages: Iterable[Stage]) -> None:
        """Bring the assets of every stage up to date, one stage after the other.

        Args:
            stages: The stages; each is asked for after the previous one has run.

        Raises:
            StageError: A stage failed.
        """
        for stage in stages:
            self._console.print(f"[bold]{stage}[/bold]")
            outcome = self._run(stage)
            self.outcomes.append(outcome)
            done = f"done[/green] in {outcome.seconds:.1f} s" if outcome.seconds else "up to date[/green]"
            self._console.print(f"  [green]{done}")

    def _run(self, stage: Stage) -> Outcome:
        job = self._definitions.resolve_job_def(stage.job)
        selection = set(job.asset_layer.executable_asset_keys)
        metadata: dict[str, Mapping[str, Any]] = {}
        seconds, done = 0.0, set[dg.AssetKey]()
        while due := self._staleness.next_assets(stage, selection, done):
            self._explain(due)
            ran = run_stage(stage, self._instance, None if due.keys() == selection else due, self._definitions)
            seconds, done = seconds + ran.seconds, done | due.keys()
            metadata |= ran.metadata
        kept = {key.to_user_string(): self._staleness.last(key, stage) for key in selection - done}
        earlier = {name: _values(last.metadata) for name, last in kept.items() if last is not None}
        in_order = dict(sorted({**earlier, **metadata}.items()))
        return Outcome(stage, seconds, in_order, frozenset(kept))

    def _explain(self, due: Mapping[dg.AssetKey, str]) -> None:
        """Print why assets are out of date, one line by reason."""
        for why in sorted(set(due.values()) - {DUE}):
            names = [key.to_user_string() for key, reason in due.items() if reason == why]
            self._console.print(f"  {why}: {', '.join(names)}")


def run(arguments: argparse.Namespace, console: Console) -> list[Outcome]:
    """Bring everything up to date and print the progress.

    Args:
        arguments: The parsed command line.
        console: Where progress is printed.

    Returns:
        One outcome per stage, in order.

    Raises:
        StageError: A stage failed.
        LakeError: The lake cannot be opened or written.
    """
    ListingSourceResource().check()
    lake = LakeResource().open()
    lake.check_writable()
    with dg.DagsterInstance.get() as instance:
        this = Pass(instance, lake, console)
        this.run(crawl_stages())
        images = _images(lake)
        if has_usable_picture(images):
            this.run(model_stages(arguments))
            this.run(release_stages(instance))
        else:
            this.run([Stage("build_price_history")])
            console.print(without_pictures(read_table(lake.table("price_observations")), images))
    return this.outcomes


def _images(lake: Lake) -> pd.DataFrame:
    """Images of all sites (``tables.Images``)."""
    paths = [lake.table("scraped_images", site) for site in site_partitions.get_partition_keys()]
    return pd.concat([read_table(path) for path in paths if path.exists()], ignore_index=True)
