"""Download, validation and caching of images."""

import hashlib
import io
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from sneaker_assets.crawl.circuit_breaker import MAX_REFUSED_IMAGES
from sneaker_assets.crawl.database import Database
from sneaker_assets.crawl.downloads import download_images
from sneaker_assets.crawl.errors import SiteBlocked
from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.image_cache import ImageCache
from sneaker_assets.crawl.images import ImageRecord, collect_images, image_size
from sneaker_assets.lake import Lake
from sneaker_assets.tables import Images
from sneaker_assets_tests.crawl.answers import by_validator, in_turn, jpeg, raw, reply
from sneaker_assets_tests.crawl.shop import Shop


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


Download = Callable[..., pd.DataFrame]


@pytest.fixture
def download(shop: Shop, fetcher: Callable[..., Fetcher], lake: Lake, database: Database) -> Download:
    """Downloads images of the shop by name, with the given settings."""

    def run(*names: str, known: pd.DataFrame | None = None, **settings: Any) -> pd.DataFrame:
        client = fetcher(**settings)
        cache = ImageCache(database, "shop", client.settings.recheck)
        table = download_images([f"{shop.base}/{name}" for name in names], client, lake, cache, known=known)
        return table.set_index(table["image_url"].str.removeprefix(f"{shop.base}/"), drop=False)

    return run


@pytest.fixture
def table(shop: Shop, download: Download) -> pd.DataFrame:
    shop.answers |= {
        "/good.jpg": reply(body=jpeg(40, 30), kind="image/jpeg"),
        "/same.jpg": reply(body=jpeg(40, 30), kind="image/jpeg"),
        "/half.jpg": reply(body=jpeg(400, 300)[:-1500], kind="image/jpeg"),
        "/html.jpg": reply(body=b"<html>no picture</html>", kind="image/jpeg"),
        "/bomb.png": reply(body=png(9000, 9000), kind="image/png"),
    }
    return download("good.jpg", "same.jpg", "half.jpg", "html.jpg", "bomb.png", "gone.jpg", "good.jpg")


def test_every_url_has_one_row_in_the_given_order(table: pd.DataFrame) -> None:
    assert list(table.index) == ["good.jpg", "same.jpg", "half.jpg", "html.jpg", "bomb.png", "gone.jpg"]
    Images.validate(table.reset_index(drop=True))


def test_valid_image_is_stored_under_its_sha256(table: pd.DataFrame, lake: Lake) -> None:
    row = table.loc["good.jpg"].to_dict()
    assert row["sha256"] == hashlib.sha256(jpeg(40, 30)).hexdigest()
    assert (row["width"], row["height"], row["n_bytes"]) == (40, 30, len(jpeg(40, 30)))
    assert lake.image(row["sha256"]).read_bytes() == jpeg(40, 30)


def test_identical_images_are_stored_once(table: pd.DataFrame, lake: Lake) -> None:
    assert len(set(table.loc[["good.jpg", "same.jpg"], "sha256"])) == 1
    assert len([file for file in (lake.root / "images").glob("*/*") if file.is_file()]) == 1


@pytest.mark.parametrize(
    ("name", "problem"),
    [("half.jpg", "truncated"), ("html.jpg", "is not a JPEG"), ("bomb.png", "pixels"), ("gone.jpg", "answered 404")],
)
def test_invalid_image_has_a_one_line_problem(table: pd.DataFrame, name: str, problem: str) -> None:
    row = table.loc[name]
    assert problem in row["problem"]
    assert "\n" not in row["problem"]
    assert pd.isna(row["sha256"])


def test_fresh_cache_entries_are_not_requested_again(table: pd.DataFrame, shop: Shop, download: Download) -> None:
    shop.log.clear()
    again = download(*table.index)
    assert not [request for request in shop.log if request.path != "/robots.txt"]
    pd.testing.assert_frame_equal(again, table)


def test_failure_is_retried_when_it_is_stale(shop: Shop, download: Download) -> None:
    download("late.jpg", recheck=0)
    shop.answers["/late.jpg"] = reply(body=jpeg(), kind="image/jpeg")
    assert download("late.jpg", recheck=0)["problem"].isna().all()


def test_unchanged_image_is_revalidated_and_not_downloaded(shop: Shop, download: Download) -> None:
    shop.answers["/a.jpg"] = by_validator("v1", jpeg())
    first = download("a.jpg", recheck=0)
    pd.testing.assert_frame_equal(download("a.jpg", recheck=0), first)
    assert [request.headers.get("If-None-Match") for request in shop.asked("/a.jpg")] == [None, '"v1"']


