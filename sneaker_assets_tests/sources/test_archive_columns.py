"""Meaning of columns: the guess, the mapping file, amounts, dates, sizes and sites."""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.lake import Lake
from sneaker_assets.sites.condition import condition_of
from sneaker_assets.sites.size_systems import stated_size_system
from sneaker_assets.sources.archive import ArchiveColumns, ArchiveError, ArchiveMapping, ArchiveSource
from sneaker_assets.sources.archive.amounts import column_amounts, header_currency
from sneaker_assets.sources.archive.dates import DateError, column_dates, parse_date
from sneaker_assets.sources.archive.values import image_of, size_of
from sneaker_assets.tables import Observations

TODAY = datetime(2026, 6, 1, tzinfo=UTC).date()


def source(lake: Lake, folder: Path, text: str, mapping: ArchiveMapping | None = None, toml: str = "") -> ArchiveSource:
    (folder / "shoes.csv").write_text(text)
    if toml:
        (folder / "sneaker-archive.toml").write_text(toml)
    return ArchiveSource(lake, folder, mapping or ArchiveMapping(), today=TODAY)


def observed(
    lake: Lake, folder: Path, text: str, mapping: ArchiveMapping | None = None, toml: str = ""
) -> pd.DataFrame:
    """Observations of a table with one site."""
    archive = source(lake, folder, text, mapping, toml)
    (site,) = archive.sites()
    return Observations.validate(archive.observe(site))


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Sale Price", "amount"),
        ("lowestAsk", "amount"),
        ("preis", "amount"),
        ("Prix (EUR)", "amount"),
        ("market.lastSale", "amount"),
        ("retail", "retail_price"),
        ("MSRP", "retail_price"),
        ("styleId", "style_code"),
        ("SKU", "style_code"),
        ("colorway", "colourway"),
        ("Colour", "colourway"),
        ("Marke", "brand"),
        ("Shoe Size", "size"),
        ("Größe", "size"),
        ("thumbnail", "image_url"),
        ("Image URL", "image_url"),
        ("Zustand", "condition"),
    ],
)
def test_header_is_recognised(tmp_path: Path, lake: Lake, header: str, field: str) -> None:
    values = {"size": "9", "condition": "new", "image_url": "https://shop.test/1.jpg"}
    value = values.get(field, "100" if "price" in field or field == "amount" else "text")
    price = "" if field == "amount" else ",price"
    row = observed(lake, tmp_path, f"model,currency,{header}{price}\nDunk,USD,{value}{price and ',1'}\n").iloc[0]
    assert row[field] == (float(value) if value == "100" else value)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("model,price", "unknown"),
        ("model,Lowest Ask", "lowest_ask"),
        ("model,highest_bid", "highest_bid"),
        ("model,lastSale", "last_sale"),
        ("model,Average Price", "average_sale"),
        ("model,list price", "list"),
        ("Order Date,Sale Price", "last_sale"),
        ("sold_on,price", "last_sale"),
        ("date,price", "unknown"),
    ],
)
def test_kind_is_that_of_the_headers(tmp_path: Path, lake: Lake, header: str, kind: str) -> None:
    rows = observed(lake, tmp_path, f"{header},title\n2020-01-13,$5,Dunk\n")
    assert rows["label_kind"].tolist() == [kind]


def test_prices_of_several_kinds_give_an_observation_each(tmp_path: Path, lake: Lake) -> None:
    rows = observed(lake, tmp_path, "name,lowest ask,highest bid,sale price,regular price\nDunk,$5,$4,$7,$8\n")
    assert dict(zip(rows["label_kind"], rows["amount"], strict=True)) == {
        "lowest_ask": 5.0,
        "highest_bid": 4.0,
        "sale": 7.0,
        "list": 8.0,
    }


