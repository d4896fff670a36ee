"""A list of announced shoes of one's own."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from sneaker_assets.lake import Lake
from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.releases import announced_content, announcements, describe_release
from sneaker_assets.sources.archive import ArchiveError, ArchiveMapping
from sneaker_assets.sources.calendar import CalendarSource
from sneaker_assets.tables import Observations
from sneaker_assets_tests.crawl.answers import jpeg

TODAY = date(2026, 6, 1)
HEADER = "name,date,retail price,currency,picture,brand,style code\n"
ROWS = (
    "Air Max 1,2026-06-13,$140,USD,pics/a.jpg,Nike,AB1234-100\n"
    'Samba,14 June 2026,"120,00 €",EUR,b.jpg,adidas,\n'
    "Old,2026-06-01,100,USD,b.jpg,Vans,\n"
    "Someday,,n/a,,b.jpg,Vans,\n"
)


def calendar(lake: Lake, folder: Path, text: str, mapping: ArchiveMapping | None = None) -> CalendarSource:
    (folder / "calendar.csv").write_text(text)
    (folder / "pics").mkdir(exist_ok=True)
    (folder / "pics" / "a.jpg").write_bytes(jpeg())
    (folder / "b.jpg").write_bytes(jpeg(50, 40))
    return CalendarSource(lake, folder / "calendar.csv", today=TODAY, mapping=mapping or ArchiveMapping())


def test_rows_of_the_calendar_are_announcements(tmp_path: Path, lake: Lake) -> None:
    source = calendar(lake, tmp_path, HEADER + ROWS)
    assert (source.sites(), source.release_sites()) == ([], ["calendar"])
    rows = Observations.validate(source.releases("calendar"))
    assert rows["title"].tolist() == ["Air Max 1", "Samba", "Someday"]
    assert rows["product_id"].tolist() == ["AB1234-100", "Samba", "Someday"]
    assert rows["retail_price"].fillna(0).tolist() == [140.0, 120.0, 0.0]
    assert rows["retail_currency"].fillna("").tolist() == ["USD", "EUR", ""]
    assert rows["amount"].isna().all()
    assert set(rows["site"]) == {"calendar"}
    assert source.report("calendar").listed == 4


def test_announced_shoe_is_described_with_its_picture_and_price_in_dollars(tmp_path: Path, lake: Lake) -> None:
    source = calendar(lake, tmp_path, HEADER + ROWS)
    announced = announcements(source.releases("calendar"))
    images = source.images("calendar", announced["image_url"])
    assert images["problem"].isna().all()
    (row,) = describe_release("calendar--AB1234-100", announced, images, bundled_rates()).to_dict("records")
    assert (row["title"], row["retail_price"]) == ("Air Max 1", 140.0)


def test_changed_row_is_a_changed_announcement(tmp_path: Path, lake: Lake) -> None:
    before = announced_content(calendar(lake, tmp_path, HEADER + ROWS).releases("calendar"))
    again = announced_content(calendar(lake, tmp_path, HEADER + ROWS).releases("calendar"))
    after = announced_content(calendar(lake, tmp_path, HEADER + ROWS.replace("$140", "$150")).releases("calendar"))
    assert before == again
    assert {key for key in before if before[key] != after[key]} == {"calendar--AB1234-100"}


def test_price_and_release_date_may_have_their_usual_headers(tmp_path: Path, lake: Lake) -> None:
    rows = calendar(lake, tmp_path, "Model;Release Date;Preis (EUR)\nSamba;13.06.2026;120\n").releases("calendar")
    assert rows[["title", "retail_price", "retail_currency"]].to_numpy().tolist() == [["Samba", 120.0, "EUR"]]
    assert rows["release_date"].tolist() == [pd.Timestamp("2026-06-13", tz="UTC")]


def test_unreadable_cells_are_missing_and_logged(tmp_path: Path, lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    text = "name,date,retail\nA,2026-07-01,$100\nB,sometime,$90\nC,2026-07-02,ask\nD,2026-07-03,$80\n"
    rows = calendar(lake, tmp_path, text).releases("calendar").set_index("title")
    assert pd.isna(rows["release_date"]["B"])
    assert pd.isna(rows["retail_price"]["C"])
    assert "'sometime' is no date" in caplog.text
    assert "'ask' is not one amount" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,date,retail\nA,2026-07-01,100\n", r"the retail prices state no currency: state currency = \"USD\""),
        ("name,date,retail\nA,01/02/2027,$100\n", "may have day or month first"),
        ("date,retail\n2026-07-01,$100\n", "has no column that names the products"),
        ("", "is empty"),
    ],
)
def test_calendar_that_is_not_clear_is_one_line(tmp_path: Path, lake: Lake, text: str, message: str) -> None:
    with pytest.raises(ArchiveError, match=message) as raised:
        calendar(lake, tmp_path, text).releases("calendar")
    assert "\n" not in str(raised.value)


def test_calendar_without_upcoming_shoes_is_empty(tmp_path: Path, lake: Lake) -> None:
    rows = calendar(lake, tmp_path, "name,date\nOld,2020-01-01\n").releases("calendar")
    assert Observations.validate(rows).empty


def test_other_sites_listings_and_missing_files_are_one_line(tmp_path: Path, lake: Lake) -> None:
    source = calendar(lake, tmp_path, HEADER + ROWS)
    with pytest.raises(ArchiveError, match="has no site 'goat'; its site: calendar"):
        source.releases("goat")
    with pytest.raises(ArchiveError, match="announces releases and has no listings"):
        source.observe("calendar")
    with pytest.raises(ArchiveError, match=r"gone\.csv is not there: set SNEAKER_RELEASES"):
        CalendarSource(lake, tmp_path / "gone.csv").releases("calendar")
