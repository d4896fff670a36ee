"""Archive folders and the errors of unusable ones."""

from pathlib import Path

import pytest

from sneaker_assets.crawl.archive import ArchiveError, ArchiveSource
from sneaker_assets.lake import Lake
from sneaker_assets.tables import Images, Observations
from sneaker_assets_tests.crawl.answers import jpeg


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    (folder / "images").mkdir(parents=True)
    (folder / "listings.csv").write_text(
        "sale_price,image_name\n"
        "281.0,farfetch_shoe1.jpg\n"
        "n/a,farfetch_shoe2.jpg\n"
        "999999,farfetch_shoe3.jpg\n"
        "120,stockx_shoe1.jpg\n"
        "75,stockx_gone.jpg\n"
        "75,stockx_/../../listings.csv\n"
        "10,\n"
    )
    for name, data in {
        "farfetch_shoe1.jpg": jpeg(colour="red"),
        "farfetch_shoe2.jpg": jpeg(colour="red"),
        "farfetch_shoe3.jpg": jpeg(200, 200)[:-300],
        "stockx_shoe1.jpg": jpeg(colour="blue"),
    }.items():
        (folder / "images" / name).write_bytes(data)
    return folder


def test_each_row_of_the_site_is_one_observation(folder: Path, lake: Lake) -> None:
    table = ArchiveSource(lake, folder).observe("farfetch")
    Observations.validate(table)
    assert list(table["product_id"]) == ["farfetch_shoe1", "farfetch_shoe2", "farfetch_shoe3"]
    assert list(table["amount"].fillna(-1)) == [281.0, -1, -1]
    assert list(table["raw_text"]) == ["281.0", "n/a", "999999"]
    assert set(table["label_kind"]) == {"unknown"}


def test_valid_images_are_stored_and_others_have_a_problem(folder: Path, lake: Lake) -> None:
    source = ArchiveSource(lake, folder)
    table = source.images("farfetch", source.observe("farfetch")["image_url"])
    Images.validate(table)
    assert table["sha256"].nunique() == 1
    assert "truncated" in table["problem"].iloc[2]
    table = source.images("stockx", source.observe("stockx")["image_url"])
    assert list(table["problem"].fillna("")) == ["", "not in the archive", "names no file in the images folder"]


def test_changed_file_is_read_again(folder: Path, lake: Lake) -> None:
    source = ArchiveSource(lake, folder)
    known = source.images("stockx", ["stockx_shoe1.jpg"])
    (folder / "images" / "stockx_shoe1.jpg").write_bytes(jpeg(90, 90))
    assert source.images("stockx", ["stockx_shoe1.jpg"], known)["width"].tolist() == [90]


def test_csv_name_and_columns_are_configurable(folder: Path, lake: Lake) -> None:
    (folder / "shop.csv").write_text("usd,picture,shop\n5,a.jpg,farfetch\n6,b.jpg,stockx\n")
    source = ArchiveSource(
        lake, folder, csv_name="shop.csv", price_column="usd", image_column="picture", site_column="shop"
    )
    assert source.observe("stockx")["amount"].tolist() == [6.0]


def test_site_without_rows_is_an_empty_table(folder: Path, lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    table = ArchiveSource(lake, folder).observe("ebay")
    Observations.validate(table)
    assert table.empty
    assert "its sites: farfetch, stockx" in caplog.text


def test_rows_without_an_image_name_are_logged(folder: Path, lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    ArchiveSource(lake, folder).observe("stockx")
    assert "1 rows name no image" in caplog.text
    assert "lines 8" in caplog.text


def test_archive_has_no_releases(folder: Path, lake: Lake) -> None:
    assert ArchiveSource(lake, folder).releases("stockx").empty


def test_missing_folder_is_an_error_that_names_the_setting(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(ArchiveError, match="SNEAKER_ARCHIVE"):
        ArchiveSource(lake, tmp_path / "nowhere").observe("stockx")


def test_missing_folder_of_images_is_an_error(folder: Path, lake: Lake) -> None:
    with pytest.raises(ArchiveError, match="folder of images"):
        ArchiveSource(lake, folder, images_folder="pictures").images("stockx", ["a.jpg"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"sale_price,image_name\n", "no rows"),
        (b"price,picture\n1,a.jpg\n", "no column sale_price, image_name; it has: price, picture"),
        (b"sale_price,image_name\n\xff\xfe,a.jpg\n", "UTF-8"),
        (b'sale_price,image_name\n1,"a.jpg\n2,b.jpg\n', "not a readable CSV"),
    ],
)
def test_unusable_csv_is_a_one_line_error(folder: Path, lake: Lake, content: bytes, message: str) -> None:
    (folder / "listings.csv").write_bytes(content)
    with pytest.raises(ArchiveError, match=message) as raised:
        ArchiveSource(lake, folder).observe("stockx")
    assert "\n" not in str(raised.value)


def test_csv_is_chosen_by_name_or_if_it_is_the_only_one(folder: Path, lake: Lake) -> None:
    (folder / "listings.csv").rename(folder / "catalogue.csv")
    assert len(ArchiveSource(lake, folder).observe("stockx")) == 3
    (folder / "other.csv").write_text("a\n")
    with pytest.raises(ArchiveError, match=r"found: catalogue\.csv, other\.csv"):
        ArchiveSource(lake, folder).observe("stockx")
    with pytest.raises(ArchiveError, match=r"no prices\.csv in archive folder"):
        ArchiveSource(lake, folder, csv_name="prices.csv").observe("stockx")
