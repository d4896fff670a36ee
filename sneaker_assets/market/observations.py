"""The history of what was seen, append-only, and the same in US dollars.

Which price is a label is ``labels``'s concern.
"""

import numpy as np
import pandas as pd

from sneaker_assets.market.currency import rates_at
from sneaker_assets.tables import MAX_PRICE, PriceObservations

_SEEN = ["site", "product_id", "observed_at", "label_kind", "size", "amount", "currency"]


def append_observations(history: pd.DataFrame | None, seen: pd.DataFrame) -> pd.DataFrame:
    """The history with what was seen now at its end.

    Args:
        history: ``tables.Observations`` of earlier crawls of the same site, or None before the first.
        seen: ``tables.Observations`` of this crawl.

    Returns:
        ``tables.Observations``; a row that is already there to the letter (an archive read again) is not repeated. A
        product that is seen without its image's address (StockX's API gives none) keeps the one it was last seen with.
    """
    if history is None:
        return seen
    addresses = history[history["image_url"] != ""].drop_duplicates("product_id", keep="last")
    kept = seen["product_id"].map(addresses.set_index("product_id")["image_url"]).fillna("")
    seen = seen.assign(image_url=seen["image_url"].where(seen["image_url"] != "", kept))
    return pd.concat([history, seen], ignore_index=True).drop_duplicates(ignore_index=True)


def price_history(observations: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Every amount that was seen, retail prices among them, in US dollars at the rate of its day.

    Args:
        observations: ``tables.Observations`` of all sites.
        rates: ``tables.FxRates``.

    Returns:
        ``tables.PriceObservations``. An amount that cannot be trusted or converted has no price, and a ``problem`` that
        says why; where no amount was seen both are missing.
    """
    retail = observations[observations["retail_price"].notna()]
    retail = retail.assign(amount=retail["retail_price"], label_kind="retail", size=pd.Series(dtype=object))
    parts = [part[_SEEN] for part in (observations, retail) if len(part)]
    seen = pd.concat(parts, ignore_index=True) if parts else observations[_SEEN]
    history = seen.drop_duplicates(ignore_index=True)
    history = history.join(rates_at(history["currency"], history["observed_at"], rates))
    price = history["amount"] * history["fx_rate"]
    problem = _problems(history, price, set(rates["currency"]))
    columns = list(PriceObservations.to_schema().columns)
    return history.assign(price=price.where(problem.isna()), problem=problem)[columns]


def _problems(history: pd.DataFrame, price: pd.Series, currencies: set[str]) -> pd.Series:
    """Why an amount has no price in US dollars, one line a row; missing where nothing is wrong."""
    amount, currency = history["amount"], history["currency"]
    reasons = [
        (amount.isna(), None),
        (~np.isfinite(amount) | (amount <= 0), "the amount is no positive, finite number"),
        (currency.isna(), "the currency is not known"),
        (
            history["fx_rate"].isna() & ~currency.isin(currencies),
            "there is no rate of " + currency.astype(object).fillna("").astype(str),
        ),
        (history["fx_rate"].isna(), "there is no rate as old as the price"),
        (price > MAX_PRICE, f"more than {MAX_PRICE:,.0f} US dollars is no price of a shoe"),
    ]
    problem = pd.Series(None, index=history.index, dtype=object)
    for holds, reason in reversed(reasons):
        problem = problem.mask(holds, reason)
    return problem
