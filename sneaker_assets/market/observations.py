"""Append-only history of observations, and its prices in US dollars."""

from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from sneaker_assets import tables
from sneaker_assets.market.currency import rates_at
from sneaker_assets.tables import MAX_PRICE

_PRODUCT = ["site", "product_id"]
_STATED = ["title", "brand", "style_code", "colourway", "release_date"]
_PRICE = ["label_kind", "size", "size_system", "condition", "amount", "currency", "available", "problem", "n_prices"]
_OBSERVED = ["site", "product_id", "observed_at", *_PRICE]
_MOMENT = ["site", "product_id", "observed_at", "label_kind", "size", "size_system", "condition", "available"]


ARCHIVE = "archive"
"""Page format of the rows of an archive."""


def append_observations(history: pd.DataFrame | None, seen: pd.DataFrame) -> pd.DataFrame:
    """Append the observations of a crawl to the history of a site.

    Args:
        history: ``tables.Observations`` of earlier crawls of the same site, None before the first.
        seen: ``tables.Observations`` of the crawl.

    Returns:
        ``tables.Observations`` without duplicate rows, which an archive that is read again gives. A product observed
        without an image URL, as through StockX's API, keeps its last known one.
    """
    if history is None:
        return seen
    history = _with_whole_names(history)
    image_urls = history[history["image_url"] != ""].drop_duplicates("product_id", keep="last")
    kept = seen["product_id"].map(image_urls.set_index("product_id")["image_url"]).fillna("")
    seen = seen.assign(image_url=seen["image_url"].where(seen["image_url"] != "", kept))
    return pd.concat([history, seen], ignore_index=True).drop_duplicates(ignore_index=True)


def unreadable_share(observations: pd.DataFrame) -> float:
    """Share of written amounts that cannot be read; 0 without any. Placeholders for a missing price do not count.

    Args:
        observations: ``tables.Observations``.
    """
    times = observations["n_prices"].fillna(1)
    unreadable = observations["problem"].notna()
    written = int(times[unreadable | observations["amount"].notna()].sum())
    return float(times[unreadable].sum()) / written if written else 0.0


def _with_whole_names(history: pd.DataFrame) -> pd.DataFrame:
    """History in which products of an archive are identified by the whole name of their image.

    Earlier versions used its stem, which images of different folders or formats can share.
    """
    named = (history["generation"] == ARCHIVE) & (history["image_url"] != "")
    return history.assign(product_id=history["product_id"].mask(named, history["image_url"]))


def with_whole_names(listings: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """Listings of an earlier version, in which products of an archive are identified as in the current history.

    Args:
        listings: Columns ``site`` and ``product_id``.
        observations: ``tables.Observations`` of all sites.
    """
    named = observations.loc[observations["generation"] == ARCHIVE, ["site", "product_id"]].drop_duplicates()
    stems = [PurePosixPath(name).stem for name in named["product_id"]]
    whole_names = dict(zip(zip(named["site"], stems, strict=True), named["product_id"], strict=True))
    products = zip(listings["site"], listings["product_id"], strict=True)
    return listings.assign(product_id=[whole_names.get((site, name), name) for site, name in products])


def known_products(observations: pd.DataFrame) -> pd.DataFrame:
    """One row per product, shoes only: what was last stated about it, and when it was first observed.

    Args:
        observations: ``tables.Observations`` of all sites.

    Returns:
        ``site``, ``product_id``, ``title``, ``brand``, ``style_code``, ``colourway``, ``release_date`` and
        ``first_observed`` (UTC), sorted by site and product. A value that the last page lacked is an earlier one.
    """
    shoes = observations.loc[observations["exclusion"].isna(), [*_PRODUCT, *_STATED, "observed_at"]]
    by_product = shoes.sort_values("observed_at", kind="stable").groupby(_PRODUCT)
    return by_product[_STATED].last().assign(first_observed=by_product["observed_at"].min()).reset_index()


def price_history(observations: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Convert all observed amounts, including retail prices, to US dollars at the rate of the day.

    Args:
        observations: ``tables.Observations`` of all sites.
        rates: ``tables.FxRates``.

    Returns:
        ``tables.PriceObservations`` of shoes, one row per price. An amount that cannot be read, is implausible or
        cannot be converted has no price but a ``problem``; without an amount both are missing.
    """
    shoes = observations[observations["exclusion"].isna()]
    retail = shoes[shoes["retail_price"].notna()]
    retail = retail.assign(
        amount=retail["retail_price"],
        currency=retail["retail_currency"],
        label_kind="retail",
        size=pd.Series(dtype=object),
        size_system=pd.Series(dtype=object),
        condition=pd.Series(dtype=object),
        available=pd.Series(pd.NA, index=retail.index, dtype="boolean"),
        problem=pd.Series(dtype=object),
        n_prices=pd.Series(pd.NA, index=retail.index, dtype="Int64"),
    )
    parts = [part[_OBSERVED] for part in (shoes, retail) if len(part)]
    seen = pd.concat(parts, ignore_index=True) if parts else shoes[_OBSERVED]
    history = seen.drop_duplicates()
    history = history.loc[history.index.repeat(history["n_prices"].fillna(1).astype(int))].reset_index(drop=True)
    history = history.join(rates_at(history["currency"], history["observed_at"], rates))
    price = history["amount"] * history["fx_rate"]
    problem = _problems(history, price, set(rates["currency"]))
    history = history.assign(price=price.where(problem.isna()), problem=problem)
    n_prices = history.groupby(_MOMENT, dropna=False)["price"].transform("count").astype("Int64")
    columns = list(tables.PriceObservations.to_schema().columns)
    return history.assign(n_prices=n_prices.mask(history["price"].isna()))[columns]


def can_be_bought(prices: pd.DataFrame) -> pd.Series:
    """False for prices at which the site states that the product cannot be bought.

    Args:
        prices: ``tables.PriceObservations``, or those of a version without the column ``available``.
    """
    if "available" not in prices:
        return pd.Series(True, index=prices.index)
    return prices["available"].astype("boolean").fillna(True).astype(bool)


def worn_rank(prices: pd.DataFrame) -> pd.Series:
    """0 for prices of new shoes and those of unstated condition, 1 with defects, 2 used.

    Args:
        prices: A table with the column ``condition``.
    """
    return prices["condition"].astype(object).map({"defects": 1, "used": 2}).fillna(0).astype(int)


def is_worn(prices: pd.DataFrame) -> pd.Series:
    """Whether the shoe on offer is used or has defects.

    Args:
        prices: A table with the column ``condition``.
    """
    return worn_rank(prices) > 0


def _problems(history: pd.DataFrame, price: pd.Series, currencies: set[str]) -> pd.Series:
    """One-line reason why an amount has no price in US dollars; missing if there is none."""
    amount, currency = history["amount"], history["currency"]
    reasons = [
        (history["problem"].notna(), history["problem"]),
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
