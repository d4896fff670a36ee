"""Partitions of the graph: source site, backbone, price band and announced release.

Shopify stores and the edges between price bands are settings that are read when the graph is loaded, since partitions
have to be known then.

Dagster: https://docs.dagster.io/guides/build/partitions-and-backfills
"""

import dagster as dg

from sneaker_assets.market.bands import price_bands
from sneaker_assets.settings.environment import load_settings
from sneaker_assets.sites import load_sites
from sneaker_assets.vision.backbones.architectures import BACKBONES

_SETTINGS = load_settings()

SITES = load_sites(stores=_SETTINGS.shopify_stores)
PRICE_BANDS = price_bands(_SETTINGS.bands)

site_partitions = dg.StaticPartitionsDefinition(sorted(SITES))
backbone_partitions = dg.StaticPartitionsDefinition(list(BACKBONES))
band_partitions = dg.StaticPartitionsDefinition(list(PRICE_BANDS))
release_partitions = dg.DynamicPartitionsDefinition(name="releases")
