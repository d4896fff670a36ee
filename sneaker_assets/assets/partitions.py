"""Partitions of the graph: source site, backbone, price band and announced release.

The sites of the sources, the backbones in use and the edges between price bands are read when the graph is loaded,
since partitions have to be known then: an archive with a new site, or another backbone, needs a reload of the code
location. What was computed for a partition that is no longer configured stays in the lake.

Dagster: https://docs.dagster.io/guides/build/partitions-and-backfills
"""

import dagster as dg

from sneaker_assets.market.bands import price_bands
from sneaker_assets.resources.source import ListingSourceResource
from sneaker_assets.settings.environment import load_settings, variable
from sneaker_assets.settings.model import SettingsError
from sneaker_assets.vision.backbones.architectures import get_architecture

SITES = tuple(ListingSourceResource().site_sources())
"""Names of the sites that the settings choose, sorted."""

BACKBONES_IN_USE = load_settings().backbones
"""Names of the backbones that the settings choose."""

PRICE_BANDS = price_bands(load_settings().bands)

site_partitions = dg.StaticPartitionsDefinition(SITES)
backbone_partitions = dg.StaticPartitionsDefinition(list(BACKBONES_IN_USE))
band_partitions = dg.StaticPartitionsDefinition(list(PRICE_BANDS))
release_partitions = dg.DynamicPartitionsDefinition(name="releases")


def check_backbone_in_use(name: str) -> None:
    """Check that a backbone is a partition of the graph.

    Args:
        name: The backbone's name.

    Raises:
        UnknownBackboneError: No backbone has that name.
        SettingsError: The settings do not name the backbone.
    """
    get_architecture(name)
    if name not in BACKBONES_IN_USE:
        in_use = ",".join((*BACKBONES_IN_USE, name))
        raise SettingsError(f"the backbone {name} is not in use: set {variable('backbones')}={in_use}")
