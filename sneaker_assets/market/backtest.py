"""Backtest of price predictions against resale prices observed later: pairing, scores by group, and residual drift.

Predicting prices is the concern of ``vision``.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from sneaker_assets import tables
from sneaker_assets.market.bands import band_of
from sneaker_assets.market.drift import distribution_distance
from sneaker_assets.market.labels import LABEL_ORDER, PRODUCT
from sneaker_assets.market.observations import can_be_bought, is_worn
from sneaker_assets.market.price_summaries import summarise_prices
from sneaker_assets.market.style_codes import joining_codes, product_codes

_HORIZONS = {"up to 7 days": 7, "8 to 14 days": 14, "15 to 21 days": 21, "22 to 30 days": 30, "later": np.inf}
_RESALE = [kind for kind in LABEL_ORDER if kind != "retail"]


def pair_predictions(
    predictions: pd.DataFrame, prices: pd.DataFrame, products: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Pair each prediction with the first resale price observed after it.

    It is the price of the product itself or, where that has none, of products with its style code. Prices of used shoes
    do not count, and prices by size only for a product without others, over all sizes. A shoe whose first
    price is older than its prediction is excluded, since the model may have been trained on it.

    Args:
        predictions: ``tables.ReleasePredictions``.
        prices: ``tables.PriceObservations``.
        products: ``site``, ``product_id``, ``title`` and ``style_code`` of the products of all sites; without them only
            a product's own prices count.

    Returns:
        ``tables.Backtest``; shoes without a later resale price have no row.
    """
    resale = _resale_prices(prices)
    rows = predictions.drop(columns="observed_at").reset_index(drop=True).rename_axis("prediction").reset_index()
    links = rows[["prediction", *PRODUCT]]
    own = links.merge(resale, on=PRODUCT, how="inner", validate="many_to_many")
    others = (
        links.head(0)
        if products is None
        else _same_style_code(rows[~rows["prediction"].isin(own["prediction"])], products)
    )
    elsewhere = others.merge(resale, on=PRODUCT, how="inner", validate="many_to_many")
    found = pd.concat([part for part in (own, elsewhere) if len(part)] or [own], ignore_index=True)
    first = _first_prices(found.rename(columns={"site": "price_site"}))
    paired = rows.merge(
        first[["prediction", "observed_at", "price", "label_kind", "price_site"]],
        on="prediction",
        how="inner",
        validate="one_to_one",
    )
    return add_coverage(paired[paired["observed_at"] > paired["predicted_at"]])


def _resale_prices(prices: pd.DataFrame) -> pd.DataFrame:
    """Resale prices of new shoes; those by size only of products without others."""
    counted = prices["price"].notna() & prices["label_kind"].isin(_RESALE) & can_be_bought(prices) & ~is_worn(prices)
    resale = prices[counted]
    general = resale["size"].isna()
    known = general.groupby([resale[column] for column in PRODUCT]).transform("any")
    return resale[general | ~known]


