"""US dollars from any currency, by the rate of the day. Which price is a label is ``labels``'s concern.

Rates are the European Central Bank's reference rates: units of a currency for one euro, published on working days about
16:00 CET. ``reference_rates.csv`` holds the last publication of each month from January 2014 to October 2026 in the
bank's own form, so that an archive or the offline shop needs no network; the whole history is fetched for live prices.

Source: https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/
"""

import io
import zipfile
from importlib import resources

import pandas as pd
import requests

from sneaker_assets.errors import SneakerError
from sneaker_assets.tables import FxRates

ECB_HISTORY = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip"
DOLLAR, EURO = "USD", "EUR"

_MOST_BYTES = 20_000_000
_TIMEOUT = (10, 30)
_TIME = pd.DatetimeTZDtype("us", "UTC")


class RatesError(SneakerError, ValueError):
    """The reference rates cannot be fetched or read; the message says why."""


def bundled_rates() -> pd.DataFrame:
    """The month-end rates that come with the project (``tables.FxRates``)."""
    return read_rates(resources.files("sneaker_assets.market").joinpath("reference_rates.csv").read_text("utf-8"))


def fetch_rates(url: str = ECB_HISTORY) -> pd.DataFrame:
    """The bank's whole history (``tables.FxRates``).

    Args:
        url: The bank's CSV, or a zip file that holds it.

    Raises:
        RatesError: it cannot be fetched or read.
    """
    try:
        with requests.get(url, timeout=_TIMEOUT, stream=True) as response:
            response.raise_for_status()
            body = response.raw.read(_MOST_BYTES + 1, decode_content=True)
        if len(body) > _MOST_BYTES:
            raise RatesError(f"{url} is larger than {_MOST_BYTES:,} bytes: it is not the table of reference rates")
        if body.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(body)) as archive, archive.open(archive.namelist()[0]) as file:
                body = file.read(_MOST_BYTES)
        return read_rates(body.decode("utf-8"))
    except (requests.RequestException, OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise RatesError(f"the reference rates of {url} cannot be read: {error}") from error


def read_rates(text: str) -> pd.DataFrame:
    """The rates in a CSV of the bank: a column ``Date``, and one a currency with its units for one euro.

    Returns:
        ``tables.FxRates`` of all its currencies and the euro, but not of the dollar itself, by currency and date.

    Raises:
        RatesError: it holds no such table.
    """
    try:
        per_euro = pd.read_csv(io.StringIO(text), index_col="Date", na_values="N/A").dropna(axis="columns", how="all")
        per_euro.index = pd.to_datetime(per_euro.index, utc=True).astype(_TIME)
        dollars = per_euro.pop(DOLLAR).astype(float)
        rates = (1 / per_euro.astype(float)).mul(dollars, axis="index").assign(**{EURO: dollars})
    except (ValueError, KeyError, TypeError) as error:
        raise RatesError(f"this is no CSV of reference rates with Date and {DOLLAR}: {error}") from error
    long = rates.rename_axis("date").reset_index().melt("date", var_name="currency", value_name="usd")
    known = long[long["usd"].notna()].sort_values(["currency", "date"], ignore_index=True)
    return known[list(FxRates.to_schema().columns)]


def rates_at(currencies: pd.Series, moments: pd.Series, rates: pd.DataFrame) -> pd.DataFrame:
    """The rate of each currency at each moment: the latest published by then.

    Args:
        currencies: ISO 4217 codes; missing where none is known.
        moments: When each price was seen, UTC; of the same index.
        rates: ``tables.FxRates``.

    Returns:
        ``fx_rate`` (US dollars for one unit) and ``fx_date`` of the same index; both missing where there is no rate.
        The dollar's is 1, of the very day.
    """
    wanted = pd.DataFrame({"currency": currencies, "moment": moments.astype(_TIME), "position": range(len(moments))})
    published = rates[["currency", "date", "usd"]].astype({"date": _TIME, "currency": wanted["currency"].dtype})
    found = pd.merge_asof(
        wanted.sort_values("moment"),
        published.sort_values("date"),
        left_on="moment",
        right_on="date",
        by="currency",
    ).sort_values("position")
    found.index = currencies.index
    dollars = currencies == DOLLAR
    return pd.DataFrame(
        {
            "fx_rate": found["usd"].mask(dollars, 1.0),
            "fx_date": found["date"].mask(dollars, wanted["moment"].dt.floor("D")).astype(_TIME),
        }
    )
