"""The lake as a Dagster resource: where it is. How it is read and written is ``sneaker_assets.lake``'s concern."""

import os

import dagster as dg
import pandas as pd
from pydantic import Field

from sneaker_assets.lake import Lake, read_table


class LakeResource(dg.ConfigurableResource[Lake]):
    """The folder or bucket that everything is kept in."""

    root: str | None = Field(
        default=None,
        description="Folder or fsspec address. Default: SNEAKER_LAKE, else data_lake/ in the working folder.",
    )

    def open(self) -> Lake:
        """The lake."""
        return Lake.at(self.root or os.environ.get("SNEAKER_LAKE") or "data_lake")

    def previous(self, context: dg.AssetExecutionContext, asset: str | None = None) -> pd.DataFrame | None:
        """The table that this asset, in this partition, holds from its last materialization, or None.

        A step that writes several tables names the one it means.
        """
        partition = context.partition_key if context.has_partition_key else None
        path = self.open().table(asset or context.asset_key.to_user_string(), partition)
        return read_table(path) if path.exists() else None
