"""The command ``sneaker-archive check``."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from sneaker_assets.cli import archive as cli
from sneaker_assets.lake import Lake
from sneaker_assets.sources.archive import ArchiveSource
from sneaker_assets_tests.crawl.answers import jpeg

UNREADABLE = "'call us' is not one amount; 33.3% of the written prices are unreadable"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command; gives exit status, stdout and stderr."""
    for name in ("SNEAKER_ARCHIVE", "SNEAKER_ARCHIVE_CURRENCY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = cli.main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.jpg").write_bytes(jpeg())
    (folder / "sales.csv").write_text(
        "Sold On,Model,Price,Image,Shop,Kind,Notes\n"
        "13/01/2020,Dunk,$100,a.jpg,Kith,sneakers,x\n"
        "14/01/2020,Dunk,€90,a.jpg,Kith,sneakers,\n"
        "15/01/2020,Era,call us,gone.jpg,Goat,sneakers,\n"
        "broken row\n"
        "16/01/2020,Era,,https://shop.test/1.jpg,Goat,sneakers,\n"
    )
    return folder


def test_check_describes_file_columns_and_contents(run: Run, folder: Path) -> None:
    status, out, err = run("check", folder)
    assert (status, err) == (0, "")
    shown = [" ".join(line.split()) for line in out.splitlines()]
    for line in (
        "sales.csv",
        "format CSV, utf-8, delimiter comma",
        "rows 4, and 1 row skipped as broken: line 5",
        "Sold On date guessed 13/01/2020",
        "Price price (last_sale) guessed $100",
        "Notes not used x",
        "prices 2; currency: EUR 1, USD 1 ($ is read as USD); kind: last_sale",
        f"not used 1 row without a price; 1 row: {UNREADABLE}",
        "dates 2020-01-13 to 2020-01-16, written dmy",
        "images 1 found, 1 by address, to be downloaded, 1 missing, such as gone.jpg",
        "This archive gives prices and pictures of 1 product: a data set.",
    ):
        assert line in shown
    assert not (folder / "sneaker-archive.toml").exists()


def test_printed_mapping_reads_the_same_observations(run: Run, folder: Path, lake: Lake) -> None:
    before = ArchiveSource(lake, folder).observe("kith")
    status, out, _ = run("check", folder, "--toml")
    assert status == 0
    written = (folder / "sneaker-archive.toml").read_text()
    assert 'price = "Price"' in written
    assert 'date_order = "dmy"' in written
    assert written in out
    pd.testing.assert_frame_equal(ArchiveSource(lake, folder).observe("kith"), before)
    status, out, _ = run("check", folder)
    assert "Price price (last_sale) stated" in " ".join(out.split())


def test_mapping_of_several_tables_reads_the_same_observations(run: Run, tmp_path: Path, lake: Lake) -> None:
    (tmp_path / 'a "1".csv').write_text("name,lowest ask,highest bid\nDunk,$5,$4\n")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"name": "Era", "price": 6, "currency": "EUR"}\n'))
    before = [ArchiveSource(lake, tmp_path).observe(site) for site in ("a-1", "b")]
    assert run("check", tmp_path, "--toml")[0] == 0
    after = [ArchiveSource(lake, tmp_path).observe(site) for site in ("a-1", "b")]
    pd.testing.assert_frame_equal(pd.concat(before), pd.concat(after))


def test_mapping_that_is_there_is_not_overwritten(run: Run, folder: Path) -> None:
    (folder / "sneaker-archive.toml").write_text("kind = 'list'\n")
    status, _, err = run("check", folder, "--toml")
    assert status == 2
    assert "sneaker-archive.toml is there already" in err
    assert (folder / "sneaker-archive.toml").read_text() == "kind = 'list'\n"


def test_prices_without_images_are_said_to_be_no_data_set(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("name,price\nDunk,$5\nEra,$6\n")
    _, out, _ = run("check", tmp_path / "t.csv")
    assert "prices of 2 products without pictures: price history, statistics and back-tests, but no data" in out
    assert "t (from the file name)" in out


def test_published_data_set_is_recognised(run: Run, tmp_path: Path) -> None:
    (tmp_path / "listings.csv").write_text("sale_price,image_name\n281.0,farfetch_1.jpg\n120,stockx_1.jpg\n")
    _, out, _ = run("check", tmp_path)
    assert "farfetch 1, stockx 1 (from the image names)" in out
    assert "site_from_image = true" in out


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "needs a table"),
        ({"t.csv": ""}, "t.csv is empty"),
        ({"t.csv": "name,price\n"}, "t.csv has a header and no rows"),
        ({"t.csv": "name,cost\nDunk,5\n"}, "t.csv has no price column; it has: name, cost"),
        ({"t.csv": "name,price\nDunk,5\n"}, "state no currency"),
        ({"t.csv.gz": "no gzip"}, "is truncated or damaged"),
        ({"t.csv": "name,price\nDunk,$5\n", "u.csv.gz": "no gzip"}, "u.csv.gz is truncated or damaged"),
        ({"t.csv": "a,b\n1,2\n", "sneaker-archive.toml": "x = 1"}, "unknown key 'x'"),
    ],
)
def test_archive_that_cannot_be_read_is_one_line(run: Run, tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    status, _, err = run("check", tmp_path)
    assert status == 2
    (line,) = err.splitlines()
    assert line.startswith("sneaker-archive: ")
    assert message in line


def test_table_without_listings_is_shown_as_left_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,price\nDunk,$5\n")
    (tmp_path / "brands.csv").write_text("brand,country\nNike,US\n")
    status, out, _ = run("check", tmp_path)
    assert status == 0
    assert "left out: brands.csv has no price column" in out


def test_archive_is_that_of_the_settings_by_default(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("check")[::2] == (2, "sneaker-archive: name a table or a folder of tables, or set SNEAKER_ARCHIVE\n")
    (tmp_path / "t.csv").write_text("name,price\nDunk,5\n")
    monkeypatch.setenv("SNEAKER_ARCHIVE", str(tmp_path))
    monkeypatch.setenv("SNEAKER_ARCHIVE_CURRENCY", "EUR")
    status, out, _ = run("check")
    assert status == 0
    assert "1; currency: EUR" in out


def test_command_loads_neither_dagster_nor_torch(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("name,price\nDunk,$5\n")
    code = (
        "import sys; from sneaker_assets.cli.archive import main\n"
        f"assert main(['check', {str(tmp_path)!r}]) == 0\n"
        "assert not {'dagster', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
