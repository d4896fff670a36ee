"""Prices over time: quartiles by site, kind and month, for which no picture is needed."""

import pandas as pd

from sneaker_assets import tables
from sneaker_assets.market.observations import can_be_bought

_SERIES = ["site", "label_kind", "condition"]


def price_trends(prices: pd.DataFrame) -> pd.DataFrame:
    """Quartiles of the prices of each site, kind and condition, over all months and by month.

    Args:
        prices: ``tables.PriceObservations``; prices at which nothing can be bought do not count.

    Returns:
        ``tables.PriceTrends``, sorted, with the rows of all months first.
    """
    priced = prices[prices["price"].notna() & can_be_bought(prices)]
    day = priced["observed_at"].dt.floor("D")
    month = day - pd.to_timedelta(day.dt.day - 1, unit="D")
    by_month = _quartiles(priced.assign(month=month), [*_SERIES, "month"])
    overall = _quartiles(priced, _SERIES).assign(month=pd.Series(dtype=by_month["month"].dtype))
    table = pd.concat([overall, by_month], ignore_index=True).sort_values([*_SERIES, "month"], na_position="first")
    return table[list(tables.PriceTrends.to_schema().columns)].reset_index(drop=True)


def _quartiles(prices: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    product = prices["site"] + "/" + prices["product_id"]
    groups = prices.assign(product=product).groupby(key, dropna=False)
    price = groups["price"]
    quartiles = {name: price.quantile(share) for name, share in (("q1", 0.25), ("median", 0.5), ("q3", 0.75))}
    return pd.DataFrame(
        {"n_prices": price.size(), "n_products": groups["product"].nunique(), **quartiles}
    ).reset_index()