def _same_style_code(rows: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Products with a style code of each prediction: ``prediction``, ``site`` and ``product_id``."""
    if "style_code" not in rows:
        return rows.head(0)[["prediction", *PRODUCT]]
    known = joining_codes(products)[[*PRODUCT, "code"]]
    asked = product_codes(rows).join(rows["prediction"])[["prediction", "code"]]
    return asked.merge(known, on="code", how="inner")[["prediction", *PRODUCT]].drop_duplicates()


def _first_prices(found: pd.DataFrame) -> pd.DataFrame:
    """First price of each ``prediction``; of several kinds at one moment the preferred one."""
    order = found["label_kind"].map({kind: i for i, kind in enumerate(_RESALE)})
    ranked = found.assign(order=order).sort_values(["observed_at", "order"], kind="stable")
    best = ranked.drop_duplicates("prediction")[["prediction", "observed_at", "order"]]
    return summarise_prices(ranked.merge(best, validate="many_to_one"), ["prediction"])


def add_coverage(paired: pd.DataFrame, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Add the horizon and the coverage of each prediction.

    Args:
        paired: Predictions with the price and the time at which it was observed.
        columns: Further columns to keep.

    Returns:
        Columns of ``tables.Backtest``, including ``horizon`` (days) and ``covered`` (price inside the interval), and
        ``columns``.
    """
    inside = (paired["price"] >= paired["price_low"]) & (paired["price"] <= paired["price_high"])
    days = (paired["observed_at"] - paired["predicted_at"]).dt.total_seconds() / 86_400
    kept = [*tables.Backtest.to_schema().columns, *columns]
    sites = paired["price_site"] if "price_site" in paired else paired["site"]
    return paired.assign(horizon=days, covered=inside, price_site=sites)[kept].reset_index(drop=True)


def score_backtest(paired: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of the predictions: overall, by horizon, by site and by price band.

    Args:
        paired: ``tables.Backtest``.

    Returns:
        Columns ``group``, ``member``, ``n``, ``mae`` (mean absolute error, US dollars), ``median_ape`` (median absolute
        percentage error), ``bias`` (median percentage error) and ``coverage`` (share of prices inside the 90 %
        interval).
    """
    groups = {
        "all": pd.Series("all", paired.index),
        "horizon": horizon_band(paired["horizon"]),
        "site": paired["site"],
        "price": paired["price"].map(band_of),
    }
    columns = ["group", "member", "n", "mae", "median_ape", "bias", "coverage"]
    rows = [row for group, member in groups.items() for row in _scores(paired, group, member)]
    return pd.DataFrame(rows, columns=columns)


def _scores(paired: pd.DataFrame, group: str, member: pd.Series) -> Iterator[dict[str, object]]:
    error = paired["predicted_price"] - paired["price"]
    percentage = 100 * error / paired["price"]
    for name, rows in paired.groupby(member, observed=True):
        yield {
            "group": group,
            "member": str(name),
            "n": len(rows),
            "mae": float(error[rows.index].abs().mean()),
            "median_ape": float(percentage[rows.index].abs().median()),
            "bias": float(percentage[rows.index].median()),
            "coverage": float(rows["covered"].mean()),
        }


def horizon_band(days: pd.Series) -> pd.Series:
    """Band of each horizon (days), as an ordered categorical."""
    return pd.cut(days, [-np.inf, *_HORIZONS.values()], labels=list(_HORIZONS))


def residual_drift(paired: pd.DataFrame) -> tuple[float, float]:
    """Two-sample Kolmogorov-Smirnov test of the earlier against the later half of the residuals.

    Residuals are log ratios of true to predicted price, ordered by the time at which the true price was observed.

    Args:
        paired: ``tables.Backtest``.

    Returns:
        Statistic (0 to 1) and p-value; 0 and 1 for fewer than two rows.
    """
    if len(paired) < 2:
        return 0.0, 1.0
    rows = paired.sort_values("observed_at", kind="stable")
    residuals = (rows["price"] / rows["predicted_price"].clip(lower=1.0)).map(math.log)
    half = len(rows) // 2
    return distribution_distance(residuals.iloc[:half], residuals.iloc[half:])


def dated_shoes(listings: pd.DataFrame, prices: pd.DataFrame, lead_days: float) -> pd.DataFrame:
    """Listings of the lake with the time of a simulated prediction and the time at which the price became known.

    Args:
        listings: ``tables.Listings``.
        prices: ``tables.PriceObservations``.
        lead_days: Days before its release at which a shoe is predicted.

    Returns:
        One row per priced listing: ``release``, ``site``, ``product_id``, ``sha256``, ``price`` (US dollars),
        ``label_kind``, ``asked_at`` (missing without a release date) and ``known_at``, the time of the first resale
        price.
    """
    resale = _resale_prices(prices)
    first = resale.groupby(PRODUCT, as_index=False).agg(known_at=("observed_at", "min"))
    learned = listings["price"].notna() & ~is_worn(listings)
    shoes = listings[learned].merge(first, on=PRODUCT, how="inner", validate="one_to_one")
    asked_at = shoes["release_date"] - pd.Timedelta(days=lead_days)
    release = shoes["site"] + "--" + shoes["product_id"]
    columns = ["release", *PRODUCT, "sha256", "price", "label_kind", "asked_at", "known_at"]
    return shoes.assign(release=release, asked_at=asked_at.where(asked_at < shoes["known_at"]))[columns]