def test_guess_is_logged_once(tmp_path: Path, lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    text = "Model,Lowest Ask,Colour\nDunk,$5,red\n"
    observed(lake, tmp_path, text)
    ArchiveSource(lake, tmp_path).sites()
    note = "shoes.csv: 'Lowest Ask' -> price (lowest_ask), 'Model' -> title, 'Colour' -> colourway"
    assert caplog.text.count(note) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "brand,price\nNike,ask us\nVans,call\n",
            r"no price column; it has: brand, price. Tried: 'price' \(0 of 2 values are amounts, 'ask us' is not\)",
        ),
        (
            "name,worth\nDunk,5\n",
            r"Tried: none has a header of prices; amounts are in 'worth'. State it in sneaker-arch",
        ),
        (
            "name,price,amount\nDunk,$5,$6\n",
            r"'price' and 'amount' may both be the price: state columns.price = \"price\"",
        ),
        ("name,price,date,datum\nDunk,$5,2020-01-01,2020-01-02\n", "'date' and 'datum' may both be the date"),
        ("price,currency\n5,USD\n", "has no column that names the products; it has: price, currency"),
        ("name,price\nDunk,5\nEra,6\n", "such as '5', state no currency: set SNEAKER_ARCHIVE_CURRENCY=USD"),
    ],
)
def test_what_cannot_be_guessed_is_asked_for_in_one_line(tmp_path: Path, lake: Lake, text: str, message: str) -> None:
    archive = source(lake, tmp_path, text)
    with pytest.raises(ArchiveError, match=message) as raised:
        archive.observe("shoes")
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("shoes.csv")


def test_mapping_file_decides(tmp_path: Path, lake: Lake) -> None:
    toml = """
    currency = "EUR"
    kind = "lowest_ask"
    site = " Flight Club "
    size_system = "eu"
    condition = "new"
    [columns]
    price = "amount"
    title = "price"
    colourway = ""
    """
    row = observed(lake, tmp_path, "price,amount,colour,size\nDunk,5,red,42\n", toml=toml).iloc[0]
    assert row[["site", "title", "amount", "currency", "label_kind"]].tolist() == [
        "flight club", "Dunk", 5.0, "EUR", "lowest_ask",
    ]  # fmt: skip
    assert row[["size", "size_system", "condition"]].tolist() == ["42", "eu", "new"]
    assert pd.isna(row["colourway"])


def test_settings_take_precedence_over_the_mapping_file(tmp_path: Path, lake: Lake) -> None:
    mapping = ArchiveMapping(currency="GBP", columns=ArchiveColumns(price="b"))
    toml = 'currency = "EUR"\nkind = "list"\n[columns]\nprice = "a"\ntitle = "c"\n'
    row = observed(lake, tmp_path, "a,b,c\n1,2,Dunk\n", mapping, toml).iloc[0]
    assert row[["amount", "currency", "label_kind", "title"]].tolist() == [2.0, "GBP", "list", "Dunk"]


def test_mapping_file_differs_by_file_pattern(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "asks.csv").write_text("name,value\nDunk,5\n")
    (tmp_path / "sold-1.csv").write_text("name,value\nDunk,6\n")
    (tmp_path / "sneaker-archive.toml").write_text(
        'currency = "USD"\nsite = "shop"\ncolumns.price = "value"\n'
        '[tables."sold-*.csv"]\nkind = "last_sale"\n[tables."asks.csv"]\nkind = "lowest_ask"\n'
    )
    rows = ArchiveSource(lake, tmp_path).observe("shop")
    assert dict(zip(rows["label_kind"], rows["amount"], strict=True)) == {"lowest_ask": 5.0, "last_sale": 6.0}


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("curency = 'EUR'", "unknown key 'curency'; known: files, images_folder, encoding"),
        ("price = 'amount'", r"unknown key 'price'; .* 'price' is a column: write it under \[columns\]"),
        ("[columns]\ncost = 'a'", "unknown key 'columns.cost'; known: price, currency"),
        ("[tables.'a.csv']\ntables = 1", "unknown key 'tables.a.csv.tables'; known: files"),
        ("currency = 'euro'", "currency = 'euro': String should match"),
        ("date_order = 'dym'", "date_order = 'dym': it must be 'dmy', 'mdy' or 'ymd'"),
        ("kind = sale", "is not valid TOML"),
        ("[tables.'b.csv']\nkind = 'list'", "tables.'b.csv' matches none of: shoes.csv"),
        ("[columns]\nprice = 'cost'", "has no column 'cost' for price; it has: name, price"),
        ("[columns]\nprice = 'name'", "column 'name' of prices has no amount, such as 'Dunk'"),
    ],
)
def test_mistake_in_the_mapping_is_one_line(tmp_path: Path, lake: Lake, toml: str, message: str) -> None:
    archive = source(lake, tmp_path, "name,price\nDunk,$5\n", toml=toml)
    with pytest.raises(ArchiveError, match=message) as raised:
        archive.sites()
    assert "\n" not in str(raised.value)


