"""Parsing of amounts and currency codes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.sites.money import amount, amount_as_written, amount_in_text, currency_code


@pytest.mark.parametrize(("value", "expected"), [(120, 120.0), ("85.5", 85.5), (574.03, 574.03)])
def test_number_is_an_amount(value: object, expected: float) -> None:
    assert amount(value) == expected


@pytest.mark.parametrize(
    "value", [None, 0, "0", 999999, "999999", -5, "n/a", "", math.nan, math.inf, True, [], 10**400]
)
def test_missing_invalid_and_sentinel_values_are_no_amount(value: object) -> None:
    assert amount(value) is None


@pytest.mark.parametrize(
    ("text", "separator", "currency", "expected"),
    [
        ("$1,190.00", ".", "USD", 1190.0),
        ("1 194,18 €", ",", "EUR", 1194.18),
        ("1.190", ",", "EUR", 1190.0),
        ("574.03 ", ".", None, 574.03),
        ("Sold out", ".", "USD", None),
        ("$0", ".", "USD", None),
    ],
)
def test_amount_is_found_in_text(text: str, separator: str, currency: str | None, expected: float | None) -> None:
    assert amount_in_text(text, separator, currency) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1250, 1250.0), ("1250", 1250.0), ("1,190.00", 1190.0), ("$1,190.00", 1190.0), ("999999", None), ("-5", None)],
)
def test_amount_in_structured_data_may_have_separators_and_a_sign(value: object, expected: float | None) -> None:
    assert amount_as_written(value) == expected


def test_currency_code_has_three_letters() -> None:
    assert [currency_code(value) for value in ("usd", "EUR", "$", None, "dollars")] == ["USD", "EUR", None, None, None]


@given(cents=st.integers(1, 99_999_800))
def test_formatted_price_is_parsed_back(cents: int) -> None:
    value = cents / 100
    assert amount_in_text(f"${value:,.2f}") == value
    formatted = f"{value:,.2f} €".translate(str.maketrans(",.", ".,"))
    assert amount_in_text(formatted, ",", "EUR") == value


@given(text=st.text(), separator=st.sampled_from(",."), currency=st.sampled_from(["USD", "EUR", None]))
def test_any_text_is_a_finite_price_or_none(text: str, separator: str, currency: str | None) -> None:
    value = amount_in_text(text, separator, currency)
    assert value is None or (math.isfinite(value) and value > 0)
    assert amount(text) is None or amount(text) == float(text)
