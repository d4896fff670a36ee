import pandas as pd
import pytest

from sneaker_assets.market.fees import Fees
from sneaker_assets.vision.explain.report import prediction_record, report_lines, similar_records
from sneaker_assets.vision.pricing.pricer import PricedPicture

FEES = Fees(commission=0.09, payment=0.03, shipping=4.0)
SIMILAR = pd.DataFrame(
    [
        {"title": "Shoe", "site": "stockx", "product_id": "p", "price": 120.0, "label_kind": "last_sale",
         "similarity": 0.9, "sha256": "0" * 64, "url": "http://stockx.test/p"},
    ]
)  # fmt: skip


def priced(price: float, similar: pd.DataFrame | None = None) -> PricedPicture:
    return PricedPicture(price, price / 2, price * 2, pd.DataFrame() if similar is None else similar)


def test_report_without_retail_price_has_the_price_and_its_interval() -> None:
    assert report_lines(priced(1200.0), None, FEES) == [
        "expected price $1,200",
        "in 9 of 10 cases between $600 and $2,400",
    ]


def test_report_with_retail_price_adds_premium_and_profit() -> None:
    lines = report_lines(priced(300.0), 200.0, FEES)
    assert lines[2:] == [
        "retail price $200, expected premium +50%",
        "expected profit $60 after $40 of selling costs",
    ]


def test_report_states_a_loss_as_a_positive_amount() -> None:
    assert report_lines(priced(100.0), 200.0, FEES)[2:] == [
        "retail price $200, expected premium -50%",
        "expected loss $116 after $16 of selling costs",
    ]


def test_prediction_record_has_costs_premium_and_profit() -> None:
    record = prediction_record(priced(300.0), 200.0, FEES)
    assert record == pytest.approx(
        {"predicted_price": 300, "price_low": 150, "price_high": 600, "premium": 0.5, "selling_costs": 40,
         "net_profit": 60}
    )  # fmt: skip


def test_prediction_record_has_no_premium_and_profit_without_retail_price() -> None:
    record = prediction_record(priced(300.0), None, FEES)
    assert (record["premium"], record["net_profit"]) == (None, None)
    assert record["selling_costs"] == pytest.approx(40)


def test_similar_records_are_plain_values_of_the_public_columns() -> None:
    assert similar_records(priced(100.0, SIMILAR)) == [
        {"title": "Shoe", "site": "stockx", "product_id": "p", "price": 120.0, "label_kind": "last_sale",
         "similarity": 0.9}
    ]  # fmt: skip


def test_similar_records_are_empty_without_similar_shoes() -> None:
    assert similar_records(priced(100.0)) == []