def test_mixed_currencies_keep_what_each_cell_says(tmp_path: Path, lake: Lake) -> None:
    text = 'name,price\na,$100\nb,"1.097,00 €"\nc,£80\nd,75\ne,USD 10\nf,C$ 9\n'
    rows = observed(lake, tmp_path, text)
    assert rows["amount"].tolist() == [100, 1097, 80, 75, 10, 9]
    assert rows["currency"].fillna("?").tolist() == ["USD", "EUR", "GBP", "?", "USD", "CAD"]
    rows = observed(lake, tmp_path, text, ArchiveMapping(currency="SEK"))
    assert rows["currency"].tolist() == ["USD", "EUR", "GBP", "SEK", "USD", "CAD"]


def test_column_of_currencies_and_kinds_is_read_row_by_row(tmp_path: Path, lake: Lake) -> None:
    text = "name,price,currency,price type\na,5,eur,Lowest Ask\nb,6,£,sold\nc,$7,EUR,bid\nd,8,,ask\n"
    rows = observed(lake, tmp_path, text, ArchiveMapping(currency="JPY"))
    assert rows["currency"].fillna("?").tolist() == ["EUR", "GBP", "?", "JPY"]
    assert rows["label_kind"].tolist() == ["lowest_ask", "last_sale", "highest_bid", "lowest_ask"]


@pytest.mark.parametrize(
    ("header", "currency"),
    [
        ("Price (EUR)", "EUR"),
        ("price_usd", "USD"),
        ("priceGBP", "GBP"),
        ("Preis €", "EUR"),
        ("Price in US$", "USD"),
        ("Price [$]", "USD"),
        ("top price", None),
        ("US size", None),
        ("price", None),
    ],
)
def test_currency_is_read_from_the_header(header: str, currency: str | None) -> None:
    assert header_currency(header) == currency


def test_decimal_separator_is_that_of_the_column() -> None:
    found = column_amounts(["1.290", "95,50", "1.097,00", "12.50"], constant="USD")
    assert (found.separator, list(found.amounts[:3])) == (",", [1290.0, 95.5, 1097.0])
    assert "has the decimal separator '.', the rest of its column ','" in str(found.problems[3])
    assert column_amounts(["1,290", "95.50"], "EUR").amounts == [1290.0, 95.5]
    assert column_amounts(["1.290", "2.5"], "EUR").amounts == [1.29, 2.5]
    assert column_amounts(["1.290"], "USD").amounts == [None]
    assert column_amounts(["1.290"], "USD", separator=",").amounts == [1290.0]


def test_numbers_of_typed_formats_have_decimal_points(tmp_path: Path, lake: Lake) -> None:
    pd.DataFrame({"name": ["a"], "price": [1.125], "currency": ["EUR"]}).to_parquet(tmp_path / "t.parquet")
    assert ArchiveSource(lake, tmp_path).observe("t")["amount"].tolist() == [1.125]


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("2017-09-01", None, "2017-09-01T00:00:00+00:00"),
        ("2017/9/1", None, "2017-09-01T00:00:00+00:00"),
        ("20170901", None, "2017-09-01T00:00:00+00:00"),
        ("2017-09-01T23:30:00-02:00", None, "2017-09-02T01:30:00+00:00"),
        ("2017-09-01 10:05:06.123Z", None, "2017-09-01T10:05:06+00:00"),
        ("9/1/17", "mdy", "2017-09-01T00:00:00+00:00"),
        ("9/1/17 3:04 PM", "mdy", "2017-09-01T15:04:00+00:00"),
        ("01.09.2017", "dmy", "2017-09-01T00:00:00+00:00"),
        ("17-09-01", "ymd", "2017-09-01T00:00:00+00:00"),
        ("1 Sep 2017", None, "2017-09-01T00:00:00+00:00"),
        ("Fri, September 1st, 2017", None, "2017-09-01T00:00:00+00:00"),
        ("1. März 2017", None, "2017-03-01T00:00:00+00:00"),
        ("1 févr. 2017", None, "2017-02-01T00:00:00+00:00"),
        ("Sep-01-17", None, "2017-09-01T00:00:00+00:00"),
        ("1504224000", None, "2017-09-01T00:00:00+00:00"),
        ("1504224000000", None, "2017-09-01T00:00:00+00:00"),
        ("07.07.1999", None, "1999-07-07T00:00:00+00:00"),
    ],
)  # fmt: skip
def test_date_is_parsed(text: str, order: str | None, expected: str) -> None:
    found = parse_date(text, order)  # type: ignore[arg-type]
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize(
    "text", ["yesterday", "31/31/2017", "2017-02-30", "1 2 3", "12", "9/1/17/3", "Sep 2017", "9" * 11]
)
def test_other_text_is_no_date(text: str) -> None:
    with pytest.raises(DateError, match="is no date"):
        parse_date(text, "mdy")


