"""Archive folders and the errors of unusable ones."""

import os
import socket
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sneaker_assets.lake import Lake
from sneaker_assets.sources.archive import ArchiveColumns, ArchiveError, ArchiveMapping, ArchiveSource
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
    assert list(table["product_id"]) == ["farfetch_shoe1.jpg", "farfetch_shoe2.jpg", "farfetch_shoe3.jpg"]
    assert list(table["amount"].fillna(-1)) == [281.0, -1, -1]
    assert list(table["raw_text"]) == ["281.0", "n/a", "999999"]
    assert set(table["label_kind"]) == {"unknown"}


def test_valid_images_are_stored_and_others_have_a_problem(folder: Path, lake: Lake) -> None:
    source = ArchiveSource(lake, folder)
    table = source.images("farfetch", source.observe("farfetch")["image_url"])
    Images.validate(table)
    assert len(set(table["sha256"].dropna())) == 1
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
    columns = ArchiveColumns(price="usd", image="picture", site="shop")
    source = ArchiveSource(lake, folder, ArchiveMapping(files=("shop.csv",), currency="USD", columns=columns))
    assert source.observe("stockx")["amount"].tolist() == [6.0]


def test_site_without_rows_is_an_error_that_names_the_sites(folder: Path, lake: Lake) -> None:
    with pytest.raises(ArchiveError, match="no row of site 'ebay'; its sites: farfetch, stockx"):
        ArchiveSource(lake, folder).observe("ebay")


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
        ArchiveSource(lake, folder, ArchiveMapping(images_folder="pictures")).images("stockx", ["a.jpg"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"sale_price,image_name\n", "no rows"),
        (b"cost,picture\n1,a.jpg\n", "no price column; it has: cost, picture"),
        (b'sale_price,image_name\n1,"a.jpg\n2,"b.jpg\n', "not a readable CSV"),
    ],
)
def test_unusable_csv_is_a_one_line_error(folder: Path, lake: Lake, content: bytes, message: str) -> None:
    (folder / "listings.csv").write_bytes(content)
    with pytest.raises(ArchiveError, match=message) as raised:
        ArchiveSource(lake, folder).observe("stockx")
    assert "\n" not in str(raised.value)


def test_listings_table_is_read_alone_unless_files_are_named(folder: Path, lake: Lake) -> None:
    (folder / "other.csv").write_text("sale_price,image_name\n1,goat_1.jpg\n")
    assert ArchiveSource(lake, folder).sites() == ["farfetch", "stockx"]
    assert ArchiveSource(lake, folder, ArchiveMapping(files=("*.csv",))).sites() == ["farfetch", "goat", "stockx"]
    (folder / "listings.csv").rename(folder / "catalogue.csv")
    assert ArchiveSource(lake, folder).sites() == ["farfetch", "goat", "stockx"]
    with pytest.raises(ArchiveError, match=r"needs files matching 'prices\.csv'; found: catalogue\.csv, other\.csv"):
        ArchiveSource(lake, folder, ArchiveMapping(files=("prices.csv",))).observe("stockx")


def test_table_without_listings_is_left_out_and_logged(
    folder: Path, lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "listings.csv").rename(folder / "catalogue.csv")
    (folder / "brands.csv").write_text("brand,country\nNike,US\n")
    assert ArchiveSource(lake, folder).sites() == ["farfetch", "stockx"]
    assert "left out: brands.csv has no price column; it has: brand, country" in caplog.text


