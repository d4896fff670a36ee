"""Condition and size system, as sites state them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.sites import json_ld, shopify
from sneaker_assets.sites.base import Price
from sneaker_assets.sites.condition import condition_of
from sneaker_assets.sites.prices import lowest_and_sizes
from sneaker_assets.sites.size_systems import stated_size_system
from sneaker_assets.tables import CONDITIONS, SIZE_SYSTEMS


@pytest.mark.parametrize(
    ("stated", "condition"),
    [
        ("https://schema.org/NewCondition", "new"),
        ("http://schema.org/UsedCondition", "used"),
        ("RefurbishedCondition", "used"),
        ("schema:DamagedCondition", "defects"),
        ("Pre-Owned", "used"),
        ("PREOWNED", "used"),
        ("new_with_defects", "defects"),
        ("Deadstock", "new"),
        ("Brand New", "new"),
        ("New Balance", None),
        ("Condition", None),
        ("", None),
        (None, None),
    ],
)
def test_condition_of_a_term(stated: str | None, condition: str | None) -> None:
    assert condition_of(stated) == condition


@pytest.mark.parametrize(
    ("stated", "system"),
    [
        ("US Size", "us"),
        ("US M 9", "us_men"),
        ("us w", "us_women"),
        ("US 5Y", "us_kids"),
        ("EU 42.5", "eu"),
        ("UK", "uk"),
        ("27 cm", "cm"),
        ("US 9 / EU 42", None),
        ("9", None),
        ("Size", None),
        ("muse", None),
    ],
)
def test_system_of_a_size(stated: str, system: str | None) -> None:
    assert stated_size_system(stated) == system
    assert Price(1.0, "USD", "list", stated).size_system == system


@given(st.text(max_size=30))
def test_any_text_gives_a_known_value_or_none(stated: str) -> None:
    assert condition_of(stated) in (*CONDITIONS, None)
    assert stated_size_system(stated) in (*SIZE_SYSTEMS, None)


def test_price_without_a_size_has_no_size_system() -> None:
    assert Price(1.0, "USD", "list", size_system="eu").size_system is None


def test_new_shoes_give_the_price_of_a_product_that_is_also_offered_used() -> None:
    new = Price(100.0, "USD", "list", "9", condition="new")
    used = Price(60.0, "USD", "list", "9", condition="used")
    best, *by_size = lowest_and_sizes([used, new])
    assert (best.amount, best.size, best.condition) == (100.0, None, "new")
    assert {price.condition: price.amount for price in by_size} == {"new": 100.0, "used": 60.0}


def json_ld_page(**offer: Any) -> bytes:
    node = {"@type": "Product", "name": "Shoe", "url": "https://shop.example/shoe", "sku": "1"}
    node["offers"] = {"@type": "Offer", "price": "90", "priceCurrency": "USD"} | offer  # type: ignore[assignment]
    return f'<script type="application/ld+json">{json.dumps(node)}</script>'.encode()


@pytest.mark.parametrize(
    ("stated", "condition"),
    [
        ("https://schema.org/UsedCondition", "used"),
        ({"@id": "https://schema.org/NewCondition"}, "new"),
        (["http://schema.org/DamagedCondition"], "defects"),
        ("unknown", None),
    ],
)
def test_item_condition_of_an_offer(stated: Any, condition: str | None) -> None:
    node = json.loads(json_ld_page(itemCondition=stated).split(b">", 1)[1].rsplit(b"<", 1)[0])
    (price,) = json_ld.offer_prices(node, "list")
    assert price.condition == condition


def shopify_prices(variants: list[dict[str, Any]], options: list[str], **product: Any) -> tuple[Price, ...]:
    described = {"id": 1, "title": "Shoe", "handle": "shoe", "variants": variants} | product
    described["options"] = [{"name": name} for name in options]
    body = json.dumps({"products": [described]}).encode()
    site = shopify.store("shop.example", "USD")
    (listing,) = site.parse_page(body, "https://shop.example/products.json").listings
    return listing.prices


def test_condition_of_a_shopify_product_is_that_of_its_tags_or_of_an_option() -> None:
    nine = {"price": "90.00", "option1": "9", "available": True}
    assert {price.condition for price in shopify_prices([nine], ["US Size"])} == {None}
    assert {price.condition for price in shopify_prices([nine], ["US Size"], tags=["New", "Pre-owned"])} == {"used"}
    variants = [nine | {"option2": "Used", "price": "50.00"}, nine | {"option2": "New"}]
    best, *by_size = shopify_prices(variants, ["US Size", "Condition"])
    assert (best.amount, best.condition) == (90.0, "new")
    assert {(price.amount, price.condition, price.size_system) for price in by_size} == {
        (50.0, "used", "us"),
        (90.0, "new", "us"),
    }