@given(st.text(max_size=20), st.sampled_from(["dmy", "mdy", "ymd", None]))
def test_any_text_is_a_date_missing_or_a_date_error(text: str, order: str | None) -> None:
    try:
        found = parse_date(text, order)  # type: ignore[arg-type]
    except DateError:
        return
    assert found is None or found.tzinfo is not None


@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2060, 1, 1)), min_size=1))  # noqa: DTZ001
def test_dates_of_any_form_read_back_equal(days: list[datetime]) -> None:
    expected = [day.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC) for day in days]
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    for cells in (
        [f"{day.year}-{day.month:02}-{day.day:02}" for day in days],
        [f"{months[day.month - 1]} {day.day}, {day.year}" for day in days],
        [f"{day.day}/{day.month}/{day.year}" for day in days],
    ):
        assert column_dates(dict(enumerate(cells)), "t", "dmy").dates == expected


DATED = "name,price,date\n"


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (
            "01/02/2020 03/04/2020",
            r"'01/02/2020' \(line 2\) and all other dates may have day or month first: state date_or",
        ),
        (
            "13/02/2020 01/02/2020 03/24/2020",
            r"'13/02/2020' \(line 2\) has the day first, '03/24/2020' \(line 4\) the mon",
        ),
    ],
)
def test_order_of_day_and_month_is_asked_for(tmp_path: Path, lake: Lake, dates: str, message: str) -> None:
    archive = source(lake, tmp_path, DATED + "".join(f"a,$5,{date}\n" for date in dates.split()))
    with pytest.raises(ArchiveError, match=message):
        archive.observe("shoes")


def test_one_value_decides_the_order_of_the_column(tmp_path: Path, lake: Lake) -> None:
    rows = observed(lake, tmp_path, DATED + "a,$5,01.09.2017\nb,$5,13.09.2017\n")
    assert [f"{day:%Y-%m-%d}" for day in rows["observed_at"]] == ["2017-09-01", "2017-09-13"]


def test_column_of_dates_that_is_not_used_may_be_ambiguous(tmp_path: Path, lake: Lake) -> None:
    rows = observed(lake, tmp_path, DATED + "a,$5,01/02/2020\n", ArchiveMapping(columns=ArchiveColumns(date="")))
    assert len(rows) == 1


def test_release_dates_share_the_order_of_the_dates_of_sale(tmp_path: Path, lake: Lake) -> None:
    rows = observed(lake, tmp_path, "name,price,date,release date\na,$5,9/24/17,2/3/16\n")
    assert f"{rows['release_date'].iloc[0]:%Y-%m-%d}" == "2016-02-03"


def test_unusable_dates_are_problems_of_their_rows(tmp_path: Path, lake: Lake) -> None:
    text = DATED + "a,$5,2017-01-01\nb,$5,soon\nc,$5,2999-01-01\nd,$5,1969-12-31\ne,$5,\n"
    rows = observed(lake, tmp_path, text + "".join(f"f{i},$5,2018-01-{i:02}\n" for i in range(1, 9))).set_index("title")
    assert rows["amount"].isna().tolist()[:5] == [False, True, True, True, False]
    assert rows["problem"][["b", "c", "d"]].tolist() == [
        "'soon' is no date",
        "the date 2999-01-01 is in the future",
        "the date 1969-12-31 is before 1970",
    ]
    modified = datetime.fromtimestamp((tmp_path / "shoes.csv").stat().st_mtime, tz=UTC)
    assert rows["observed_at"]["e"] == modified


