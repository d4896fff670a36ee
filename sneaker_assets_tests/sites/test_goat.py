"""GOAT: its asks by condition, its sizes, and its responses in a folder of saved pages."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sneaker_assets.lake import Lake
from sneaker_assets.sites import site_of_address
from sneaker_assets.sites.base import NoListingError, PageError, Price
from sneaker_assets.sites.goat import HOME, parse_page
from sneaker_assets.sources.saved.source import SavedSource
from sneaker_assets.tables import Observations
from sneaker_assets_tests.sources.saved_files import AT, Saved, write_har

SEARCH = "https://ac.cnstrc.com/search/example?page=1"
PRODUCT = f"{HOME}/sneakers/example"
ASKS = f"{HOME}/web-api/v1/product_variants/buy_bar_data?productTemplateId=7&countryCode=US"


def money(cents: Any, currency: str = "USD") -> dict[str, Any]:
    return {"currency": currency, "amount": cents, "amountUsdCents": cents}


def variant(size: str, cents: Any, **changes: Any) -> dict[str, Any]:
    return {
        "sizeOption": {"presentation": size},
        "shoeCondition": "new_no_defects",
        "boxCondition": "good_condition",
        "stockStatus": "single_in_stock",
        "lowestPriceCents": money(cents),
    } | changes


def template(**changes: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "slug": "example",
        "name": "Example",
        "sku": "DD1391 100",
        "gender": ["men"],
        "sizeUnit": "us",
        "productCategory": "shoes",
        "productType": "sneakers",
        "mainPictureUrl": "https://image.goat.com/750/7.png",
    } | changes


def search_result(**changes: Any) -> dict[str, Any]:
    data = {
        "id": "7",
        "slug": "example",
        "sku": "DD1391 100",
        "image_url": "https://image.goat.com/750/7.png",
        "product_type": "sneakers",
        "lowest_price_cents": 9000,
        "lowest_price_cents_eur": 8000,
        "product_condition": "new_no_defects",
    }
    return {"value": "Example", "data": data | changes}


def search_response(*results: dict[str, Any]) -> bytes:
    return json.dumps({"response": {"results": results, "total_num_results": len(results)}}).encode()


def product_page(product: dict[str, Any]) -> bytes:
    state = json.dumps({"props": {"pageProps": {"productTemplate": product}}})
    return f'<html><script id="__NEXT_DATA__" type="application/json">{state}</script></html>'.encode()


def asks(*variants: dict[str, Any]) -> tuple[Price, ...]:
    return parse_page(json.dumps(variants).encode(), ASKS).details[0].prices


def test_price_of_the_product_is_the_lowest_new_ask() -> None:
    found = asks(
        variant("9", 20000),
        variant("10", 18000),
        variant("10", 5000, shoeCondition="used"),
        variant("10", 6000, shoeCondition="goat_clean"),
        variant("9", 7000, shoeCondition="new_with_defects"),
        variant("9", 8000, boxCondition="no_original_box"),
    )
    assert [(ask.size, ask.condition, ask.amount) for ask in found] == [
        (None, "new", 180.0),
        ("9", "new", 200.0),
        ("10", "new", 180.0),
        ("10", "used", 50.0),
        ("9", "defects", 70.0),
    ]


def test_product_without_a_new_shoe_has_no_price_of_its_own() -> None:
    found = asks(variant("9", 5000, shoeCondition="used"))
    assert [(ask.size, ask.condition) for ask in found] == [("9", "used")]


def test_unknown_condition_is_a_problem_and_no_price() -> None:
    (ask,) = asks(variant("9", 5000, shoeCondition="refurbished"))
    assert (ask.amount, ask.condition, ask.problem) == (None, None, "the condition 'refurbished' is not known")


@pytest.mark.parametrize(
    ("field", "amount", "currency"),
    [
        (money(12345, "EUR"), 123.45, "EUR"),
        ({"amountUsdCents": 12345, "currency": "EUR"}, 123.45, "USD"),
        ({"amount": 99999, "amountUsdCents": 12345}, 123.45, "USD"),
        ({"amountCents": 12345, "currency": "GBP"}, 123.45, "GBP"),
        ({"amount": "12345", "currency": "USD"}, 123.45, "USD"),
        (12345, 123.45, None),
    ],
)
def test_currency_is_the_stated_one(field: Any, amount: float, currency: str | None) -> None:
    ask = asks(variant("9", 0, lowestPriceCents=field))[0]
    assert (ask.amount, ask.currency) == (amount, currency)


@pytest.mark.parametrize("field", [None, 0, money(0), money(None), {"currency": "USD"}, {}])
def test_zero_is_no_price(field: Any) -> None:
    out = variant("9", 0, lowestPriceCents=field, stockStatus="not_in_stock")
    assert asks(out) == (Price(None, None, "lowest_ask", available=False),)
    assert asks(out | {"stockStatus": "single_in_stock"}) == ()


def test_ask_that_is_out_of_stock_is_unavailable() -> None:
    found = asks(variant("9", 5000, stockStatus="not_in_stock"), variant("10", 9000))
    assert [(ask.size, ask.amount, ask.available) for ask in found] == [
        (None, 90.0, True),
        ("9", 50.0, False),
        ("10", 90.0, True),
    ]


@pytest.mark.parametrize(
    ("changes", "system"),
    [
        ({}, "us_men"),
        ({"gender": ["women"]}, "us_women"),
        ({"gender": ["youth"]}, "us_kids"),
        ({"gender": ["men", "women"]}, "us"),
        ({"gender": None, "singleGender": "women"}, "us_women"),
        ({"gender": None}, "us"),
        ({"sizeUnit": "eu"}, "eu"),
        ({"sizeUnit": "it"}, None),
        ({"sizeUnit": None}, None),
    ],
)
def test_sizes_have_the_system_of_the_product(changes: dict[str, Any], system: str | None) -> None:
    (listing,) = parse_page(product_page(template(**changes)), PRODUCT).listings
    assert listing.size_system == system


def test_asks_of_a_product_named_by_its_slug_are_refused() -> None:
    with pytest.raises(PageError, match="'example-1' instead of by a numeric ID"):
        parse_page(json.dumps([variant("9", 1)]).encode(), ASKS.replace("=7", "=example-1"))


@pytest.mark.parametrize("body", [b'{"success": false}', b"<html>Just a moment...</html>", b'[{"id": 1}]'])
def test_response_without_asks_is_no_listing(body: bytes) -> None:
    with pytest.raises(NoListingError):
        parse_page(body, ASKS)


def test_search_results_of_another_shop_are_no_listing() -> None:
    with pytest.raises(NoListingError):
        parse_page(search_response(search_result(image_url="https://cdn.example/7.png")), SEARCH)


def test_page_of_another_site_is_refused() -> None:
    with pytest.raises(PageError, match="page of another site"):
        parse_page(product_page(template()), "https://www.flightclub.com/example")


@pytest.mark.parametrize(
    ("changes", "amount", "currency"),
    [
        ({}, 90.0, "USD"),
        ({"lowest_price_cents_usd": 9100}, 91.0, "USD"),
        ({"lowest_price_cents_eur": None}, 90.0, "USD"),
        ({"lowest_price_cents_eur": 0, "lowest_price_cents": "9000"}, 90.0, "USD"),
    ],
)
def test_search_price_is_in_dollars_beside_other_currencies(
    changes: dict[str, Any], amount: float, currency: str
) -> None:
    (listing,) = parse_page(search_response(search_result(**changes)), SEARCH).listings
    assert [(ask.amount, ask.currency) for ask in listing.prices] == [(amount, currency)]


@pytest.mark.parametrize(
    ("url", "site"),
    [
        (PRODUCT, "goat"),
        ("https://goat.com/de-de/sneakers/example", "goat"),
        (SEARCH, "goat"),
        ("https://goat.cnstrc.com/browse/group_id/sneakers", "goat"),
        ("https://cnstrc.com/", None),
        ("https://notgoat.com/", None),
    ],
)
def test_addresses_belong_to_the_site(url: str, site: str | None) -> None:
    found = site_of_address(url)
    assert (found and found.name) == site


@pytest.fixture
def source(lake: Lake, tmp_path: Path) -> SavedSource:
    """A browser's session: a search, the page of a product, and its asks."""
    responses = {
        SEARCH: search_response(search_result(), search_result(id="8", slug="other", product_type="tops")),
        PRODUCT: product_page(template()),
        ASKS: json.dumps([variant("9", 20000), variant("9", 5000, shoeCondition="used")]).encode(),
        f"{HOME}/web-api/v1/users/me": b'{"id": 1}',
    }
    saved = [
        Saved(url, body, "text/html" if body.startswith(b"<") else "application/json", AT.replace(minute=minute))
        for minute, (url, body) in enumerate(responses.items())
    ]
    write_har(tmp_path / "session.har", saved)
    return SavedSource(lake, tmp_path)


