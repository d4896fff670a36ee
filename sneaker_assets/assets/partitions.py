"""What the graph is partitioned by: source site, backbone, price band and announced release.

Dagster: https://docs.dagster.io/guides/build/partitions-and-backfills
"""

import dagster as dg

from sneaker_assets.market.bands import PRICE_BANDS
from sneaker_assets.sites import SITES
from sneaker_assets.vision.architectures import BACKBONES

site_partitions = dg.StaticPartitionsDefinition(sorted(SITES))
backbone_partitions = dg.StaticPartitionsDefinition(list(BACKBONES))
band_partitions = dg.StaticPartitionsDefinition(list(PRICE_BANDS))
release_partitions = dg.DynamicPartitionsDefinition(name="releases")
