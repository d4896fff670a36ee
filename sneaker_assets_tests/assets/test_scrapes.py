"""The crawl assets, against the offline shop and against failing servers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from sneaker_assets.assets.scrapes import raw_scrapes, scraped_images
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.lake import Lake, read_table, write_table
from sneaker_assets.resources import LakeIOManager, LakeResource, ListingSourceResource
from sneaker_assets.sites.base import Page
from sneaker_assets.sources.base import ListingSource
from sneaker_assets.sources.web import WebSource
from sneaker_assets_tests.builders import observations
from sneaker_assets_tests.crawl.answers import jpeg, reply
from sneaker_assets_tests.crawl.api_shop import KEY, TOKEN, api_source, files_of, fill
from sneaker_assets_tests.crawl.misbehaving_shop import Catalogue
from sneaker_assets_tests.crawl.shop import Shop, open_shop, parse_page, shop_site


class ShopResource(ListingSourceResource):
    """A test server, registered as the site ``stockx``."""

    base: str

    @contextmanager
    def open(self, lake: Lake) -> Iterator[ListingSource]:
        site = replace(shop_site(self.base), start_path="/", parse_page=read_page_of_thirty)
        yield WebSource(
            lake, FetchSettings(delay=0.0, backoff=0.01, allow_loopback=True), sites_by_name={"stockx": site}
        )


def read_page_of_thirty(body: bytes, url: str) -> Page:
    return replace(parse_page(body, url), listed=30)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened


def run(lake: Lake, source: ListingSourceResource, *assets: Any, **options: Any) -> dg.ExecuteInProcessResult:
    resource = LakeResource(root=str(lake.root))
    return dg.materialize(
        assets,
        partition_key="stockx",
        resources={"lake": resource, "io_manager": LakeIOManager(lake=resource), "listing_source": source},
        raise_on_error=False,
        **options,
    )


def test_crawl_metadata_has_totals_and_a_figure(lake: Lake) -> None:
    result = run(lake, ListingSourceResource(source="demo", demo_products=60), raw_scrapes, scraped_images)
    assert result.success
    (event,) = result.asset_materializations_for_node("raw_scrapes")
    crawl, figure = event.metadata["crawl"], event.metadata["stockx_prices_by_first_seen"]
    assert isinstance(crawl, dg.JsonMetadataValue)
    assert isinstance(crawl.data, dict)
    assert crawl.data["yielded"] == crawl.data["listed"] > 0
    assert isinstance(figure, dg.MarkdownMetadataValue)
    assert "data:image/png;base64" in (figure.md_str or "")
    assert [evaluation.passed for evaluation in result.get_asset_check_evaluations()] == [True]
    assert pd.read_parquet(Path(str(lake.table("scraped_images", "stockx"))))["problem"].isna().all()


class ApiResource(ListingSourceResource):
    """A server that imitates StockX's API."""

    base: str

    @contextmanager
    def open(self, lake: Lake) -> Iterator[ListingSource]:
        yield api_source(self.base, lake)


def test_api_continues_the_history_of_crawled_pages(lake: Lake, shop: Shop) -> None:
    """Products keep their image URLs, missing ones are counted, and the key is not stored anywhere."""
    address = f"{shop.base}/one.jpg"
    write_table(lake.table("raw_scrapes", "stockx"), observations({"product_id": "shoe-1", "image_url": address}))
    fill(shop, {1: 200, 2: 300})
    shop.answers["/one.jpg"] = reply(body=jpeg(), kind="image/jpeg")
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(lake, ApiResource(base=shop.base), raw_scrapes, scraped_images, instance=instance)
        kept = str(instance.all_logs(result.run_id))
    assert result.success
    (event,) = result.asset_materializations_for_node("raw_scrapes")
    assert event.metadata["products_without_image"].value == 1
    assert event.metadata["page_formats"].value == {"api_v2": 2}
    table = read_table(lake.table("raw_scrapes", "stockx"))
    assert set(table.loc[table["product_id"] == "shoe-1", "image_url"]) == {address}
    assert read_table(lake.table("scraped_images", "stockx"))["image_url"].tolist() == [address]
    assert "products_without_image" in kept
    assert not [secret for secret in (KEY, TOKEN) if secret in kept or secret in str(files_of(Path(str(lake.root))))]


def test_low_yield_of_a_page_fails_the_check(lake: Lake, shop: Shop) -> None:
    shop.answers["/"] = reply(body=Catalogue(pages=1, per_page=12, pictures=[]).page(1) or b"")
    result = run(lake, ShopResource(base=shop.base), raw_scrapes)
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert evaluation.metadata["min_share"].value == 0.4
    assert (evaluation.metadata["listed"].value, evaluation.metadata["yielded"].value) == (30, 12)


def test_paused_crawl_fails_without_retries_and_says_when_to_resume(lake: Lake, shop: Shop) -> None:
    shop.answers["/"] = reply(429, Retry_After="3600")
    result = run(lake, ShopResource(base=shop.base), raw_scrapes)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    shown = failure.step_failure_data.user_failure_data
    assert shown is not None
    assert "come back after" in (shown.description or "")
    assert "resume_at" in shown.metadata


@pytest.mark.parametrize(("n_unreadable", "succeeds"), [(0, True), (2, True), (3, False)])
def test_crawl_fails_if_many_written_prices_are_unreadable(
    lake: Lake, tmp_path: Path, n_unreadable: int, succeeds: bool
) -> None:
    texts = ["ask in shop"] * n_unreadable + ["n/a"] * 5 + ["$1\xa0290"] * (100 - n_unreadable)
    rows = "".join(f"{text},stockx_{i}.jpg\n" for i, text in enumerate(texts))
    (tmp_path / "listings.csv").write_text("sale_price,image_name\n" + rows)
    result = run(lake, ListingSourceResource(source="archive", archive=str(tmp_path)), raw_scrapes)
    assert result.success is succeeds
    if succeeds:
        (event,) = result.asset_materializations_for_node("raw_scrapes")
        counted = event.metadata["prices_unreadable"].value
        assert isinstance(counted, dict)
        assert sum(counted.values()) == n_unreadable
    else:
        (failure,) = result.get_step_failure_events()
        shown = failure.step_failure_data.user_failure_data
        assert shown is not None
        assert "3.0% of the written prices cannot be read" in (shown.description or "")
        assert "ask in shop" in (shown.description or "")


def test_crawl_steps_of_all_runs_share_one_pool() -> None:
    """The pool has one slot in the instance's settings; without Dagster, a file lock has the same effect."""
    assert {raw_scrapes.op.pool, scraped_images.op.pool} == {"crawl"}
    assert "pools:\n    default_limit: 1\n" in (Path(__file__).parents[2] / "dagster.yaml").read_text()
