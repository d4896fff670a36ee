"""Archives as people have them, each read with one call."""

import io
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.errors import SneakerError
from sneaker_assets.lake import Lake
from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.observations import price_history
from sneaker_assets.sources.archive import ArchiveColumns, ArchiveError, ArchiveMapping, ArchiveSource
from sneaker_assets.tables import Images, Observations, PriceObservations
from sneaker_assets_tests.crawl.answers import jpeg, reply
from sneaker_assets_tests.crawl.shop import open_shop

LOOPBACK = FetchSettings(delay=0.0, contact="tests@example.org", allow_loopback=True)


def history(rows: pd.DataFrame) -> pd.DataFrame:
    return PriceObservations.validate(price_history(Observations.validate(rows), bundled_rates()))


def test_three_brands_with_image_files(tmp_path: Path, lake: Lake) -> None:
    lines = []
    for brand in ("adidas", "nike", "vans"):
        for i in range(4):
            name = f"{brand}_{i}.jpg"
            (tmp_path / "images").mkdir(exist_ok=True)
            (tmp_path / "images" / name).write_bytes(jpeg(40 + i, 30))
            lines.append(f"{brand.title()} {i},{brand},{100 + i},{name}\n")
    (tmp_path / "shoes.csv").write_text("Product Name,Site,Price (USD),Image\n" + "".join(lines))
    source = ArchiveSource(lake, tmp_path)
    assert source.sites() == ["adidas", "nike", "vans"]
    rows = source.observe("nike")
    assert history(rows)["price"].tolist() == [100, 101, 102, 103]
    images = Images.validate(source.images("nike", rows["image_url"]))
    assert images["problem"].isna().all()
    assert images["width"].tolist() == [40, 41, 42, 43]


def test_images_by_address_are_downloaded_by_the_rules_of_a_crawl(tmp_path: Path, lake: Lake) -> None:
    with open_shop() as shop:
        shop.answers["/a.jpg"] = reply(200, jpeg(), "image/jpeg")
        (tmp_path / "goat.csv").write_text(
            "lowestAsk,title,sku,image_url\n"
            f'"$1,097.00",A,AB-1,{shop.base}/a.jpg\n$90,B,AB-2,{shop.base}/gone.jpg\n$80,C,AB-3,local.jpg\n'
        )
        (tmp_path / "local.jpg").write_bytes(jpeg())
        source = ArchiveSource(lake, tmp_path, fetching=LOOPBACK)
        rows = source.observe("goat")
        assert rows["label_kind"].unique().tolist() == ["lowest_ask"]
        images = Images.validate(source.images("goat", rows["image_url"]))
        assert images["image_url"].tolist() == rows["image_url"].tolist()
        assert images["problem"].isna().tolist() == [True, False, True]
        assert shop.asked("/robots.txt")
        assert "tests@example.org" in shop.asked("/a.jpg")[0].headers["User-Agent"]
        source.images("goat", rows["image_url"], images)
        assert len(shop.asked("/a.jpg")) == 1


def test_images_by_address_need_a_contact(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "goat.csv").write_text("price,title,image\n$5,A,https://shop.test/a.jpg\n")
    source = ArchiveSource(lake, tmp_path)
    with pytest.raises(SneakerError, match="SNEAKER_CONTACT"):
        source.images("goat", source.observe("goat")["image_url"])


@pytest.mark.parametrize(
    ("header", "prices", "mapping"),
    [
        ("Preis (EUR)", ["1.097,00", "99,95"], {}),
        ("Preis", ["1.097,00 €", "99,95 €"], {}),
        ("Preis", ["1.097,00", "99,95"], {"currency": "EUR"}),
        ("prix", ["€1097", "€99.95"], {}),
    ],
)
def test_euros(tmp_path: Path, lake: Lake, header: str, prices: list[str], mapping: dict[str, str]) -> None:
    lines = [f"Modell {i};{price};20.05.2019\n" for i, price in enumerate(prices)]
    (tmp_path / "schuhe.csv").write_text(f"Modell;{header};Datum\n" + "".join(lines))
    rows = ArchiveSource(lake, tmp_path, ArchiveMapping.model_validate(mapping)).observe("schuhe")
    assert rows["amount"].tolist() == [1097.0, 99.95]
    assert (history(rows)["price"] > rows["amount"]).all()


