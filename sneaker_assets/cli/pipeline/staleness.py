"""Which assets of a stage are out of date, judged by the materializations that the instance recorded.

Like the UI, this compares code versions and the data versions of inputs; in addition the config and the settings of the
run, and what is stored in the lake. An asset without inputs reads something outside the graph and is never up to date.

Dagster: https://docs.dagster.io/guides/build/assets/asset-versioning-and-caching
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg

from sneaker_assets.assets.metadata import UNFINISHED
from sneaker_assets.automation.sensors import RUN_KEY_TAG
from sneaker_assets.cli.pipeline.stages import SETTING_TAG, Stage
from sneaker_assets.lake import Lake
from sneaker_assets.resources.data_versions import stored_version

DUE = ""
"""Reason without words: the asset was never materialized, or has no inputs."""

_CODE_VERSION, _DATA_VERSION = "dagster/code_version", "dagster/data_version"
_INPUT = "dagster/input_event_pointer/"
_UNKNOWN = "NULL"


@dataclass(frozen=True)
class Materialization:
    """A materialization of an asset or of one of its partitions.

    Attributes:
        storage_id: Number of its event; later events have larger ones.
        run_id: The run that made it.
        tags: Its tags.
        metadata: Its metadata.
    """

    storage_id: int
    run_id: str
    tags: Mapping[str, str]
    metadata: Mapping[str, dg.MetadataValue[Any]]

    @property
    def version(self) -> str | None:
        """The data version."""
        return self.tags.get(_DATA_VERSION)


class Staleness:
    """Decides which assets of a stage are out of date.

    Args:
        assets: All assets of the graph.
        instance: The instance that records materializations.
        lake: The lake that they are stored in.
    """

    def __init__(self, assets: Iterable[dg.AssetsDefinition], instance: dg.DagsterInstance, lake: Lake) -> None:
        self._assets, self._instance, self._lake = list(assets), instance, lake
        self._found: dict[tuple[dg.AssetKey, str | None], Materialization | None] = {}

    @cached_property
    def _specs(self) -> dict[dg.AssetKey, dg.AssetSpec]:
        return {spec.key: spec for assets in self._assets for spec in assets.specs}

    def next_assets(
        self, stage: Stage, selection: Collection[dg.AssetKey], done: Collection[dg.AssetKey] = ()
    ) -> dict[dg.AssetKey, str]:
        """The assets of a stage to materialize now, with the reasons.

        What takes their output may turn out to be up to date: it is judged once they are materialized.

        Args:
            stage: Partition, config and tags of the run.
            selection: The assets of its job.
            done: Those of them that were already materialized for this stage.

        Returns:
            One line by asset, or :data:`DUE`; none if the stage is up to date. All assets of a step go together.
        """
        self._found.clear()
        reasons: dict[dg.AssetKey, str] = {}
        undecided: set[dg.AssetKey] = set()
        for step in _in_order([assets for assets in self._assets if not assets.keys.isdisjoint(selection)]):
            inputs = {dep.asset_key for spec in step.specs for dep in spec.deps} - step.keys
            found = [] if step.keys <= set(done) else [self._reason(spec, step.op.name, stage) for spec in step.specs]
            why = [reason for reason in found if reason is not None]
            if not inputs.isdisjoint(undecided) or (not why and not inputs.isdisjoint(reasons)):
                undecided |= step.keys
            elif why:
                reasons |= dict.fromkeys(step.keys, next(filter(None, why), DUE))
        return reasons

    def last(self, key: dg.AssetKey, stage: Stage) -> Materialization | None:
        """The last materialization of the stage's partition of an asset; None if there is none."""
        return self._last(key, stage.partition if self._specs[key].partitions_def else None)

    def _reason(self, spec: dg.AssetSpec, step: str, stage: Stage) -> str | None:
        """Why an asset is out of date; None if it is up to date."""
        last = self.last(spec.key, stage)
        if last is None or not list(spec.deps):
            return DUE
        if last.tags.get(_CODE_VERSION) != spec.code_version:
            return "the code has changed"
        changed = self._changed_inputs(spec, last, stage)
        if changed:
            return f"{', '.join(changed)} changed"
        return self._changed_run(last.run_id, step, stage) or self._changed_output(spec, last, stage)

    def _changed_inputs(self, spec: dg.AssetSpec, last: Materialization, stage: Stage) -> list[str]:
        """Names of the inputs with another data version than at a materialization."""
        names = []
        for dep in spec.deps:
            name = dep.asset_key.to_user_string()
            pointer = last.tags.get(_INPUT + name, _UNKNOWN)
            read = 0 if pointer == _UNKNOWN else int(pointer)
            partitions = self._partitions(dep.asset_key, spec, stage)
            if any(self._changed_since(dep.asset_key, partition, read) for partition in partitions):
                names.append(name)
        return names

    def _partitions(self, key: dg.AssetKey, spec: dg.AssetSpec, stage: Stage) -> Sequence[str | None]:
        """Partitions of an input that a partition of an asset takes: the same one, or all."""
        of_input = self._specs[key].partitions_def
        if of_input is None:
            return [None]
        if of_input == spec.partitions_def:
            return [stage.partition]
        return of_input.get_partition_keys(dynamic_partitions_store=self._instance)

    def _changed_since(self, key: dg.AssetKey, partition: str | None, storage_id: int) -> bool:
        """Whether an asset has another data version than before the event after that storage id."""
        now = self._last(key, partition)
        if now is None or now.storage_id <= storage_id:
            return False
        then = self._fetch(key, partition, storage_id)
        return then is None or then.version != now.version

    def _last(self, key: dg.AssetKey, partition: str | None) -> Materialization | None:
        if (key, partition) not in self._found:
            self._found[key, partition] = self._fetch(key, partition)
        return self._found[key, partition]

    def _fetch(self, key: dg.AssetKey, partition: str | None, until: int | None = None) -> Materialization | None:
        """The last materialization of an asset, up to a storage id."""
        wanted = dg.AssetRecordsFilter(
            key,
            asset_partitions=None if partition is None else [partition],
            before_storage_id=None if until is None else until + 1,
        )
        for record in self._instance.fetch_materializations(wanted, limit=1).records:
            made = record.asset_materialization
            if made is not None:
                return Materialization(record.storage_id, record.run_id, made.tags or {}, made.metadata)
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

    def _changed_output(self, spec: dg.AssetSpec, last: Materialization, stage: Stage) -> str | None:
        """What is missing of a materialization, in the lake or of a training; None where everything is there."""
        if UNFINISHED in last.metadata:
            return "its training is unfinished"
        root, name = self._lake.root, spec.key.to_user_string()
        for value in last.metadata.values():
            if isinstance(value, dg.PathMetadataValue) and value.path is not None:
                file = type(root)(value.path)
                if not file.is_relative_to(root):
                    return "it was stored in another lake"
                if not file.exists():
                    return f"{file.relative_to(root)} is missing"
        if stored_version(self._lake, name, stage.partition if spec.partitions_def else None) != last.version:
            return "the lake has other content than was materialized"
        return None


def _in_order(steps: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The same steps, each after those whose assets it takes."""
    by_key = {key: index for index, step in enumerate(steps) for key in step.keys}
    inputs = {
        index: {by_key[dep.asset_key] for spec in step.specs for dep in spec.deps if dep.asset_key in by_key} - {index}
        for index, step in enumerate(steps)
    }
    return [steps[index] for index in TopologicalSorter(inputs).static_order()]