def test_row_without_a_date_is_observed_when_its_file_was_modified(tmp_path: Path, lake: Lake) -> None:
    archive = source(lake, tmp_path, "name,price\na,$5\n")
    os.utime(tmp_path / "shoes.csv", (1_500_000_000, 1_500_000_000))
    assert archive.observe("shoes")["observed_at"].iloc[0].timestamp() == 1_500_000_000


@pytest.mark.parametrize(
    ("header", "row", "identity"),
    [
        ("id,sku,image,url,name", "7,AB-1,a.jpg,https://s.test/p,Dunk", "7"),
        ("sku,image,url,name", "AB-1,a.jpg,https://s.test/p,Dunk", "AB-1"),
        ("image,url,name", "a.jpg,https://s.test/p,Dunk", "a.jpg"),
        ("image,url,name", "https://s.test/a.jpg,https://s.test/p,Dunk", "https://s.test/p"),
        ("url,name", "https://s.test/p,Dunk", "https://s.test/p"),
        ("image,name", "https://s.test/a.jpg,Dunk", "Dunk"),
        ("image", "https://s.test/a.jpg", "https://s.test/a.jpg"),
        ("id,name", ",Dunk", "Dunk"),
    ],
)
def test_product_is_identified_by_the_best_column_it_has(
    tmp_path: Path, lake: Lake, header: str, row: str, identity: str
) -> None:
    mapping = ArchiveMapping(columns=ArchiveColumns(product_id="id")) if header.startswith("id") else None
    assert observed(lake, tmp_path, f"price,{header}\n$5,{row}\n", mapping)["product_id"].tolist() == [identity]


def test_column_that_numbers_the_rows_is_no_product_id(tmp_path: Path, lake: Lake) -> None:
    rows = observed(lake, tmp_path, "id,name,price\n" + "".join(f"x{i},Dunk {i % 3},${i + 5}\n" for i in range(30)))
    assert set(rows["product_id"]) == {"Dunk 0", "Dunk 1", "Dunk 2"}
    rows = observed(lake, tmp_path, "id,name,price\n" + "".join(f"{i},Dunk {i},${i + 5}\n" for i in range(30)))
    assert rows["product_id"].tolist() == [f"Dunk {i}" for i in range(30)]
    rows = observed(lake, tmp_path, "id,name,price\n" + "".join(f"x{i},Dunk {i},${i + 5}\n" for i in range(30)))
    assert rows["product_id"].tolist() == [f"x{i}" for i in range(30)]


