"""Quartiles of the prices by month."""

from datetime import timedelta

import pandas as pd

from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.observations import price_history
from sneaker_assets.market.price_trends import price_trends
from sneaker_assets.tables import PriceTrends
from sneaker_assets_tests.builders import NOON, observations


def trends(*rows: dict[str, object]) -> pd.DataFrame:
    return PriceTrends.validate(price_trends(price_history(observations(*rows), bundled_rates())))


def test_prices_are_summarised_overall_and_by_month() -> None:
    table = trends(
        {"amount": 100.0, "size": "9"},
        {"amount": 300.0, "size": "10", "n_prices": 2},
        {"amount": 500.0, "product_id": "q", "observed_at": NOON + timedelta(days=10)},
        {"amount": None, "product_id": "r"},
    )
    september, october = (pd.Timestamp(f"2020-{month}-01", tz="UTC") for month in ("09", "10"))
    rows = table[["month", "n_prices", "n_products", "q1", "median", "q3"]].astype(object)
    assert rows.where(rows.notna(), None).values.tolist() == [
        [None, 4, 2, 250.0, 300.0, 350.0],
        [september, 3, 1, 200.0, 300.0, 300.0],
        [october, 1, 1, 500.0, 500.0, 500.0],
    ]


def test_kinds_conditions_and_sites_are_kept_apart() -> None:
    table = trends(
        {"amount": 100.0, "condition": "used"},
        {"amount": 200.0, "condition": "new"},
        {"amount": 300.0},
        {"amount": 400.0, "label_kind": "lowest_ask"},
        {"amount": 500.0, "label_kind": "lowest_ask", "available": False},
        {"amount": 600.0, "site": "goat"},
    )
    overall = table[table["month"].isna()].astype(object)
    found = overall[["site", "label_kind", "condition", "median"]]
    assert found.where(found.notna(), None).values.tolist() == [
        ["goat", "last_sale", None, 600.0],
        ["stockx", "last_sale", None, 300.0],
        ["stockx", "last_sale", "new", 200.0],
        ["stockx", "last_sale", "used", 100.0],
        ["stockx", "lowest_ask", None, 400.0],
    ]


def test_without_prices_there_are_no_trends() -> None:
    assert trends({"amount": None}).empty
