"""Which assets of a stage are out of date, judged by the materializations that the instance recorded.

Like the UI, this compares code versions and the data versions of inputs; in addition the config and the settings of the
run, and what is stored in the lake. An asset without inputs reads something outside the graph and is never up to date.

Dagster: https://docs.dagster.io/guides/build/assets/asset-versioning-and-caching
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg

from sneaker_assets.automation.sensors import RUN_KEY_TAG
from sneaker_assets.cli.pipeline.stages import SETTING_TAG, Stage
from sneaker_assets.lake import Lake
from sneaker_assets.resources.data_versions import stored_version

DUE = ""
"""Reason for materializing what was never materialized, has no inputs, or follows another asset of the stage."""

_CODE_VERSION, _DATA_VERSION = "dagster/code_version", "dagster/data_version"
_INPUT = "dagster/input_event_pointer/"
_UNKNOWN = "NULL"


@dataclass(frozen=True)
class Materialization:
    """The last materialization of an asset or of one of its partitions.

    Attributes:
        run_id: The run that made it.
        tags: Its tags.
        metadata: Its metadata.
    """

    run_id: str
    tags: Mapping[str, str]
    metadata: Mapping[str, dg.MetadataValue[Any]]


class Graph:
    """Decides which assets of a stage are out of date.

    Args:
        assets: All assets of the graph.
        instance: The instance that records materializations.
        lake: The lake that they are stored in.
    """

    def __init__(self, assets: Iterable[dg.AssetsDefinition], instance: dg.DagsterInstance, lake: Lake) -> None:
        self._assets, self._instance, self._lake = list(assets), instance, lake

    @cached_property
    def _specs(self) -> dict[dg.AssetKey, dg.AssetSpec]:
        return {spec.key: spec for assets in self._assets for spec in assets.specs}

    def out_of_date(self, stage: Stage, selection: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, str]:
        """The assets to materialize, with the reasons; none where the stage is up to date.

        Args:
            stage: Partition, config and tags of the run.
            selection: The assets of its job.

        Returns:
            One line by asset; :data:`DUE` where there is nothing to explain. All assets of one step go together.
        """
        selected = set(selection)
        steps = [assets for assets in self._assets if not selected.isdisjoint(assets.keys)]
        reasons: dict[dg.AssetKey, str] = {}
        for step in _in_order(steps):
            found = [self._reason(spec, step.op.name, stage) for spec in step.specs]
            inputs = {dep.asset_key for spec in step.specs for dep in spec.deps}
            if any(reason is not None for reason in found) or not inputs.isdisjoint(reasons):
                reasons |= dict.fromkeys(step.keys, next(filter(None, found), DUE))
        return reasons

    def last(self, key: dg.AssetKey, stage: Stage) -> Materialization | None:
        """The last materialization of the stage's partition of an asset; None if there is none."""
        partition = stage.partition if self._specs[key].partitions_def else None
        return self._last(key, partition)

    def _reason(self, spec: dg.AssetSpec, step: str, stage: Stage) -> str | None:
        """Why an asset is out of date; None if it is up to date."""
        last = self.last(spec.key, stage)
        if last is None or not list(spec.deps):
            return DUE
        if last.tags.get(_CODE_VERSION) != spec.code_version:
            return "the code has changed"
        if not self._is_stored(spec, last, stage):
            return "the lake does not have what was materialized last"
        changed = self._changed_inputs(spec, last, stage)
        if changed:
            return f"{', '.join(changed)} changed"
        return self._changed_run(last.run_id, step, stage)

    def _is_stored(self, spec: dg.AssetSpec, last: Materialization, stage: Stage) -> bool:
        """Whether the lake has the output and the figures of a materialization."""
        partition = stage.partition if spec.partitions_def else None
        name, root = spec.key.to_user_string(), self._lake.root
        paths = [value.path for value in last.metadata.values() if isinstance(value, dg.PathMetadataValue)]
        files = [type(root)(path) for path in paths if path is not None]
        return all(file.is_relative_to(root) and file.exists() for file in files) and stored_version(
            self._lake, name, partition
        ) == last.tags.get(_DATA_VERSION)

    def _changed_inputs(self, spec: dg.AssetSpec, last: Materialization, stage: Stage) -> list[str]:
        """Names of the inputs with another data version than at the materialization."""
        changed = []
        for dep in spec.deps:
            key, pointer = dep.asset_key, last.tags.get(_INPUT + dep.asset_key.to_user_string())
            partitions = self._partitions(key, spec, stage)
            now = [self._version(key, partition) for partition in partitions]
            then: Sequence[str | None] = [None] * len(partitions)
            if pointer is not None and pointer != _UNKNOWN:
                then = [self._version(key, partition, int(pointer)) for partition in partitions]
            if now != then:
                changed.append(key.to_user_string())
        return changed

    def _partitions(self, key: dg.AssetKey, spec: dg.AssetSpec, stage: Stage) -> Sequence[str | None]:
        """Partitions of an input that a partition of an asset takes: the same one, or all."""
        of_input = self._specs[key].partitions_def
        if of_input is None:
            return [None]
        if of_input == spec.partitions_def:
            return [stage.partition]
        return of_input.get_partition_keys(dynamic_partitions_store=self._instance)

    def _version(self, key: dg.AssetKey, partition: str | None, until: int | None = None) -> str | None:
        last = self._last(key, partition, until)
        return None if last is None else last.tags.get(_DATA_VERSION)

    def _last(self, key: dg.AssetKey, partition: str | None, until: int | None = None) -> Materialization | None:
        """The last materialization of an asset, up to the event with the storage id ``until``."""
        wanted = dg.AssetRecordsFilter(
            key,
            asset_partitions=None if partition is None else [partition],
            before_storage_id=None if until is None else until + 1,
        )
        for record in self._instance.fetch_materializations(wanted, limit=1).records:
            made = record.asset_materialization
            if made is not None:
                return Materialization(record.run_id, made.tags or {}, made.metadata)
        return None

    def _changed_run(self, run_id: str, step: str, stage: Stage) -> str | None:
        """What a run configured differently from the stage for a step; None where there is nothing."""
        run = self._instance.get_run_by_id(run_id)
        if run is None:
            return "its run was deleted"
        run_config: Mapping[str, Any] = run.run_config
        config: dict[str, Any] = run_config.get("ops", {}).get(step, {}).get("config", {})
        wanted = dict(stage.config.get(step, {}))
        if json.dumps(config, sort_keys=True) != json.dumps(wanted, sort_keys=True):
            names = [name for name in {**config, **wanted} if config.get(name) != wanted.get(name)]
            return f"the setting {', '.join(names)} changed"
        if run.tags.get(RUN_KEY_TAG) != stage.tags.get(RUN_KEY_TAG):
            return "the announcement changed"
        tags = [key for key in {**run.tags, **stage.tags} if key.startswith(SETTING_TAG)]
        names = [key.removeprefix(SETTING_TAG) for key in tags if run.tags.get(key) != stage.tags.get(key)]
        return f"the setting {', '.join(names)} changed" if names else None


def _in_order(steps: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The same steps, each after those whose assets it takes."""
    by_key = {key: index for index, step in enumerate(steps) for key in step.keys}
    inputs = {
        index: {by_key[dep.asset_key] for spec in step.specs for dep in spec.deps if dep.asset_key in by_key} - {index}
        for index, step in enumerate(steps)
    }
    return [steps[index] for index in TopologicalSorter(inputs).static_order()]