def test_product_is_identified_by_the_whole_image_name(folder: Path, lake: Lake) -> None:
    names = ["adidas/1.jpg", "nike/1.jpg", "a.jpg", "a.png"]
    (folder / "listings.csv").write_text("sale_price,image_name,shop\n" + "".join(f"9,{name},x\n" for name in names))
    table = ArchiveSource(lake, folder, ArchiveMapping(columns=ArchiveColumns(site="shop"))).observe("x")
    assert table["product_id"].tolist() == table["image_url"].tolist() == names


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ('"$1,097 "', 1097.0, "USD"),
        ("USD 685", 685.0, "USD"),
        ('"1,290"', 1290.0, "USD"),
        ('"1.290,50"', 1290.5, "USD"),
        ("€890", 890.0, "EUR"),
        ("n/a", None, "USD"),
        ("", None, "USD"),
    ],
)
def test_written_price_is_read_with_sign_code_and_thousands(
    folder: Path, lake: Lake, text: str, amount: float | None, currency: str | None
) -> None:
    (folder / "listings.csv").write_text(f"sale_price,image_name\n{text},stockx_a.jpg\n")
    row = ArchiveSource(lake, folder).observe("stockx").iloc[0]
    assert (None if pd.isna(row["amount"]) else row["amount"]) == amount
    assert (None if pd.isna(row["currency"]) else row["currency"]) == currency
    assert pd.isna(row["problem"])


@pytest.mark.parametrize("text", ["ask in shop", "-5", "1.290", "inf", "12 or 14"])
def test_unreadable_price_is_a_problem_with_its_text(folder: Path, lake: Lake, text: str) -> None:
    (folder / "listings.csv").write_text(f"sale_price,image_name\n{text},stockx_a.jpg\n")
    row = ArchiveSource(lake, folder).observe("stockx").iloc[0]
    assert pd.isna(row["amount"])
    assert row["raw_text"] == text
    assert text in row["problem"]


def test_identical_rows_are_counted(folder: Path, lake: Lake) -> None:
    (folder / "listings.csv").write_text("sale_price,image_name\n" + "95,stockx_a.jpg\n" * 3 + "720,stockx_a.jpg\n")
    table = ArchiveSource(lake, folder).observe("stockx")
    assert table["amount"].tolist() == [95.0, 720.0]
    assert table["n_prices"].fillna(1).tolist() == [3, 1]


def test_names_that_are_no_regular_file_have_a_problem_each(folder: Path, lake: Lake) -> None:
    images, secret = folder / "images", folder / "secret.jpg"
    secret.write_bytes(jpeg())
    (images / "good").mkdir()
    (images / "good" / "1.jpg").write_bytes(jpeg())
    (images / "out.jpg").symlink_to(secret)
    (images / "in.jpg").symlink_to(images / "good" / "1.jpg")
    (images / "loop.jpg").symlink_to(images / "loop.jpg")
    (images / "null.jpg").symlink_to("/dev/null")
    os.mkfifo(images / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(images / "socket.jpg"))
        names = [
            "nul\0.jpg",
            "fifo.jpg",
            "socket.jpg",
            "good",
            "out.jpg",
            "loop.jpg",
            "null.jpg",
            "x" * 5000,
            "/dev/zero",
        ]
        table = ArchiveSource(lake, folder).images("x", [*names, "good/1.jpg", "in.jpg"])
    Images.validate(table)
    assert table["problem"].isna().tolist() == [False] * len(names) + [True, True]
    problems = table.set_index("image_url")["problem"]
    assert "is no file name" in problems["nul\0.jpg"]
    assert problems[["fifo.jpg", "good"]].tolist() == ["is not a regular file"] * 2
    assert problems[["out.jpg", "/dev/zero"]].tolist() == ["names no file in the images folder"] * 2


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.text(min_size=1, max_size=300))
def test_any_name_gives_one_row(folder: Path, lake: Lake, name: str) -> None:
    table = ArchiveSource(lake, folder).images("x", [name])
    assert table["problem"].notna().tolist() == [True]


def test_csv_that_is_a_fifo_is_not_opened(folder: Path, lake: Lake) -> None:
    os.mkfifo(folder / "first.csv")
    assert len(ArchiveSource(lake, folder).observe("stockx")) == 3
    (folder / "listings.csv").unlink()
    os.mkfifo(folder / "listings.csv")
    with pytest.raises(ArchiveError, match="found: none"):
        ArchiveSource(lake, folder).observe("stockx")
