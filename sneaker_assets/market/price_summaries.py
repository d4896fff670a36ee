"""One price for several of one product, kind and moment, such as the sales of a day, whatever the order of rows."""

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from sneaker_assets.market.currency import DOLLAR
from sneaker_assets.tables import LabelKind

Summary = Literal["median", "lowest", "highest"]
SUMMARIES: Mapping[LabelKind, Summary] = {
    "average_sale": "median",
    "last_sale": "median",
    "lowest_ask": "lowest",
    "highest_bid": "highest",
    "list": "lowest",
    "sale": "lowest",
    "retail": "median",
    "unknown": "median",
}
"""How several prices of each kind are summarised."""


def summarise_prices(prices: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """One row per value of ``key``, where rows of one value share their kind.

    Several sales become their median, of the kind ``average_sale``. Of several lowest asks, list prices and reduced
    prices the lowest counts, which a buyer would pay, and of several highest bids the highest. Retail prices that
    differ and prices of unknown kind become their median.

    Args:
        prices: Rows of ``tables.PriceObservations`` with a price, one row per price.
        key: Columns that identify a price; missing values are equal.

    Returns:
        The same columns, in the order in which each value of ``key`` occurs first. ``n_prices`` is the number of prices
        summarised. The amount of a median over several currencies or exchange rates is in US dollars.
    """
    prices = prices.reset_index(drop=True)
    several = prices.duplicated(list(key), keep=False)
    if not several.any():
        return prices
    stated = prices[several].assign(row=prices.index[several])
    stated = stated.sort_values(["price", "amount", "currency", "row"], ignore_index=True)
    groups = stated.groupby(list(key), dropna=False, sort=False)
    size, rule = groups["row"].transform("size"), stated["label_kind"].map(SUMMARIES)
    is_median = rule == "median"
    mixed = (groups["currency"].transform("nunique") > 1) | (groups["fx_rate"].transform("nunique") > 1)
    median = groups["price"].transform("median")
    summaries = stated.assign(
        price=stated["price"].mask(is_median, median),
        amount=stated["amount"].mask(is_median, groups["amount"].transform("median").mask(mixed, median)),
        currency=stated["currency"].mask(is_median & mixed, DOLLAR),
        fx_rate=stated["fx_rate"].mask(is_median & mixed, 1.0),
        label_kind=stated["label_kind"].mask(stated["label_kind"] == "last_sale", "average_sale"),
        n_prices=size.astype("Int64"),
        row=groups["row"].transform("min"),
    )
    position = (size // 2).mask(rule == "lowest", 0).mask(rule == "highest", size - 1)
    chosen = summaries[groups.cumcount() == position].set_index("row")[prices.columns]
    return pd.concat([prices[~several], chosen]).sort_index(ignore_index=True)
