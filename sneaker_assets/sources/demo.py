"""Source of listings of the offline shop."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets.sites import SITES
from sneaker_assets.sources.web import WebSource

DEMO_SITES = ("farfetch", "stockx")
"""The sites that the offline shop imitates."""


@contextmanager
def demo_source(lake: Lake, n_products: int = 600, seed: int = 2020, today: date | None = None) -> Iterator[WebSource]:
    """Run the offline shop on loopback for the duration of the block, as a source of listings.

    Args:
        lake: Lake that holds images, crawl states and the shop's clock.
        n_products: Number of shoes for sale, over all sites of the shop.
        seed: Seed that determines the shop.
        today: Date at the shop, which decides what is released; by default that of its clock in the lake.
    """
    # A live crawl does not need the code that draws shoes.
    from sneaker_assets.demo_shop import DemoShop  # noqa: PLC0415
    from sneaker_assets.demo_shop.clock import shop_day  # noqa: PLC0415

    sites = {name: SITES[name] for name in DEMO_SITES}
    with DemoShop(n_products=n_products, seed=seed, today=today or shop_day(lake)) as shop:
        settings = FetchSettings(delay=0.0, allow_loopback=True)
        yield WebSource(lake, settings, homes=shop.addresses, sites_by_name=sites)
