"""Images that are images, and what becomes of the others."""

import hashlib
import io
from collections.abc import Callable

import pandas as pd
import pytest
from PIL import Image

from sneaker_assets.crawl.fetcher import Fetcher
from sneaker_assets.crawl.images import download_images, image_size
from sneaker_assets.lake import Lake
from sneaker_assets.tables import Images
from sneaker_assets_tests.crawl.shop import Shop, in_turn, jpeg, raw, reply


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def table(shop: Shop, fetcher: Callable[..., Fetcher], lake: Lake) -> pd.DataFrame:
    shop.answers |= {
        "/good.jpg": reply(body=jpeg(40, 30), kind="image/jpeg"),
        "/same.jpg": reply(body=jpeg(40, 30), kind="image/jpeg"),
        "/half.jpg": reply(body=jpeg(400, 300)[:-1500], kind="image/jpeg"),
        "/html.jpg": reply(body=b"<html>no picture</html>", kind="image/jpeg"),
        "/bomb.png": reply(body=png(9000, 9000), kind="image/png"),
    }
    names = ["good.jpg", "same.jpg", "half.jpg", "html.jpg", "bomb.png", "gone.jpg", "good.jpg"]
    frame = download_images([f"{shop.base}/{name}" for name in names], fetcher(), lake, "shop", threads=4)
    return frame.set_index(frame["image_url"].str.removeprefix(f"{shop.base}/"), drop=False)


def test_every_address_has_one_row_in_order(table: pd.DataFrame) -> None:
    assert list(table.index) == ["good.jpg", "same.jpg", "half.jpg", "html.jpg", "bomb.png", "gone.jpg"]
    Images.validate(table.reset_index(drop=True))


def test_a_good_image_is_stored_under_its_sha256(table: pd.DataFrame, lake: Lake) -> None:
    row = table.loc["good.jpg"].to_dict()
    assert row["sha256"] == hashlib.sha256(jpeg(40, 30)).hexdigest()
    assert (row["width"], row["height"], row["n_bytes"]) == (40, 30, len(jpeg(40, 30)))
    assert lake.image(row["sha256"]).read_bytes() == jpeg(40, 30)


def test_the_same_bytes_are_stored_once(table: pd.DataFrame, lake: Lake) -> None:
    assert len(set(table.loc[["good.jpg", "same.jpg"], "sha256"])) == 1
    assert len([file for file in (lake.root / "images").glob("*/*") if file.is_file()]) == 1


@pytest.mark.parametrize(
    ("name", "problem"),
    [("half.jpg", "truncated"), ("html.jpg", "is no JPEG"), ("bomb.png", "pixels"), ("gone.jpg", "answered 404")],
)
def test_a_bad_image_is_a_problem_in_one_line(table: pd.DataFrame, name: str, problem: str) -> None:
    row = table.loc[name]
    assert problem in row["problem"]
    assert "\n" not in row["problem"]
    assert pd.isna(row["sha256"])


def test_a_known_image_is_not_fetched_again(
    table: pd.DataFrame, shop: Shop, fetcher: Callable[..., Fetcher], lake: Lake
) -> None:
    shop.log.clear()
    again = download_images(table["image_url"], fetcher(), lake, "shop", known=table)
    assert not shop.asked("/good.jpg")
    assert shop.asked("/half.jpg")
    pd.testing.assert_frame_equal(again, table.reset_index(drop=True))


def test_a_known_image_that_the_lake_lost_is_fetched_again(
    table: pd.DataFrame, shop: Shop, fetcher: Callable[..., Fetcher], lake: Lake
) -> None:
    shop.log.clear()
    stored = lake.image(str(table.loc["good.jpg", "sha256"]))
    stored.unlink()
    download_images([f"{shop.base}/good.jpg"], fetcher(), lake, "shop", known=table)
    assert len(shop.asked("/good.jpg")) == 1
    assert stored.exists()


def test_a_cut_image_is_fetched_again(shop: Shop, fetcher: Callable[..., Fetcher], lake: Lake) -> None:
    whole = reply(body=jpeg(), kind="image/jpeg")
    cut = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    shop.answers["/a.jpg"] = in_turn(cut, whole)
    assert download_images([f"{shop.base}/a.jpg"], fetcher(), lake, "shop")["problem"].isna().all()


def test_no_images_is_an_empty_table(fetcher: Callable[..., Fetcher], lake: Lake) -> None:
    assert download_images([], fetcher(), lake, "shop").empty


@pytest.mark.parametrize("missing", [1, 2, 3, 50, 400])
def test_a_jpeg_that_lacks_its_end_does_not_decode(missing: int) -> None:
    with pytest.raises(ValueError, match="decode"):
        image_size(jpeg(300, 200)[:-missing])


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (300, 5), (1401, 999)])
def test_a_whole_jpeg_of_any_size_decodes(size: tuple[int, int]) -> None:
    assert image_size(jpeg(*size)) == size
