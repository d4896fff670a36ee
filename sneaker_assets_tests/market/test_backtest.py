from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from sneaker_assets.market.backtest import dated_shoes, pair_predictions, residual_drift, score_backtest
from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.fees import Fees, fees_at, net_profit
from sneaker_assets.market.observations import known_products, price_history
from sneaker_assets.tables import Backtest
from sneaker_assets_tests.builders import NOON, listings, observations

RATES = bundled_rates()


def days(number: float) -> timedelta:
    return timedelta(days=number)


def predictions(*rows: dict[str, Any]) -> pd.DataFrame:
    """The relevant columns of ``tables.ReleasePredictions``."""
    defaults = {
        "release": "stockx--p", "site": "stockx", "product_id": "p", "title": "Shoe", "model": "models/x",
        "predicted_at": NOON, "observed_at": NOON, "predicted_price": 200.0, "price_low": 150.0, "price_high": 300.0,
    }  # fmt: skip
    return pd.DataFrame([defaults | row for row in rows])


def prices(*rows: dict[str, Any]) -> pd.DataFrame:
    return price_history(observations(*rows), RATES)


def test_prediction_is_paired_with_the_first_later_price() -> None:
    seen = prices(
        {"amount": 250.0, "observed_at": NOON + days(20)},
        {"amount": 400.0, "observed_at": NOON + days(40)},
        {"amount": 90.0, "observed_at": NOON + days(10), "label_kind": "retail"},
        {"amount": 95.0, "observed_at": NOON + days(11), "size": "9"},
    )
    paired = Backtest.validate(pair_predictions(predictions({}, {"product_id": "unsold"}), seen))
    assert paired[["price", "horizon", "covered"]].values.tolist() == [[250.0, 20.0, True]]


def test_paid_price_is_preferred_over_asked_price_of_the_same_time() -> None:
    later = NOON + days(3)
    seen = prices(
        {"amount": 500.0, "observed_at": later, "label_kind": "lowest_ask"},
        {"amount": 320.0, "observed_at": later, "label_kind": "average_sale"},
    )
    paired = pair_predictions(predictions({}), seen)
    assert paired[["price", "label_kind", "covered"]].values.tolist() == [[320.0, "average_sale", False]]


def test_shoe_with_an_earlier_price_is_excluded() -> None:
    seen = prices({"amount": 210.0, "observed_at": NOON - days(1)}, {"amount": 250.0, "observed_at": NOON + days(9)})
    assert Backtest.validate(pair_predictions(predictions({}), seen)).empty


def test_scores_are_grouped_by_horizon_site_and_price() -> None:
    seen = prices(
        {"product_id": "a", "amount": 100.0, "observed_at": NOON + days(5)},
        {"product_id": "b", "amount": 400.0, "observed_at": NOON + days(20)},
        {"product_id": "c", "site": "farfetch", "amount": 200.0, "observed_at": NOON + days(90)},
    )
    asked = predictions({"product_id": "a"}, {"product_id": "b"}, {"product_id": "c", "site": "farfetch"})
    scores = score_backtest(pair_predictions(asked, seen)).set_index(["group", "member"])
    assert scores[["n", "mae", "median_ape"]].values.tolist()[0] == [3, 100.0, 50.0]
    assert scores.loc[("all", "all"), "coverage"] == pytest.approx(1 / 3)
    assert scores.loc[("horizon", "up to 7 days"), "bias"] == 100.0
    assert scores.loc[("horizon", "15 to 21 days"), "bias"] == -50.0
    assert scores.loc[("horizon", "later"), "mae"] == 0.0
    assert set(scores.loc["site"].index) == {"stockx", "farfetch"}
    assert set(scores.loc["price"].index) == {"100-200", "200-400", "400-800"}
    assert score_backtest(pair_predictions(asked, seen).head(0)).empty


def test_drift_is_detected_when_predictions_become_worse() -> None:
    def paired(off: list[float]) -> pd.DataFrame:
        rows = [{"product_id": str(i)} for i in range(len(off))]
        seen = [
            {"product_id": str(i), "amount": 200 * factor, "observed_at": NOON + days(1 + i)}
            for i, factor in enumerate(off)
        ]
        return pair_predictions(predictions(*rows), prices(*seen))

    same = [0.9, 1.0, 1.1, 1.2] * 10
    assert residual_drift(paired(same))[1] > 0.5
    assert residual_drift(paired(same[:20] + [2 * factor for factor in same[20:]]))[1] < 0.001
    assert residual_drift(paired([1.0])) == (0.0, 1.0)


