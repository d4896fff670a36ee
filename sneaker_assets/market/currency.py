"""Conversion of prices to US dollars at the reference rate of the day.

Rates are the European Central Bank's reference rates: units of a currency per euro, published on working days at about
16:00 CET. ``reference_rates.csv`` holds the last publication of each month from January 2014 to October 2026 in the
bank's format, so that the archive and the offline shop need no network; live prices use the complete history.

Source: https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/
"""

import io
import zipfile
from importlib import resources

import pandas as pd

from sneaker_assets import tables
from sneaker_assets.errors import SneakerError

ECB_HISTORY = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip"
DOLLAR, EURO = "USD", "EUR"

_MAX_BYTES = 20_000_000
_TIMEOUT = (10, 30)
_TIME = pd.DatetimeTZDtype("us", "UTC")


class RatesError(SneakerError, ValueError):
    """The reference rates cannot be fetched or parsed; the message says why."""


def bundled_rates() -> pd.DataFrame:
    """Month-end rates that are part of the package (``tables.FxRates``)."""
    return read_rates(resources.files("sneaker_assets.market").joinpath("reference_rates.csv").read_text("utf-8"))


def fetch_rates(url: str = ECB_HISTORY) -> pd.DataFrame:
    """Fetch the complete history of reference rates (``tables.FxRates``).

    Args:
        url: URL of the bank's CSV file, or of a zip file that contains it.

    Raises:
        RatesError: The file cannot be fetched or parsed.
    """
    import requests

    try:
        with requests.get(url, timeout=_TIMEOUT, stream=True) as response:
            response.raise_for_status()
            body = response.raw.read(_MAX_BYTES + 1, decode_content=True)
        if len(body) > _MAX_BYTES:
            raise RatesError(f"{url} is larger than {_MAX_BYTES:,} bytes: it is not the table of reference rates")
        if body.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(body)) as archive, archive.open(archive.namelist()[0]) as file:
                body = file.read(_MAX_BYTES)
        return read_rates(body.decode("utf-8"))
    except (requests.RequestException, OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise RatesError(f"the reference rates of {url} cannot be read: {error}") from error


def read_rates(text: str) -> pd.DataFrame:
    """Parse a CSV file of the bank: a column ``Date``, and one per currency with its units per euro.

    Returns:
        ``tables.FxRates`` of all currencies and the euro except the dollar, sorted by currency and date.

    Raises:
        RatesError: The text is not such a table.
    """
    try:
        per_euro = pd.read_csv(io.StringIO(text), index_col="Date", na_values="N/A").dropna(axis="columns", how="all")
        per_euro.index = pd.to_datetime(per_euro.index, utc=True).astype(_TIME)
        dollars = per_euro.pop(DOLLAR).astype(float)
        rates = (1 / per_euro.astype(float)).mul(dollars, axis="index").assign(**{EURO: dollars})
    except (ValueError, KeyError, TypeError) as error:
        raise RatesError(f"this is not a CSV of reference rates with the columns Date and {DOLLAR}: {error}") from error
    long = rates.rename_axis("date").reset_index().melt("date", var_name="currency", value_name="usd")
    known = long[long["usd"].notna()].sort_values(["currency", "date"], ignore_index=True)
    return known[list(tables.FxRates.to_schema().columns)]


def rates_at(currencies: pd.Series, moments: pd.Series, rates: pd.DataFrame) -> pd.DataFrame:
    """Rate of each currency at a given time: the last one published before.

    Args:
        currencies: ISO 4217 codes; missing if unknown.
        moments: Times (UTC), with the same index.
        rates: ``tables.FxRates``.

    Returns:
        Columns ``fx_rate`` (US dollars per unit) and ``fx_date``, with the same index; both missing without a rate.
        For US dollars they are 1 and the day itself.
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
