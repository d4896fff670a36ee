"""Complete crawl of the misbehaving shop, for tests that run it in another process."""

import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import pandas as pd

from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake, read_table, write_table
from sneaker_assets.sources.web import WebSource
from sneaker_assets_tests.crawl.shop import shop_site


def shop_source(base: str, lake: Lake, **settings: float) -> WebSource:
    quick = FetchSettings(backoff=0.05, timeout=1.0, allow_loopback=True, **({"delay": 0.0} | settings))  # type: ignore[arg-type]
    return WebSource(lake, quick, sites_by_name={"shop": shop_site(base)})


def crawl_shop(base: str, root: str, delay: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Crawl listings and images; each step is skipped if its table exists."""
    lake = Lake.at(root)
    source = shop_source(base, lake, delay=delay)
    listings, images = lake.table("raw_scrapes", "shop"), lake.table("scraped_images", "shop")
    if not listings.exists():
        write_table(listings, source.observe("shop"))
    if not images.exists():
        write_table(images, source.images("shop", read_table(listings)["image_url"]))
    return read_table(listings), read_table(images)


def kill_after(process: BaseProcess, n_requests: int, count: Callable[[], int]) -> None:
    """Start a crawl in another process and kill it after a number of requests, which ``count`` counts."""
    enough = count() + n_requests
    process.start()
    while count() < enough and process.is_alive():
        time.sleep(0.003)
    process.kill()
    process.join()
