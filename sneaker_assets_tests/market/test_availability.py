"""Availability, exclusions and problems of observations, from the tables of pages to labels and removed listings."""

import pandas as pd
import pytest

from sneaker_assets.market.cleaning import excluded_products
from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.labels import label_listings
from sneaker_assets.market.observations import append_observations, price_history
from sneaker_assets.tables import Observations, RemovedListings
from sneaker_assets.tables.upgrade import with_added_columns
from sneaker_assets_tests.builders import digest, images, observations, pictures

RATES = bundled_rates()


def label(seen: pd.DataFrame) -> pd.DataFrame:
    known = pictures({}).assign(twin_group=digest("p"))
    return label_listings(seen, price_history(seen, RATES), images({}), known)


@pytest.mark.parametrize(("available", "price"), [(True, 100.0), (None, 100.0), (False, None)])
def test_price_of_what_cannot_be_bought_is_no_label(available: bool | None, price: float | None) -> None:
    labelled = label(observations({"amount": 100.0, "available": available}))["price"]
    assert [None if pd.isna(value) else value for value in labelled] == [price]


def test_available_price_is_preferred_to_a_better_kind_that_is_not() -> None:
    rows = ({"amount": 90.0, "available": False}, {"amount": 100.0, "label_kind": "list", "available": True})
    assert label(observations(*rows))["price"].tolist() == [100.0]


def test_retail_price_is_converted_from_its_own_currency() -> None:
    seen = observations({"amount": None, "currency": "CAD", "retail_price": 130.0, "retail_currency": "USD"})
    assert label(seen)[["price", "currency"]].values.tolist() == [[130.0, "USD"]]


def test_unreadable_amount_is_a_problem_with_its_text() -> None:
    seen = observations({"amount": None, "raw_text": "from $100", "problem": "'from $100' is not one amount"})
    history = price_history(seen, RATES)
    assert history["price"].isna().all()
    assert history["problem"].tolist() == ["'from $100' is not one amount"]


def test_product_that_is_no_shoe_is_removed_with_what_its_site_calls_it() -> None:
    cap = {"product_id": "cap", "exclusion": "not footwear: Caps"}
    seen = observations({}, cap, cap | {"label_kind": "list"})
    removed = RemovedListings.validate(excluded_products(seen))
    assert removed[["product_id", "reason", "detail"]].values.tolist() == [["cap", "not_footwear", cap["exclusion"]]]
    assert label(seen)["product_id"].tolist() == ["p"]
    assert set(price_history(seen, RATES)["product_id"]) == {"p"}


def test_table_of_an_earlier_version_is_read_with_the_new_columns() -> None:
    new = observations({"retail_price": 130.0, "currency": "CAD"}, {"site": "farfetch", "currency": "EUR"})
    old = new.drop(columns=["retail_currency", "available", "problem", "exclusion"])
    read = with_added_columns("raw_scrapes", old)
    assert list(read.columns) == list(Observations.to_schema().columns)
    assert read["retail_currency"].fillna("unknown").tolist() == ["USD", "unknown"]
    assert len(append_observations(read, Observations.validate(read))) == 2