def test_changed_image_replaces_the_old_one_in_the_table(shop: Shop, download: Download, lake: Lake) -> None:
    shop.answers["/a.jpg"] = by_validator("v1", jpeg())
    old = download("a.jpg", recheck=0)
    shop.answers["/a.jpg"] = by_validator("v2", jpeg(90, 90))
    new = download("a.jpg", recheck=0)
    assert new["width"].tolist() == [90]
    assert all(lake.image(sha256).exists() for sha256 in [*old["sha256"], *new["sha256"]])


def test_max_age_extends_freshness(shop: Shop, download: Download) -> None:
    shop.answers["/a.jpg"] = reply(body=jpeg(), kind="image/jpeg", ETag='"v1"', Cache_Control="public, max-age=3600")
    download("a.jpg", recheck=0)
    download("a.jpg", recheck=0)
    assert len(shop.asked("/a.jpg")) == 1


def test_image_without_validators_never_becomes_stale(shop: Shop, download: Download) -> None:
    shop.answers["/a.jpg"] = reply(body=jpeg(), kind="image/jpeg")
    download("a.jpg", recheck=0)
    download("a.jpg", recheck=0)
    assert len(shop.asked("/a.jpg")) == 1


@pytest.mark.parametrize("trouble", [reply(404), reply(500), reply(body=b"<html>", kind="image/jpeg")])
def test_stored_image_is_kept_if_the_new_version_is_unavailable_or_invalid(
    shop: Shop, download: Download, trouble: Callable[..., None]
) -> None:
    shop.answers["/a.jpg"] = by_validator("v1", jpeg())
    first = download("a.jpg", recheck=0)
    shop.answers["/a.jpg"] = trouble
    pd.testing.assert_frame_equal(download("a.jpg", recheck=0), first)


def test_image_missing_from_the_lake_is_downloaded_again(
    table: pd.DataFrame, shop: Shop, download: Download, lake: Lake
) -> None:
    shop.log.clear()
    stored = lake.image(str(table.loc["good.jpg", "sha256"]))
    stored.unlink()
    download("good.jpg")
    assert len(shop.asked("/good.jpg")) == 1
    assert stored.exists()


def test_images_of_an_earlier_table_are_adopted_into_the_cache(
    table: pd.DataFrame, shop: Shop, download: Download, database: Database
) -> None:
    database.rows("DELETE FROM frontier")
    shop.log.clear()
    again = download("good.jpg", "half.jpg", known=table)
    assert [request.path for request in shop.log] == ["/robots.txt", "/half.jpg"]
    assert again["sha256"].tolist()[0] == table.loc["good.jpg", "sha256"]


def test_truncated_response_is_retried(shop: Shop, download: Download) -> None:
    whole = reply(body=jpeg(), kind="image/jpeg")
    cut = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    shop.answers["/a.jpg"] = in_turn(cut, whole)
    assert download("a.jpg")["problem"].isna().all()


def test_consecutive_refused_images_stop_the_crawl(shop: Shop, download: Download) -> None:
    good = reply(body=jpeg(), kind="image/jpeg")
    shop.answers |= {f"/{i}.jpg": reply(403) if i % 3 else good for i in range(9)}
    assert download(*(f"{i}.jpg" for i in range(9)), threads=1)["problem"].notna().sum() == 6
    shop.answers |= {f"/no{i}.jpg": reply(403) for i in range(9)}
    with pytest.raises(SiteBlocked, match="refuses us"):
        download(*(f"no{i}.jpg" for i in range(9)), threads=1)
    assert len([request for request in shop.log if "/no" in request.path]) == MAX_REFUSED_IMAGES


def test_no_urls_give_an_empty_table(download: Download) -> None:
    assert download().empty


def test_empty_urls_are_skipped() -> None:
    assert list(collect_images(["", "a", ""], lambda url: ImageRecord("shop", url), "shop")["image_url"]) == ["a"]


@pytest.mark.parametrize("missing", [1, 2, 3, 50, 400])
def test_truncated_jpeg_is_invalid(missing: int) -> None:
    with pytest.raises(ValueError, match="decode"):
        image_size(jpeg(300, 200)[:-missing])


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (300, 5), (1401, 999)])
def test_complete_jpeg_of_any_size_is_valid(size: tuple[int, int]) -> None:
    assert image_size(jpeg(*size)) == size
