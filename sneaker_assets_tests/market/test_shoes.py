"""Shoes across sites: which products are joined, how shoes are named, and what their table says."""

import json
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.labels import label_listings
from sneaker_assets.market.observations import price_history
from sneaker_assets.market.shoes import Shoes, find_shoes, summarise_shoes, with_shoes
from sneaker_assets.tables import Listings
from sneaker_assets.tables import Shoes as ShoesTable
from sneaker_assets_tests.builders import NOON, digest, images, observations, pictures

RATES = bundled_rates()


def product(name: str, title: str = "Dunk Low Panda", **columns: Any) -> dict[str, Any]:
    """An observation of a product such as ``goat/p1``."""
    site, product_id = name.split("/")
    return {"site": site, "product_id": product_id, "title": title, "image_url": name, **columns}


def listed(seen: pd.DataFrame, picture_of: dict[str, str] | None = None) -> pd.DataFrame:
    """Listings of the observed products; each has a picture of its own, or that of the given name."""
    shown = picture_of or {}
    names = sorted(set(seen["image_url"]) - {""})
    stored = images(
        *({"site": name.split("/")[0], "image_url": name, "sha256": digest(shown.get(name, name))} for name in names)
    )
    properties = pictures(*({"sha256": sha256} for sha256 in sorted(set(stored["sha256"]))))
    known = properties.assign(twin_group=properties["sha256"])
    return Listings.validate(label_listings(seen, price_history(seen, RATES), stored, known))


def found(*rows: dict[str, Any], same_picture: bool = False) -> Shoes:
    seen = observations(*rows)
    shown = dict.fromkeys(seen["image_url"], "one") if same_picture else None
    return find_shoes(seen, listed(seen, shown))


def shoes_of(shoes: Shoes) -> dict[str, str]:
    names = shoes.products["site"] + "/" + shoes.products["product_id"]
    return dict(zip(names, shoes.products["shoe"], strict=True))


def summarised(*rows: dict[str, Any]) -> pd.DataFrame:
    seen = observations(*rows)
    shoes = find_shoes(seen, listed(seen))
    return ShoesTable.validate(summarise_shoes(shoes.products, price_history(seen, RATES)))


def test_products_with_a_common_style_code_are_one_shoe() -> None:
    shoes = found(
        product("stockx/a", style_code="315122-111/CW2288-111"),
        product("goat/b", "Air Force 1", style_code="cw2288 111", observed_at=NOON + timedelta(days=1)),
        product("kith/c", "AF1", style_code="315122 111", observed_at=NOON + timedelta(days=2)),
        product("kith/d", style_code="DD1391-100"),
    )
    one = dict.fromkeys(("stockx/a", "goat/b", "kith/c"), "315122111")
    assert shoes_of(shoes) == {**one, "kith/d": "DD1391100"}


def test_same_picture_and_title_is_one_shoe() -> None:
    shoes = found(
        product("goat/a", "Air Jordan 1 Retro High OG 'Chicago'"),
        product("kith/b", "Jordan 1 Retro High Chicago (2015)"),
        product("kith/c", "Jordan 4 Retro High Chicago"),
        same_picture=True,
    )
    assert shoes_of(shoes) == {"goat/a": "goat/a", "kith/b": "goat/a", "kith/c": "kith/c"}


def test_same_title_with_another_picture_is_another_shoe() -> None:
    assert len(set(shoes_of(found(product("goat/a"), product("kith/b"))).values())) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Yeezy Boost 350 Zebra", "Yeezy Boost 700 Zebra"),
        ("farfetch_shoe5389", "farfetch_shoe1202"),
        ("Shoe", "Dunk Low Shoe Panda"),
        ("Dunk Low Panda", "Gel Lyte Three"),
    ],
)
def test_same_picture_with_another_title_is_another_shoe(one: str, other: str) -> None:
    shoes = found(product("goat/a", one), product("kith/b", other), same_picture=True)
    assert len(set(shoes_of(shoes).values())) == 2


def test_conflicting_style_codes_or_brands_are_never_joined_by_picture() -> None:
    shoes = found(
        product("goat/a", style_code="DD1391-100"),
        product("kith/b", style_code="DD1391-200"),
        product("stockx/c"),
        same_picture=True,
    )
    names = shoes_of(shoes)
    assert names["goat/a"] != names["kith/b"]
    assert names["stockx/c"] in {names["goat/a"], names["kith/b"]}
    brands = found(product("goat/a", brand="Nike"), product("kith/b", brand="Vans"), same_picture=True)
    assert len(set(shoes_of(brands).values())) == 2


