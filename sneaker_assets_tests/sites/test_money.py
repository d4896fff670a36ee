"""Parsing of written amounts and currency codes."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sneaker_assets.sites.money import (
    Amount,
    AmountError,
    Separator,
    amount,
    currency_code,
    is_placeholder,
    parse_amount,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.190,00", 1190.0),
        ("1,190.00", 1190.0),
        ("449,95", 449.95),
        ("449.9", 449.9),
        ("1 234,56", 1234.56),
        ("1\u202f234,56", 1234.56),
        ("1\u00a0234", 1234.0),
        ("1'190.00", 1190.0),
        ("1\u2019190.-", 1190.0),
        ("449,-", 449.0),
        ("1.234.567", 1234567.0),
        ("1,23,456.00", 123456.0),
        ("128000", 128000.0),
        ("574.0300", 574.03),
        ("1234,567", 1234.567),
        ("\uff11\uff12\uff18.\uff15\uff10", 128.5),
        ("\u0664\u0664\u0669\u066b\u0669\u0665", 449.95),
        (" 120 ", 120.0),
    ],
)
def test_text_tells_its_own_separators_apart(text: str, value: float) -> None:
    assert parse_amount(text) == Amount(value)


@pytest.mark.parametrize(
    ("text", "stated", "value", "currency"),
    [
        ("$1,190.00", None, 1190.0, None),
        ("$1,097 ", "USD", 1097.0, "USD"),
        ("$1,097", "CAD", 1097.0, "CAD"),
        ("US$1,097", None, 1097.0, "USD"),
        ("1.190,00 €", None, 1190.0, "EUR"),
        ("EUR 449,95", None, 449.95, "EUR"),
        ("1,097USD", None, 1097.0, "USD"),
        ("CHF 1'190.-", None, 1190.0, "CHF"),
        ("449,- kr.", "DKK", 449.0, "DKK"),
        ("10 000 Ft", None, 10000.0, "HUF"),
        ("12,800円", None, 12800.0, "JPY"),
        ("¥12,800", "CNY", 12800.0, "CNY"),
        ("1 190,00 $ CA", None, 1190.0, "CAD"),
    ],
)
def test_sign_or_code_gives_the_currency_unless_it_is_ambiguous(
    text: str, stated: str | None, value: float, currency: str | None
) -> None:
    assert parse_amount(text, currency=stated) == Amount(value, currency)


@pytest.mark.parametrize(("text", "stated"), [("€449,95", "USD"), ("US$ 90.00", "CAD"), ("£90.00", "EUR")])
def test_sign_that_contradicts_the_stated_currency_leaves_it_unknown(text: str, stated: str) -> None:
    parsed = parse_amount(text, currency=stated)
    assert parsed is not None
    assert parsed.currency is None


@pytest.mark.parametrize(
    ("text", "currency", "separator", "value"),
    [
        ("1.190", "EUR", None, 1190.0),
        ("1,190", "USD", None, 1190.0),
        ("1.190", "DKK", None, 1190.0),
        ("1,190", None, ".", 1190.0),
        ("1.190", None, ".", 1.19),
        ("1.190", None, ",", 1190.0),
    ],
)
def test_ambiguous_separator_is_decided_by_the_site_or_the_currency(
    text: str, currency: str | None, separator: Separator | None, value: float
) -> None:
    assert parse_amount(text, currency=currency, decimal_separator=separator) == Amount(value, currency)


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        ("1.190", None),
        ("1,190", None),
        ("1.190", "USD"),
        ("1,190", "BRL"),
        ("1.190", "KWD"),
        ("Sold out", None),
        ("100 - 200", None),
        ("from $100", None),
        ("$100 $90", None),
        ("-5", None),
        ("(5)", None),
        ("1.2.3", None),
        ("12,34.567.8", None),
        ("1e3", None),
        ("1_000", None),
        ("inf", None),
        ("449\u2079\u2075", None),
        ("$90 EUR", None),
        ("RRP 90", None),
        ("9" * 70, None),
        (-5, None),
        (math.inf, None),
        (True, None),
        ([], None),
        (10**400, None),
    ],
)
def test_unreadable_value_is_an_error_with_its_text(value: object, currency: str | None) -> None:
    with pytest.raises(AmountError) as raised:
        parse_amount(value, currency=currency)
    assert "\n" not in str(raised.value)
    assert not isinstance(value, str) or value[:60] in str(raised.value)
    assert amount(value) is None or currency is not None


@pytest.mark.parametrize(
    "value",
    [
        None,
        math.nan,
        "",
        "  ",
        "n/a",
        "NaN",
        "-",
        "\u2014",
        0,
        "0",
        "$0.00",
        9999,
        "9999.00",
        "9,999",
        99999.99,
        999999,
    ],
)
def test_absent_amount_and_placeholder_are_missing(value: object) -> None:
    assert parse_amount(value, currency="USD") is None
    assert amount(value) is None


def test_nines_are_a_price_in_currencies_of_small_units() -> None:
    assert parse_amount(9999, currency="JPY") == Amount(9999.0, "JPY")
    assert parse_amount("99,999", currency="KRW") == Amount(99999.0, "KRW")
    assert parse_amount(999999, currency="JPY") is None


@pytest.mark.parametrize(("value", "expected"), [(120, 120.0), ("85.5", 85.5), ("$1,097 ", 1097.0), (999.99, 999.99)])
def test_number_or_written_amount_is_an_amount(value: object, expected: float) -> None:
    assert amount(value) == expected


def test_currency_code_has_three_letters() -> None:
    assert [currency_code(value) for value in ("usd", "EUR", "$", None, "dollars")] == ["USD", "EUR", None, None, None]


@given(
    cents=st.integers(1, 99_999_999),
    group=st.sampled_from(["", ",", ".", " ", "\u00a0", "\u202f", "'"]),
    point=st.sampled_from(".,"),
    places=st.sampled_from([1, 2]),
    sign=st.sampled_from(["{}", "${}", "{} €", "EUR {}", "{}kr"]),
)
def test_formatted_price_is_parsed_back(cents: int, group: str, point: str, places: int, sign: str) -> None:
    assume(group != point)
    value = round(cents / 100, places)
    assume(not is_placeholder(value))
    written = f"{value:_.{places}f}".replace(".", "#").replace("_", group).replace("#", point)
    parsed = parse_amount(sign.format(written))
    assert parsed is not None
    assert parsed.value == value


@given(
    text=st.text(max_size=80) | st.text("0123456789.,' $€-", max_size=14),
    currency=st.sampled_from(["USD", "EUR", "JPY", None]),
    separator=st.sampled_from([".", ",", None]),
)
def test_any_text_is_a_positive_finite_price_missing_or_an_error(
    text: str, currency: str | None, separator: Separator | None
) -> None:
    try:
        parsed = parse_amount(text, currency=currency, decimal_separator=separator)
    except AmountError:
        return
    assert parsed is None or (math.isfinite(parsed.value) and parsed.value > 0)
    assert parsed is None or parsed.currency in (currency, None) or currency is None