def test_shoes_are_dated_by_release_and_first_price() -> None:
    table = listings([100.0, 200.0, 300.0])
    released = pd.Series([NOON + days(10), NOON, NOON - days(400)]).astype("datetime64[us, UTC]")
    table = table.assign(release_date=released.mask(released == NOON))
    seen = prices(
        {"product_id": "p0", "observed_at": NOON + days(30)},
        {"product_id": "p0", "observed_at": NOON + days(12)},
        {"product_id": "p1", "observed_at": NOON},
        {"product_id": "p2", "observed_at": NOON, "label_kind": "retail"},
    )
    shoes = dated_shoes(table, seen, lead_days=14).set_index("product_id")
    assert shoes.index.tolist() == ["p0", "p1"]
    assert shoes["known_at"].tolist() == [NOON + days(12), NOON]
    assert shoes.loc["p0", "asked_at"] == NOON - days(4)
    assert shoes["asked_at"].isna().tolist() == [False, True]


def test_net_profit_subtracts_fees_shipping_and_retail_price() -> None:
    fees = Fees(commission=0.1, payment=0.03, shipping=5.0)
    assert fees.of(200.0) == pytest.approx(31.0)
    assert net_profit(200.0, 120.0, fees) == pytest.approx(49.0)
    assert net_profit(200.0, 180.0, fees) == pytest.approx(-11.0)
    assert fees_at("stockx", {"stockx": fees}) is fees
    assert fees_at("elsewhere", {"stockx": fees}) == Fees()


def test_sales_by_size_count_only_without_another_price() -> None:
    day = NOON + days(9)
    sized = [{"amount": amount, "size": size, "observed_at": day} for size, amount in (("9", 200.0), ("10", 300.0))]
    paired = Backtest.validate(pair_predictions(predictions({}), prices(*sized)))
    assert paired[["price", "label_kind", "horizon"]].values.tolist() == [[250.0, "average_sale", 9.0]]
    other = {"amount": 260.0, "observed_at": NOON + days(20)}
    assert pair_predictions(predictions({}), prices(*sized, other))["price"].tolist() == [260.0]


def test_used_shoes_are_not_compared() -> None:
    used = {"amount": 90.0, "condition": "used", "observed_at": NOON + days(2)}
    new = {"amount": 240.0, "condition": "new", "observed_at": NOON + days(8)}
    assert pair_predictions(predictions({}), prices(used)).empty
    assert pair_predictions(predictions({}), prices(used, new))["price"].tolist() == [240.0]


def same_code(*rows: dict[str, Any], asked: str | None = "CW2288-111") -> pd.DataFrame:
    """Back-test of one prediction, of which sales at another site have the style code ``315122-111/CW2288-111``."""
    seen = observations(
        *({"site": "goat", "product_id": "g", "style_code": "315122-111/CW2288-111"} | row for row in rows)
    )
    return Backtest.validate(
        pair_predictions(predictions({"style_code": asked}), price_history(seen, RATES), known_products(seen))
    )


def test_prediction_is_paired_with_the_same_style_code_at_another_site() -> None:
    sale = {"amount": 250.0, "size": "9", "observed_at": NOON + days(20)}
    paired = same_code(sale)
    assert paired[["site", "price_site", "price", "horizon"]].values.tolist() == [["stockx", "goat", 250.0, 20.0]]
    assert same_code(sale, asked="CW2288-112").empty
    assert same_code(sale, asked=None).empty


def test_own_price_is_preferred_over_that_of_another_site() -> None:
    paired = same_code(
        {"amount": 250.0, "observed_at": NOON + days(2)},
        {"site": "stockx", "product_id": "p", "amount": 270.0, "observed_at": NOON + days(9)},
    )
    assert paired[["price_site", "price"]].values.tolist() == [["stockx", 270.0]]


def test_shoe_with_an_earlier_price_at_another_site_is_excluded() -> None:
    rows = [{"amount": 250.0, "observed_at": NOON + days(day)} for day in (-3, 3)]
    assert same_code(*rows).empty
