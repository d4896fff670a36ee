"""Reference rates: fetching, parsing and conversion."""

import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sneaker_assets.market.currency import RatesError, bundled_rates, fetch_rates, rates_at, read_rates
from sneaker_assets.market.observations import price_history
from sneaker_assets.tables import FxRates, PriceObservations
from sneaker_assets_tests.builders import NOON, observations

CSV = "Date,USD,GBP,CYP,\n2020-09-25,1.1634,0.91235,N/A,\n2020-09-24,1.1645,N/A,N/A,\n"
RATES = bundled_rates()


@contextmanager
def server(body: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/eurofxref-hist.zip"
        finally:
            http.shutdown()


def zipped(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("eurofxref-hist.csv", text)
    return file.getvalue()


def test_bundled_rates_match_published_ones() -> None:
    FxRates.validate(RATES)
    september = RATES[RATES["date"] == pd.Timestamp("2020-09-30", tz="UTC")].set_index("currency")["usd"]
    assert september["EUR"] == 1.1708
    assert september["CAD"] == pytest.approx(1.1708 / 1.5676)


@pytest.mark.parametrize("body", [CSV.encode(), zipped(CSV)], ids=["csv", "zip"])
def test_csv_and_zip_of_the_bank_are_fetched(body: bytes) -> None:
    with server(body) as url:
        rates = FxRates.validate(fetch_rates(url))
    assert rates[["currency", "usd"]].round(4).values.tolist() == [["EUR", 1.1645], ["EUR", 1.1634], ["GBP", 1.2752]]


@pytest.mark.parametrize(
    ("body", "status"), [(b"gone", 503), (b"PK but no zip", 200), (b"<html></html>", 200), (b"\xe9", 200), (b"", 200)]
)
def test_response_without_rates_is_an_error(body: bytes, status: int) -> None:
    with server(body, status) as url, pytest.raises(RatesError):
        fetch_rates(url)


def test_text_instead_of_a_rate_is_an_error() -> None:
    with pytest.raises(RatesError, match="this is not a CSV of reference rates"):
        read_rates("Date,USD,GBP\n2020-09-25,much,0.9\n")


def test_weekend_uses_the_rate_of_friday() -> None:
    sunday = pd.Series([pd.Timestamp("2020-09-27 15:00", tz="UTC")])
    found = rates_at(pd.Series(["GBP"]), sunday, read_rates(CSV)).iloc[0]
    assert found["fx_rate"] == pytest.approx(1.1634 / 0.91235)
    assert found["fx_date"] == pd.Timestamp("2020-09-25", tz="UTC")


def test_amount_that_cannot_be_converted_has_a_problem() -> None:
    history = price_history(
        observations(
            {"amount": 100.0},
            {"amount": None},
            {"amount": 100.0, "currency": None},
            {"amount": 100.0, "currency": "XTS"},
            {"amount": float("inf")},
            {"amount": 2e7},
            {"amount": 1e6},
            {"amount": 100.0, "currency": "EUR", "observed_at": NOON - timedelta(days=9000)},
        ),
        RATES,
    )
    PriceObservations.validate(history)
    assert history["problem"].where(history["problem"].notna(), None).tolist() == [
        None,
        None,
        "the currency is not known",
        "there is no rate of XTS",
        "the amount is no positive, finite number",
        "more than 10,000,000 US dollars is no price of a shoe",
        None,
        "there is no rate as old as the price",
    ]
    assert history["price"].dropna().tolist() == [100.0, 1e6]


def test_price_divided_by_the_rate_is_the_amount() -> None:
    history = price_history(observations({"amount": 129.99, "currency": "GBP"}), RATES)
    assert (history["price"] / history["fx_rate"]).tolist() == pytest.approx([129.99])


def test_negative_amount_has_a_problem() -> None:
    seen = observations({}).assign(amount=-5.0)
    assert price_history(seen, RATES)["problem"].tolist() == ["the amount is no positive, finite number"]


def test_retail_price_is_in_the_history_once() -> None:
    history = price_history(observations({"retail_price": 80.0}, {"retail_price": 80.0, "label_kind": "list"}), RATES)
    assert sorted(history["label_kind"]) == ["last_sale", "list", "retail"]


moments = st.datetimes(datetime(2014, 2, 1), datetime(2026, 10, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(deadline=None, max_examples=30)
@given(
    amount=st.floats(0.01, 1e5),
    pair=st.tuples(*[st.sampled_from([*sorted(set(RATES["currency"])), "USD"])] * 2),
    moment=moments,
)
def test_conversion_round_trips(amount: float, pair: tuple[str, str], moment: datetime) -> None:
    here, there = rates_at(pd.Series(pair), pd.Series([pd.Timestamp(moment)] * 2), RATES)["fx_rate"]
    abroad = amount * here / there
    assert abroad * there / here == pytest.approx(amount)
