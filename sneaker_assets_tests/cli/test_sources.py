"""Tables as people have them: one command each to a priced data set, or to a statement of what is missing."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sneaker_assets_tests.crawl.answers import reply
from sneaker_assets_tests.crawl.shop import open_shop

pytestmark = pytest.mark.slow

N = 12

COMMAND = "import sys; from sneaker_assets.cli import sneaker_assets; sys.exit(sneaker_assets())"

SCRIPT = """
import json
import dagster as dg
from sneaker_assets.cli.pipeline import Stage, run_stage
from sneaker_assets.cli.pipeline.stages import _sites
from sneaker_assets.lake import read_table
from sneaker_assets.resources import LakeResource

with dg.DagsterInstance.get() as instance:
    for site in _sites():
        run_stage(Stage("crawl_site", site), instance)
    run_stage(Stage("build_data_set"), instance)
clean = read_table(LakeResource().open().table("clean_listings"))
print(json.dumps(clean[["site", "title", "price", "amount", "currency"]].to_dict("list")))
"""


def run(tmp_path: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(tmp_path / "home"),
        "SNEAKER_LAKE": str(tmp_path / "lake"),
        "SNEAKER_SOURCE": "archive",
        "COLUMNS": "400",
    }
    return subprocess.run(
        [sys.executable, *command], env=environment | settings, capture_output=True, text=True, check=False
    )


def data_set(tmp_path: Path, archive: Path, **settings: str) -> pd.DataFrame:
    """Clean listings that crawls and the job ``build_data_set`` make of an archive, in a process of their own."""
    done = run(tmp_path, "-c", SCRIPT, SNEAKER_ARCHIVE=str(archive), **settings)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return pd.DataFrame(found)


def picture(number: int) -> bytes:
    """An image that is no near duplicate of another number's."""
    blocks = np.random.default_rng(number).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(blocks).resize((90, 60)).save(file, "JPEG")
    return file.getvalue()


def write(folder: Path, text: str, pictures: Sequence[str] = (), encoding: str = "utf-8") -> Path:
    folder.mkdir()
    (folder / "shoes.csv").write_bytes(text.encode(encoding))
    for i, name in enumerate(pictures):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(picture(i))
    return folder


def prices() -> list[float]:
    return [90.0 + 5 * i for i in range(N)]


def test_three_other_brands_with_file_names(tmp_path: Path) -> None:
    names = [f"{('adidas', 'nike', 'vans')[i % 3]}_{i}.jpg" for i in range(N)]
    rows = "".join(f"{price},{name}\n" for price, name in zip(prices(), names, strict=True))
    folder = write(tmp_path / "a", f"sale_price,image_name\n{rows}", [f"images/{name}" for name in names])
    clean = data_set(tmp_path, folder)
    assert clean.groupby("site").size().to_dict() == {"adidas": 4, "nike": 4, "vans": 4}
    assert sorted(clean["price"]) == prices()


def test_addresses_that_are_served(tmp_path: Path) -> None:
    with open_shop() as shop:
        for i in range(N):
            shop.answers[f"/{i}.jpg"] = reply(200, picture(i), "image/jpeg")
        rows = "".join(f'Shoe {i},"${price}",{shop.base}/{i}.jpg\n' for i, price in enumerate(prices()))
        folder = write(tmp_path / "a", f"name,lowest ask,thumbnail\n{rows}")
        settings = {"SNEAKER_CONTACT": "tests@example.org", "SNEAKER_ALLOW_LOOPBACK": "1"}
        clean = data_set(tmp_path, folder, **settings)
    assert sorted(clean["price"]) == prices()


def test_euros_in_latin_1_with_semicolons(tmp_path: Path) -> None:
    amounts = [f"{price:.2f}".replace(".", ",") for price in prices()]
    rows = "".join(f"Größe {i};{amount};{i}.jpg;13.05.2019\n" for i, amount in enumerate(amounts))
    folder = write(
        tmp_path / "a", f"Modell;Preis (EUR);Bild;Datum\n{rows}", [f"{i}.jpg" for i in range(N)], encoding="latin-1"
    )
    clean = data_set(tmp_path, folder)
    assert set(clean["currency"]) == {"EUR"}
    assert sorted(clean["amount"]) == prices()
    assert (clean["price"] > clean["amount"]).all()
    assert set(clean["title"]) == {f"Größe {i}" for i in range(N)}


def test_parquet(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "", [f"{i}.jpg" for i in range(N)])
    (folder / "shoes.csv").unlink()
    frame = pd.DataFrame({"title": [f"Shoe {i}" for i in range(N)], "price": prices(), "currency": "USD"})
    frame.assign(image=[f"{i}.jpg" for i in range(N)], site="Outlet").to_parquet(folder / "shoes.parquet")
    clean = data_set(tmp_path, folder)
    assert set(clean["site"]) == {"outlet"}
    assert sorted(clean["price"]) == prices()


def test_sales_without_pictures_end_with_a_price_history(tmp_path: Path) -> None:
    rows = "".join(
        f'{month}/{day}/18,Yeezy,Boost-{day % 3},"${200 + day} ",$220 ,9/24/16,10\n'
        for month in (1, 2)
        for day in range(1, 29)
    )
    header = "Order Date,Brand,Sneaker Name,Sale Price,Retail Price,Release Date,Shoe Size\n"
    folder = write(tmp_path / "a", header + rows)
    done = run(tmp_path, "-c", COMMAND, SNEAKER_ARCHIVE=str(folder))
    assert done.returncode == 0, done.stderr
    assert "3 products have prices, but none of them has a picture" in done.stdout
    history = pd.read_parquet(tmp_path / "lake" / "tables" / "price_observations.parquet")
    sales = history[history["label_kind"] == "last_sale"]
    assert len(sales) == 56
    assert set(sales["size"]) == {"10"}
    trends = pd.read_parquet(tmp_path / "lake" / "tables" / "price_trends.parquet")
    assert np.isclose(trends["median"].max(), sales.groupby("product_id")["price"].median().max(), rtol=0.2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("name,colour\nA,red\n", "price"),
        ("name,price,date\nA,$5,1/2/2019\nB,$6,3/4/2019\n", "date_order"),
        ("name,price\nA,5\nB,6\n", "currency"),
    ],
)
def test_table_that_cannot_be_read_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    folder = write(tmp_path / "a", text)
    done = run(tmp_path, "-c", COMMAND, SNEAKER_ARCHIVE=str(folder))
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert message in lines[-1]
    assert "Traceback" not in done.stderr
