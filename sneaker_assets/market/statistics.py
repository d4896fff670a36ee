"""Summary statistics of prices, before and after cleaning."""

import pandas as pd

from sneaker_assets import tables


def summarise_prices(listings: pd.DataFrame, clean_listings: pd.DataFrame) -> pd.DataFrame:
    """Summary statistics of prices before and after cleaning, over all sites and per site.

    Args:
        listings: ``tables.Listings``.
        clean_listings: ``tables.CleanListings``.

    Returns:
        ``tables.PriceStatistics``; sites without prices have no row.
    """
    rows = []
    for population, table in (("raw", listings), ("clean", clean_listings)):
        priced = table[table["price"].notna()]
        rows.append(_summary(population, "all", priced["price"]))
        rows.extend(_summary(population, str(site), prices) for site, prices in priced.groupby("site")["price"])
    return pd.DataFrame(rows, columns=list(tables.PriceStatistics.to_schema().columns))


def _summary(population: str, site: str, prices: pd.Series) -> dict[str, object]:
    minimum, q1, median, q3, maximum = prices.quantile([0, 0.25, 0.5, 0.75, 1])
    return {
        "population": population,
        "site": site,
        "n": len(prices),
        "minimum": minimum,
        "q1": q1,
        "median": median,
        "q3": q3,
        "maximum": maximum,
        "mean": prices.mean(),
        "deviation": prices.std(),
        "skewness": prices.skew(),
    }