def test_latin_1_with_semicolons(tmp_path: Path, lake: Lake) -> None:
    text = "Modell;Marke;Größe;Preis (EUR);Bild\nAir Größe;Chloé;EU 42,5;1.097,00;fotos/a.jpg\n"
    text += "Era;Vans;EU 41;95,50;b.jpg\n"
    (tmp_path / "schuhe.csv").write_bytes(text.encode("latin-1"))
    (tmp_path / "fotos").mkdir()
    (tmp_path / "fotos" / "a.jpg").write_bytes(jpeg())
    (tmp_path / "fotos" / "b.jpg").write_bytes(jpeg())
    source = ArchiveSource(lake, tmp_path)
    rows = source.observe("schuhe")
    assert rows[["title", "brand", "size", "size_system", "amount"]].to_numpy().tolist() == [
        ["Air Größe", "Chloé", "42.5", "eu", 1097.0],
        ["Era", "Vans", "41", "eu", 95.5],
    ]
    assert source.images("schuhe", rows["image_url"])["problem"].isna().all()


def test_parquet(tmp_path: Path, lake: Lake) -> None:
    frame = pd.DataFrame(
        {
            "id": ["x1", "x2"],
            "name": ["Dunk", "990"],
            "soldAt": pd.to_datetime(["2019-01-01", "2019-02-03"], utc=True),
            "price": [190.5, 95.0],
            "currency": ["EUR", "USD"],
            "size": [42.0, 9.5],
            "condition": ["Used", "new"],
        }
    )
    frame.to_parquet(tmp_path / "sales.parquet")
    rows = ArchiveSource(lake, tmp_path).observe("sales")
    assert rows[["product_id", "title", "amount", "currency", "size", "condition"]].to_numpy().tolist() == [
        ["x1", "Dunk", 190.5, "EUR", "42", "used"],
        ["x2", "990", 95.0, "USD", "9.5", "new"],
    ]
    assert rows["label_kind"].tolist() == ["last_sale"] * 2
    assert rows["observed_at"].tolist() == frame["soldAt"].tolist()


CONTEST = "Order Date,Brand,Sneaker Name,Sale Price,Retail Price,Release Date,Shoe Size,Buyer Region\n"


def test_list_of_sales_without_images_is_a_price_history(tmp_path: Path, lake: Lake) -> None:
    file = tmp_path / "StockX-Data-Contest-2019-3.csv"
    file.write_text(
        CONTEST + '9/1/17, Yeezy,Adidas-Yeezy-Boost-350-Low-V2-Beluga,"$1,097 ",$220 ,9/24/16,11,California\n'
        "9/1/17, Yeezy,Adidas-Yeezy-Boost-350-V2-Core-Black-Copper,$685 ,$220 ,11/23/16,11,California\n"
        "9/1/17, Yeezy,Adidas-Yeezy-Boost-350-V2-Core-Black-Copper,$685 ,$220 ,11/23/16,11,Oregon\n"
        "2/13/19,Off-White,Nike-Zoom-Fly-Off-White-Pink,$210 ,$170 ,11/28/18,10.5,Rhode Island\n"
    )
    source = ArchiveSource(lake, file)
    assert source.sites() == ["stockx-data-contest-2019-3"]
    rows = Observations.validate(source.observe("stockx-data-contest-2019-3"))
    assert rows["amount"].tolist() == [1097.0, 685.0, 210.0]
    assert rows["n_prices"].fillna(1).tolist() == [1, 2, 1]
    assert set(rows["label_kind"]) == {"last_sale"}
    assert set(rows["currency"]) == {"USD"}
    assert rows["size"].tolist() == ["11", "11", "10.5"]
    assert rows["brand"].tolist() == ["Yeezy", "Yeezy", "Off-White"]
    assert rows["retail_price"].tolist() == [220.0, 220.0, 170.0]
    assert [f"{day:%Y-%m-%d}" for day in rows["observed_at"]] == ["2017-09-01", "2017-09-01", "2019-02-13"]
    assert [f"{day:%Y-%m-%d}" for day in rows["release_date"]] == ["2016-09-24", "2016-11-23", "2018-11-28"]
    assert set(rows["image_url"]) == {""}
    prices = history(rows)
    assert prices[prices["label_kind"] == "last_sale"]["price"].tolist() == [1097.0, 685.0, 685.0, 210.0]


