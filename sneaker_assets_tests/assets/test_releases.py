"""Announced shoes priced by the real job, on an ephemeral instance and a shop on loopback."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from sneaker_assets.assets.partitions import release_partitions
from sneaker_assets.assets.prices import fx_rates
from sneaker_assets.assets.releases import release_predictions, releases
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake, read_table
from sneaker_assets.market.releases import release_key
from sneaker_assets.resources import ComputeResource, LakeIOManager, LakeResource, ListingSourceResource
from sneaker_assets.sites.base import Listing, Page, Price, Site
from sneaker_assets.sources.base import ListingSource
from sneaker_assets.sources.web import WebSource
from sneaker_assets_tests.champion import Champion
from sneaker_assets_tests.crawl.answers import jpeg, reply
from sneaker_assets_tests.crawl.shop import Shop, open_shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        opened.answers["/shoe.jpg"] = reply(body=jpeg(300, 200), kind="image/jpeg")
        yield opened


def source_of(shop: Shop, product_id: str) -> type[ListingSourceResource]:
    """Resource of a site that announces one shoe with this id."""
    shop.answers["/soon"] = reply(body=json.dumps([product_id]).encode())

    def parse_page(body: bytes, url: str) -> Page:
        (found,) = json.loads(body)
        listing = Listing(
            "stockx", found, url, "Shoe", f"{shop.base}/shoe.jpg", "test", retail_price=100.0,
            release_date=datetime(2030, 1, 1, tzinfo=UTC), prices=(Price(200.0, "USD", "list"),),
        )  # fmt: skip
        return Page((listing,), "test", listed=1)

    class Source(ListingSourceResource):
        @contextmanager
        def open(self, lake: Lake) -> Iterator[ListingSource]:
            settings = FetchSettings(delay=0.0, allow_loopback=True)
            yield WebSource(
                lake, settings, sites_by_name={"stockx": Site("stockx", shop.base, "/", "/soon", parse_page)}
            )

    return Source


@pytest.fixture(scope="module")
def deep_lake(champion: Champion, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A copy of the champion's lake with exchange rates, three folders deep in an otherwise empty one."""
    lake = Lake.at(shutil.copytree(str(champion.lake.root), tmp_path_factory.mktemp("outside") / "a" / "b" / "lake"))
    resource = LakeResource(root=str(lake.root))
    resources = {
        "lake": resource,
        "io_manager": LakeIOManager(lake=resource),
        "listing_source": ListingSourceResource(source="demo"),
    }
    dg.materialize([fx_rates], resources=resources)
    return lake


@pytest.mark.parametrize("product_id", ["x/../../../../evil", "..", "a\\b:c", "Größe 42", "x" * 400])
def test_release_of_any_product_id_is_priced_inside_the_lake(shop: Shop, deep_lake: Lake, product_id: str) -> None:
    lake, outside = deep_lake, Path(str(deep_lake.root)).parents[2]
    figures = lake.folder("figures", "release_predictions")
    earlier = set(figures.iterdir()) if figures.exists() else set()
    key = release_key("stockx", product_id)
    resource = LakeResource(root=str(lake.root))
    resources = {
        "lake": resource,
        "io_manager": LakeIOManager(lake=resource),
        "listing_source": source_of(shop, product_id)(),
        "compute": ComputeResource(device="cpu"),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(release_partitions.name or "", [key])
        stored = [dg.AssetSpec(name) for name in ("fx_rates", "model_leaderboard", "similarity_index")]
        result = dg.materialize(
            [releases, release_predictions, *stored], instance=instance, resources=resources, partition_key=key
        )
    assert result.success
    priced = read_table(lake.table("release_predictions", key))
    assert priced["product_id"].tolist() == [product_id]
    written = [path for path in outside.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(outside / "a" / "b" / "lake") for path in written)
    assert len(set(figures.iterdir()) - earlier) == 1
