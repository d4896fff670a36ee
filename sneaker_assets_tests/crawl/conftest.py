from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sneaker_assets.crawl.database import Database
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake
from sneaker_assets_tests.crawl.shop import Shop, open_shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(tmp_path / "lake")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "crawl.sqlite")) as database:
        yield database


@pytest.fixture
def fetcher(shop: Shop) -> Callable[..., Fetcher]:
    """Creates a fetcher of the shop, with short delays by default."""

    def make(**settings: Any) -> Fetcher:
        quick = {"delay": 0.0, "backoff": 0.01, "attempts": 3, "timeout": 2.0, "allow_loopback": True}
        return Fetcher(shop.site(), FetchSettings(**{**quick, **settings}))

    return make