def test_published_columns_keep_their_meaning(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "listings.csv").write_text("sale_price,image_name\n281.0,farfetch_shoe1.jpg\n120,stockx_shoe1.jpg\n")
    (tmp_path / "train_clean.csv").write_text("sale_price,image_name\n281.0,farfetch_shoe1.jpg\n")
    source = ArchiveSource(lake, tmp_path)
    assert source.sites() == ["farfetch", "stockx"]
    row = source.observe("farfetch").iloc[0]
    assert row[["product_id", "title", "image_url", "url", "currency", "label_kind"]].tolist() == [
        "farfetch_shoe1.jpg",
        "farfetch_shoe1",
        "farfetch_shoe1.jpg",
        "listings.csv",
        "USD",
        "unknown",
    ]


def test_image_is_found_in_the_folder_of_images_beside_the_table_or_by_its_name(tmp_path: Path, lake: Lake) -> None:
    for place in (
        "images/in.jpg",
        "data/beside.jpg",
        "data/pics/rel.jpg",
        "far/away/only.jpg",
        "x/two.jpg",
        "y/two.jpg",
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(jpeg())
    (tmp_path / "data" / "t.csv").write_text("price,image\n$5,in.jpg\n")
    names = ["in.jpg", "beside.jpg", "pics/rel.jpg", "only.jpg", "C:\\pics\\only.jpg", "two.jpg", "gone.jpg"]
    table = ArchiveSource(lake, tmp_path).images("t", names)
    assert table["problem"].fillna("").tolist() == [
        *[""] * 5,
        "names 2 files of the archive, such as x/two.jpg and y/two.jpg",
        "not in the archive",
    ]


def test_image_of_another_format_than_its_name_is_stored(tmp_path: Path, lake: Lake) -> None:
    file = io.BytesIO()
    Image.new("RGB", (50, 40), "red").save(file, "WEBP")
    (tmp_path / "a.jpg").write_bytes(file.getvalue())
    (tmp_path / "t.csv").write_text("price,image\n$5,a.jpg\n")
    source = ArchiveSource(lake, tmp_path)
    assert source.images("t", source.observe("t")["image_url"])["problem"].isna().all()


@pytest.mark.parametrize("n_files", [1, 2])
def test_one_table_or_several_are_one_archive(tmp_path: Path, lake: Lake, n_files: int) -> None:
    for i in range(n_files):
        (tmp_path / f"part-{i}.csv").write_text(f"name,last sale,site\nDunk,${100 + i},shop\n")
    archive = tmp_path if n_files > 1 else tmp_path / "part-0.csv"
    source = ArchiveSource(lake, archive)
    assert source.observe("shop")["amount"].tolist() == [100.0 + i for i in range(n_files)]
    assert source.report("shop").pages == n_files


def test_damaged_table_among_others_is_an_error(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "a.csv").write_text("name,price\nDunk,$5\n")
    (tmp_path / "b.csv.gz").write_bytes(b"\x1f\x8b truncated")
    with pytest.raises(ArchiveError, match=r"b\.csv\.gz is truncated or damaged"):
        ArchiveSource(lake, tmp_path).sites()


def test_settings_name_the_columns_of_one_table(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "t.csv").write_text("what,worth,when\nDunk,5,13/01/2020\n")
    columns = ArchiveColumns(price="worth", title="what", date="when")
    mapping = ArchiveMapping(currency="USD", kind="average_sale", site="me", columns=columns)
    row = ArchiveSource(lake, tmp_path, mapping).observe("me").iloc[0]
    assert row[["title", "amount", "label_kind"]].tolist() == ["Dunk", 5.0, "average_sale"]
    assert f"{row['observed_at']:%Y-%m-%d}" == "2020-01-13"