@settings(deadline=None, max_examples=12)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["DD1391-100", "DD1391-200", None]), st.sampled_from(["Dunk Low", "Low Dunk", "AF1"])
        ),
        min_size=1,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_joining_depends_neither_on_the_order_nor_joins_two_codes(
    stated: list[tuple[str | None, str]], order: Any
) -> None:
    rows = [product(f"goat/p{i}", title, style_code=code) for i, (code, title) in enumerate(stated)]
    names = shoes_of(found(*rows, same_picture=True))
    order.shuffle(rows)
    assert shoes_of(found(*rows, same_picture=True)) == names
    codes = {f"goat/p{i}": code for i, (code, _) in enumerate(stated)}
    for shoe in set(names.values()):
        assert len({codes[name] for name, its in names.items() if its == shoe} - {None}) <= 1


def test_placeholder_code_joins_nothing_and_is_reported() -> None:
    titles = ("Dunk Low Panda", "Yeezy Boost Zebra", "Gel Lyte III")
    rows = [product(f"kith/{i}", title, style_code="AB1234-100") for i, title in enumerate(titles)]
    shoes = found(*rows)
    assert len(set(shoes_of(shoes).values())) == 3
    assert shoes.placeholders["products"].tolist() == [3]


def test_shoe_keeps_its_name_when_products_are_added() -> None:
    first = product("stockx/z", style_code="DD1391-100")
    later = product("goat/a", style_code="CW2288-111/DD1391-100", observed_at=NOON + timedelta(days=1))
    assert set(shoes_of(found(first)).values()) == set(shoes_of(found(first, later)).values()) == {"DD1391100"}


def test_style_code_of_an_earlier_page_is_kept() -> None:
    page = product("stockx/a", style_code="DD1391-100")
    api = product("stockx/a", style_code=None, observed_at=NOON + timedelta(days=1))
    assert shoes_of(found(page, api)) == {"stockx/a": "DD1391100"}


def test_product_without_a_picture_is_joined_by_its_code() -> None:
    seen = observations(
        product("goat/a", style_code="DD1391-100"), {**product("stockx/b", style_code="DD1391-100"), "image_url": ""}
    )
    table = listed(seen)
    shoes = find_shoes(seen, table)
    assert set(shoes_of(shoes).values()) == {"DD1391100"}
    assert with_shoes(table, shoes.products)[["product_id", "shoe"]].values.tolist() == [["a", "DD1391100"]]


def test_prices_of_all_sites_are_side_by_side() -> None:
    day: dict[str, Any] = {"observed_at": NOON + timedelta(days=1)}
    table = summarised(
        product("stockx/a", style_code="DD1391-100", label_kind="average_sale", amount=300.0, retail_price=100.0,
                retail_currency="USD"),
        product("goat/b", style_code="DD1391-100", label_kind="lowest_ask", amount=340.0, **day),
        product("goat/b", style_code="DD1391-100", label_kind="lowest_ask", amount=150.0, condition="used", **day),
        product("kith/c", "Other", amount=None),
    )  # fmt: skip
    shoe = table.iloc[0]
    assert (shoe["shoe"], shoe["n_sites"], shoe["n_products"], shoe["sites"]) == ("DD1391100", 2, 2, "goat, stockx")
    assert (shoe["lowest"], shoe["median"], shoe["highest"], shoe["retail_price"]) == (300.0, 320.0, 340.0, 100.0)
    assert json.loads(shoe["labels"]) == [
        {"site": "goat", "kind": "lowest_ask", "condition": "used", "price": 150.0, "observed": "2020-09-25"},
        {"site": "goat", "kind": "lowest_ask", "price": 340.0, "observed": "2020-09-25"},
        {"site": "stockx", "kind": "average_sale", "price": 300.0, "observed": "2020-09-24"},
    ]
    assert table["conflicts"].tolist() == ["[]", "[]"]
    assert table[["shoe", "labels"]].values.tolist()[1] == ["kith/c", "[]"]


def test_values_that_sites_state_differently_are_conflicts() -> None:
    code = {"style_code": "DD1391-100", "retail_currency": "USD"}
    table = summarised(
        product("goat/a", brand="Nike SB", colourway="White/Black", retail_price=100.0,
                release_date=NOON.replace(hour=0), **code),
        product("kith/b", brand="Nike", colourway="black, white", retail_price=130.0,
                release_date=NOON.replace(hour=0) + timedelta(days=9), **code),
    )  # fmt: skip
    assert json.loads(table["conflicts"].iloc[0]) == [
        {"field": "retail_price", "values": {"goat": 100.0, "kith": 130.0}},
        {"field": "release_date", "values": {"goat": "2020-09-24", "kith": "2020-10-03"}},
    ]
    assert table[["brand", "retail_price"]].values.tolist() == [["Nike SB", 100.0]]


def test_without_products_there_are_no_shoes() -> None:
    seen = observations({}).head(0)
    shoes = find_shoes(seen, listed(observations(product("goat/a"))).head(0))
    assert ShoesTable.validate(summarise_shoes(shoes.products, price_history(seen, RATES))).empty
