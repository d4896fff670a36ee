"""IO manager that stores tables and references to folders in the lake.

A table is validated against its schema before it replaces the old one. An asset over several partitions loads them as
one table. Anything too big for a table (a model, a feature store) is a folder that the asset writes itself; the IO
manager stores its name, so that a consumer reads the folder of its lineage and not the newest one. An asset over
several partitions loads their folders as a dictionary by partition key. An input whose ``AssetIn`` has the metadata
``OPTIONAL_INPUT`` is None, or an empty dictionary, while it has never been materialized, and partitions of one with
``PARTIAL_INPUT`` may be missing.

Each materialization has the data version of what was stored, see ``data_versions``.
"""

from typing import get_args, get_origin

import dagster as dg
import pandas as pd
from upath import UPath

from sneaker_assets import lake, tables
from sneaker_assets.resources.data_versions import stored_version
from sneaker_assets.resources.lake import LakeResource
from sneaker_assets.tables.upgrade import with_added_columns

_EXAMPLES = 5

OPTIONAL_INPUT = {"allow_missing_partitions": True}
"""Metadata of an ``AssetIn`` that may be missing; the key is that of Dagster's own IO managers."""

PARTIAL_INPUT = {"partial": True}
"""Metadata of an ``AssetIn`` over all partitions that is loaded without the missing ones, and without a warning."""


class LakeIOManager(dg.ConfigurableIOManager):
    """Stores DataFrames as Parquet and UPaths as references into the lake."""

    lake: dg.ResourceDependency[LakeResource]

    def handle_output(self, context: dg.OutputContext, obj: pd.DataFrame | UPath) -> None:
        """Store a validated table, or a reference to a folder.

        Args:
            context: The context of the output; its asset and partition determine the path.
            obj: The table, or a folder inside the lake.

        Raises:
            dagster.Failure: The table violates its schema.
        """
        partition = context.asset_partition_key if context.has_asset_partitions else None
        name, here = context.asset_key.to_user_string(), self.lake.open()
        if isinstance(obj, UPath):
            lake.write_json(here.reference(name, partition), {"folder": obj.relative_to(here.root).as_posix()})
            context.add_output_metadata({"folder": dg.MetadataValue.path(str(obj))})
        else:
            path, table = here.table(name, partition), validated(name, obj)
            lake.write_table(path, table)
            context.add_output_metadata({"path": dg.MetadataValue.path(str(path)), "dagster/row_count": len(table)})
        # An IO manager has no other way to set the version that ``dg.Output(data_version=...)`` sets in an asset.
        version = dg.DataVersion(stored_version(here, name, partition) or "")
        context.step_context.set_data_version(context.asset_key, version)

    def load_input(self, context: dg.InputContext) -> pd.DataFrame | UPath | dict[str, UPath] | None:
        """The upstream table with all requested partitions, the upstream folder, or the folder of each partition.

        Args:
            context: The context of the input; its type annotation decides between table, folder and dictionary.

        Returns:
            The rows of all materialized partitions, the folder, or the folders of all materialized partitions; None if
            an optional table or folder was never materialized.

        Raises:
            dagster.Failure: A required input was never materialized.
        """
        name = context.asset_key.to_user_string()
        keys: list[str | None] = [*context.asset_partition_keys] if context.has_asset_partitions else [None]
        optional = bool(context.definition_metadata.get("allow_missing_partitions"))
        here, wanted = self.lake.open(), context.dagster_type.typing_type
        if get_origin(wanted) is dict:
            folders = {str(key): here.referenced(name, key) for key in keys}
            found = {key: folder for key, folder in folders.items() if folder is not None}
            if not found and not optional:
                raise dg.Failure(_not_in_lake(name, keys), allow_retries=False)
            return found
        if UPath in (wanted, *get_args(wanted)):
            folder = here.referenced(name, keys[0])
            if folder is None and not optional:
                raise dg.Failure(_not_in_lake(name, keys), allow_retries=False)
            return folder
        paths = {key: here.table(name, key) for key in keys}
        frames = [with_added_columns(name, lake.read_table(path)) for path in paths.values() if path.exists()]
        if not frames:
            if optional:
                return None
            raise dg.Failure(_not_in_lake(name, keys), allow_retries=False)
        absent = [str(key) for key, path in paths.items() if not path.exists()]
        if absent and not optional and not context.definition_metadata.get("partial"):
            context.log.warning("%s is loaded without its partitions %s: not materialized yet", name, ", ".join(absent))
        return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def validated(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The table in the dtypes and column order of its schema.

    Args:
        name: A key of ``tables.SCHEMAS``.
        frame: The table; its index is discarded.

    Returns:
        A validated copy with a default index.

    Raises:
        dagster.Failure: It violates the schema; the message names column, check and the first failure cases.
    """
    from pandera.errors import SchemaErrors

    schema = tables.SCHEMAS[name]
    try:
        table: pd.DataFrame = schema.validate(frame.reset_index(drop=True), lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.head(_EXAMPLES)[["column", "check", "failure_case"]]
        raise dg.Failure(
            f"{name} violates its schema and was not written: {cases.to_dict('records')}", allow_retries=False
        ) from error
    return table


def _not_in_lake(name: str, keys: list[str | None]) -> str:
    partitions = ", ".join(str(key) for key in keys if key is not None)
    return f"{name}{f' [{partitions}]' if partitions else ''} is not in the lake yet: materialize it first"