def test_rows_without_product_or_site_are_skipped_and_logged(
    tmp_path: Path, lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    archive = source(lake, tmp_path, "site,name,price\nGOAT ,Dunk,$5\n,Era,$6\ngoat,,$7\n")
    assert archive.sites() == ["goat"]
    assert archive.observe("goat")["amount"].tolist() == [5.0]
    assert "1 rows name no title and are skipped (lines 4)" in caplog.text
    assert "1 rows have no site and are skipped (lines 3)" in caplog.text


@pytest.mark.parametrize(
    ("text", "mapping", "sites"),
    [
        ("price,image\n$5,stockx_1.jpg\n$6,farfetch_2.jpg\n", {}, ["farfetch", "stockx"]),
        ("price,image\n$5,nike_1.jpg\n$6,vans_2.jpg\n", {}, ["shoes"]),
        ("price,image\n$5,nike_1.jpg\n$6,vans_2.jpg\n", {"site_from_image": True}, ["nike", "vans"]),
        ("price,image\n$5,nike_1.jpg\n", {"site": "Kith.com"}, ["kith.com"]),
        ("price,name,store\n$5,Dunk,Kith\n", {"site": "x"}, ["x"]),
        ("price,name,store\n$5,Dunk,Kith\n$5,Dunk,\n", {"site": "x", "columns": {"site": "store"}}, ["kith", "x"]),
    ],
)  # fmt: skip
def test_site_is_that_of_column_setting_image_name_or_file(
    tmp_path: Path, lake: Lake, text: str, mapping: dict[str, object], sites: list[str]
) -> None:
    assert source(lake, tmp_path, text, ArchiveMapping.model_validate(mapping)).sites() == sites


@pytest.mark.parametrize(
    ("cell", "size", "system"),
    [
        ("9", "9", None),
        ("9.0", "9", None),
        ("US 9.5", "9.5", "us"),
        ("US Men 9", "9", "us_men"),
        ("EU 42,5", "42.5", "eu"),
        ("42 2/3 EU", "42 2/3", "eu"),
        ("9.5 / 11", "9.5 / 11", None),
        ("M 9 / W 10.5", "M 9 / W 10.5", None),
        ("  ", None, None),
    ],
)
def test_size_states_its_system(cell: str, size: str | None, system: str | None) -> None:
    assert size_of(cell) == (size, system)


def test_size_system_is_that_of_cell_column_or_header(tmp_path: Path, lake: Lake) -> None:
    rows = observed(lake, tmp_path, "name,price,US Size\na,$5,9\nb,$5,UK 8\n")
    assert rows["size_system"].tolist() == ["us", "uk"]
    rows = observed(lake, tmp_path, "name,price,Size,Size System\na,$5,9,US Women\nb,$5,8,\n")
    assert rows["size_system"].fillna("?").tolist() == ["us_women", "?"]
    assert stated_size_system("Size (EU)") == "eu"


@pytest.mark.parametrize(
    ("cell", "condition"),
    [
        ("New", "new"),
        ("DS", "new"),
        ("Pre-Owned", "used"),
        ("new_no_defects", "new"),
        ("damaged box", "defects"),
        ("?", None),
    ],
)
def test_condition_is_recognised(cell: str, condition: str | None) -> None:
    assert condition_of(cell) == condition


@pytest.mark.parametrize(
    ("cell", "image"),
    [
        ("a b.jpg", "a b.jpg"),
        ("['https://s.test/1.jpg', 'https://s.test/2.jpg']", "https://s.test/1.jpg"),
        ("https://s.test/1.jpg, https://s.test/2.jpg", "https://s.test/1.jpg"),
        ("https://s.test/1.jpg|https://s.test/2.jpg", "https://s.test/1.jpg"),
        (" https://s.test/w_1,h_2/1.jpg?a=(1) ", "https://s.test/w_1,h_2/1.jpg?a=(1)"),
        ("  ", ""),
    ],
)
def test_first_address_of_a_list_is_the_image(cell: str, image: str) -> None:
    assert image_of(cell) == image


def test_products_of_other_types_are_excluded_and_flags_are_read(tmp_path: Path, lake: Lake) -> None:
    text = "name,price,product type,in stock\na,$5,Sneakers,yes\nb,$6,T-Shirts,0\nc,$7,Sneakers,InStock\n"
    rows = observed(lake, tmp_path, text)
    assert rows["exclusion"].fillna("").tolist() == ["", "not footwear: T-Shirts", ""]
    assert rows["available"].tolist() == [True, False, True]


def test_releases_are_rows_with_a_release_date_after_today(tmp_path: Path, lake: Lake) -> None:
    text = "name,price,site,release date\na,$5,x,2026-06-02\nb,$5,y,2026-06-01\nc,$6,x,\n"
    archive = source(lake, tmp_path, text)
    assert archive.release_sites() == ["x"]
    assert archive.releases("x")["title"].tolist() == ["a"]
    assert archive.releases("y").empty
    assert archive.observe("x")["title"].tolist() == ["a", "c"]
    assert archive.report("x").listed == 2


def test_changed_table_is_read_again(tmp_path: Path, lake: Lake) -> None:
    archive = source(lake, tmp_path, "name,price\na,$5\n")
    assert archive.observe("shoes")["amount"].tolist() == [5.0]
    (tmp_path / "shoes.csv").write_text("name,price\na,$66\n")
    assert archive.observe("shoes")["amount"].tolist() == [66.0]


def test_rereading_gives_the_same_observations(tmp_path: Path, lake: Lake) -> None:
    text = "name,price,date\na,$5,2020-01-13\na,$5,2020-01-13\nb,$6,2020-01-14\n"
    first, second = observed(lake, tmp_path, text), observed(lake, tmp_path, text)
    pd.testing.assert_frame_equal(first, second)
    assert first["n_prices"].fillna(1).tolist() == [2, 1]
