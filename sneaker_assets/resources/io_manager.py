"""How assets hand tables and folders to each other through the lake.

A table is validated against its schema before it replaces the old one. An asset over several partitions gets them as
one table. Anything too big for a table (a model, a feature store) is a folder that the asset has written itself; what
is handed on is its name, so a consumer reads the folder that its lineage says and never "the newest".
"""

import dagster as dg
import pandas as pd
from upath import UPath

from sneaker_assets import lake, tables
from sneaker_assets.resources.lake import LakeResource

_EXAMPLES = 5


class LakeIOManager(dg.ConfigurableIOManager):
    """Stores DataFrames as Parquet and UPaths as references into the lake."""

    lake: dg.ResourceDependency[LakeResource]

    def handle_output(self, context: dg.OutputContext, obj: pd.DataFrame | UPath) -> None:
        """Validate and write a table, or write down a folder's name."""
        partition = context.asset_partition_key if context.has_asset_partitions else None
        name = context.asset_key.to_user_string()
        if isinstance(obj, UPath):
            root = self.lake.open().root
            path = self._reference(name, partition)
            lake.write_json(path, {"folder": obj.relative_to(root).as_posix()})
            context.add_output_metadata({"folder": dg.MetadataValue.path(str(obj))})
            return
        path = self.lake.open().table(name, partition)
        table = validated(name, obj)
        lake.write_table(path, table)
        context.add_output_metadata({"path": dg.MetadataValue.path(str(path)), "dagster/row_count": len(table)})

    def load_input(self, context: dg.InputContext) -> pd.DataFrame | UPath:
        """The upstream table, all partitions asked for in one, or the upstream folder."""
        name = context.asset_key.to_user_string()
        keys: list[str | None] = [*context.asset_partition_keys] if context.has_asset_partitions else [None]
        if context.dagster_type.typing_type is UPath:
            reference = self._reference(name, keys[0])
            if not reference.exists():
                raise _missing(name, keys)
            return self.lake.open().root / str(lake.read_json(reference)["folder"])
        paths = {key: self.lake.open().table(name, key) for key in keys}
        frames = [lake.read_table(path) for path in paths.values() if path.exists()]
        if not frames:
            raise _missing(name, keys)
        absent = [str(key) for key, path in paths.items() if not path.exists()]
        if absent:
            context.log.warning("%s goes without its partitions %s, which are not there yet", name, ", ".join(absent))
        return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]

    def _reference(self, name: str, partition: str | None) -> UPath:
        return self.lake.open().table(name, partition).with_suffix(".json")


def validated(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The table in the dtypes and column order of its schema.

    Raises:
        dagster.Failure: it breaks the schema; names column, rule and the first values that break it.
    """
    from pandera.errors import SchemaErrors

    schema = tables.SCHEMAS[name]
    try:
        table: pd.DataFrame = schema.validate(frame.reset_index(drop=True), lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.head(_EXAMPLES)[["column", "check", "failure_case"]]
        raise dg.Failure(
            f"{name} breaks its schema and was not written: {cases.to_dict('records')}", allow_retries=False
        ) from error
    return table


def _missing(name: str, keys: list[str | None]) -> dg.Failure:
    partitions = ", ".join(str(key) for key in keys if key is not None)
    return dg.Failure(
        f"{name}{f' [{partitions}]' if partitions else ''} is not in the lake yet: materialize it first",
        allow_retries=False,
    )
