"""Partitions of the graph: source site, backbone, price band and announced release.

The sites of the sources and the edges between price bands are read when the graph is loaded, since partitions have to
be known then: an archive with a new site needs a reload of the code location.

Dagster: https://docs.dagster.io/guides/build/partitions-and-backfills
"""

import dagster as dg

from sneaker_assets.market.bands import price_bands
from sneaker_assets.resources.source import ListingSourceResource
from sneaker_assets.settings.environment import load_settings
from sneaker_assets.vision.backbones.architectures import BACKBONES

SITES = tuple(ListingSourceResource().site_sources())
"""Names of the sites that the settings choose, sorted."""

PRICE_BANDS = price_bands(load_settings().bands)

site_partitions = dg.StaticPartitionsDefinition(SITES)
backbone_partitions = dg.StaticPartitionsDefinition(list(BACKBONES))
band_partitions = dg.StaticPartitionsDefinition(list(PRICE_BANDS))
release_partitions = dg.DynamicPartitionsDefinition(name="releases")
