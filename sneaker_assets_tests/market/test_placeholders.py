import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.market.cleaning import CleaningSettings, clean
from sneaker_assets.market.placeholders import PlaceholderSettings, find_placeholders, title_overlap
from sneaker_assets.tables import RemovedListings
from sneaker_assets_tests.builders import digest, raw_listings

UNRELATED = (
    "Nike Dunk Low Panda",
    "Air Jordan 1 Retro High OG Chicago",
    "adidas Yeezy Boost 350 V2 Zebra",
    "New Balance 550 White Green",
    "ASICS Gel-Kayano 14 Cream",
    "Salomon XT-6 Black Phantom",
)
PRICES = (110.0, 420.0, 260.0, 95.0, 150.0, 180.0)


def products(titles: tuple[str, ...], prices: tuple[float, ...]) -> pd.DataFrame:
    """Products that all show one picture."""
    return pd.DataFrame({"title": titles, "price": prices, "picture": "a"})


def found(titles: tuple[str, ...], prices: tuple[float, ...], settings: PlaceholderSettings | None = None) -> bool:
    return find_placeholders(products(titles, prices), "picture", "price", settings) == ["a"]


def test_a_picture_of_unrelated_products_is_a_placeholder() -> None:
    assert found(UNRELATED, PRICES)
    assert found(UNRELATED, (110.0, 420.0, *[float("nan")] * 4)), "products without a price count too"


@pytest.mark.parametrize(
    ("titles", "prices"),
    [
        (UNRELATED[:4], PRICES[:4]),
        (UNRELATED, (150.0, 160.0, 170.0, 180.0, 190.0, 200.0)),
        (tuple(f"adidas Yeezy Boost 350 {colour}" for colour in ("Zebra", "Bred", "Oreo", "Sand", "Ash")), PRICES[:5]),
        (tuple(f"Nike Dunk Low Panda{suffix}" for suffix in ("", " GS", " PS", " TD", " Women's")), PRICES[:5]),
        (tuple(f"farfetch_shoe{number}" for number in range(5)), PRICES[:5]),
        (tuple(str(number) for number in range(5)), PRICES[:5]),
        (UNRELATED, (float("nan"),) * 6),
    ],
    ids=["few", "similar prices", "colour names", "sizes", "file names", "numbers", "no prices"],
)  # fmt: skip
def test_copies_of_the_picture_of_a_shoe_are_kept(titles: tuple[str, ...], prices: tuple[float, ...]) -> None:
    assert not found(titles, prices)


def test_thresholds_are_settings() -> None:
    assert not found(UNRELATED, PRICES, PlaceholderSettings(placeholder_min_products=7))
    assert not found(UNRELATED, PRICES, PlaceholderSettings(placeholder_min_price_ratio=10))
    assert found(UNRELATED[:2], PRICES[:2], PlaceholderSettings(placeholder_min_products=2))
    alike = tuple(f"Nike Dunk Low {colour}" for colour in ("Panda", "Kentucky", "Syracuse", "Grey", "Chicago"))
    assert not found(alike, PRICES[:5])
    assert found(alike, PRICES[:5], PlaceholderSettings(placeholder_max_title_overlap=0.6))


def test_pictures_are_judged_one_by_one() -> None:
    table = pd.concat([products(UNRELATED, PRICES), products(("Shoe",) * 6, PRICES).assign(picture="b")])
    assert find_placeholders(table, "picture", "price") == ["a"]
    assert find_placeholders(table.head(0), "picture", "price") == []


@given(st.lists(st.sampled_from(UNRELATED), min_size=2, max_size=8))
def test_title_overlap_does_not_depend_on_the_order(titles: list[str]) -> None:
    overlap = title_overlap(titles)
    assert 0 <= overlap <= 1
    assert title_overlap(titles[::-1]) == pytest.approx(overlap)
    assert (overlap == 1) == (len(set(titles)) == 1)


def test_titles_of_a_large_group_are_sampled() -> None:
    assert title_overlap([UNRELATED[i % 6] for i in range(5_000)]) < 0.3
    assert title_overlap(["Nike Dunk Low"] * 5_000) == 1


def test_listings_with_a_placeholder_are_removed_with_that_reason() -> None:
    table = raw_listings([*PRICES, 130.0, None, 90_000.0], groups=[*"aaaaaabab"])
    table = table.assign(title=[*UNRELATED, "Puma Suede", "Vans Old Skool", "Reebok Club C"])
    cleaned = clean(table)
    removed = RemovedListings.validate(cleaned.removed)
    assert cleaned.listings["product_id"].tolist() == ["p6"]
    reasons = removed.set_index("product_id")["reason"]
    assert (reasons.drop("p8") == "placeholder_picture").all()
    assert reasons["p8"] == "above_fence"
    assert removed.loc[removed["reason"] == "placeholder_picture", "limit"].isna().all()
    assert cleaned.conflicts.empty
    assert cleaned.fences.equals(clean(table, CleaningSettings(placeholder_min_products=100)).fences)
    assert digest("a") in set(removed["twin_group"])
