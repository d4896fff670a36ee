"""The lake as a Dagster resource."""

import dagster as dg
import pandas as pd
from pydantic import Field

from sneaker_assets.lake import Lake, read_table
from sneaker_assets.settings.environment import load_settings
from sneaker_assets.tables.upgrade import with_added_columns


class LakeResource(dg.ConfigurableResource[Lake]):
    """The folder or bucket that holds all tables, images, features and models."""

    root: str | None = Field(
        default=None,
        description="Folder or fsspec address. Default: SNEAKER_LAKE, else data_lake/ in the working directory.",
    )

    def open(self) -> Lake:
        """The lake."""
        return Lake.at(self.root or load_settings().lake)

    def previous(self, context: dg.AssetExecutionContext, asset: str | None = None) -> pd.DataFrame | None:
        """The table that the last materialization of this asset and partition wrote, or None.

        Args:
            context: The context of the running asset.
            asset: Name of the table, for a step that writes several; by default the asset's own.

        Returns:
            The table; None if it was never written.
        """
        partition = context.partition_key if context.has_partition_key else None
        name = asset or context.asset_key.to_user_string()
        path = self.open().table(name, partition)
        return with_added_columns(name, read_table(path)) if path.exists() else None