def test_saved_session_is_read(source: SavedSource) -> None:
    assert source.sites() == ["goat"]
    seen = Observations.validate(source.observe("goat"))
    shoes = seen[seen["exclusion"].isna()]
    assert set(shoes["product_id"]) == {"7"}
    assert set(seen.loc[seen["exclusion"].notna(), "product_id"]) == {"8"}
    assert set(shoes["style_code"]) == {"DD1391 100"}
    asked = shoes[shoes["size"].notna()]
    assert sorted(zip(asked["size"], asked["condition"], asked["amount"], strict=True)) == [
        ("9", "new", 200.0),
        ("9", "used", 50.0),
    ]
    assert set(shoes.loc[shoes["size"].isna() & shoes["amount"].notna(), "condition"]) == {"new"}
    assert source.report("goat").skipped == {"pages without a listing": 1}


def test_saved_asks_get_the_size_system_of_the_product(lake: Lake, tmp_path: Path) -> None:
    product = Saved(PRODUCT, product_page(template()))
    write_har(tmp_path / "session.har", [product, Saved(ASKS, json.dumps([variant("9", 100_00)]).encode())])
    seen = SavedSource(lake, tmp_path).observe("goat")
    assert seen["size_system"].dropna().tolist() == ["us_men"]
    assert seen["size"].dropna().tolist() == ["9"]


JSON = st.recursive(
    st.sampled_from([None, True, 0, -1, 5000, 1e308, "", "x", "9", "new_no_defects", "USD", "us", "men", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["amount", "currency", "amountUsdCents", "presentation", "seconds"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    ask=st.fixed_dictionaries({}, optional=dict.fromkeys(variant("9", 1), JSON)),
    product=st.fixed_dictionaries({}, optional=dict.fromkeys([*template(), "releaseDate", "retailPriceCents"], JSON)),
    result=st.fixed_dictionaries({}, optional=dict.fromkeys(search_result()["data"], JSON)),
)
def test_fields_of_any_type_parse_or_raise_page_error(
    ask: dict[str, Any], product: dict[str, Any], result: dict[str, Any]
) -> None:
    bodies = {
        ASKS: json.dumps([variant("9", 100) | ask]).encode(),
        PRODUCT: product_page(template() | product),
        SEARCH: search_response(search_result(**result)),
    }
    for url, body in bodies.items():
        try:
            page = parse_page(body, url)
        except PageError:
            continue
        for priced in (*page.listings, *page.excluded, *page.details):
            assert all(price.amount is None or price.amount > 0 for price in priced.prices)
