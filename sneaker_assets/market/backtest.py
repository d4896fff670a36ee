"""Predictions beside what happened: paired, scored by group, and asked whether they have grown worse.

Which price a model gives is ``vision``'s concern; here are only its predictions and the prices seen afterwards.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from sneaker_assets.market.bands import band_of
from sneaker_assets.market.drift import distribution_distance
from sneaker_assets.market.labels import LABEL_ORDER, PRODUCT
from sneaker_assets.tables import Backtest

_HORIZONS = {"up to 7 days": 7, "8 to 14 days": 14, "15 to 21 days": 21, "22 to 30 days": 30, "later": np.inf}
_RESALE = [kind for kind in LABEL_ORDER if kind != "retail"]


def pair_predictions(predictions: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    """Each prediction beside the first resale price that was seen after it.

    A shoe that already had a price when it was predicted is left out: the model may have learned that price.

    Args:
        predictions: ``tables.ReleasePredictions``.
        prices: ``tables.PriceObservations``.

    Returns:
        ``tables.Backtest``; a shoe without a resale price yet has no row.
    """
    resale = prices[prices["price"].notna() & prices["size"].isna() & prices["label_kind"].isin(_RESALE)]
    # Of the prices of one moment the kind that labels prefer comes first.
    order = resale["label_kind"].map({kind: i for i, kind in enumerate(_RESALE)})
    first = resale.assign(order=order).sort_values(["observed_at", "order"]).drop_duplicates(PRODUCT)
    paired = predictions.drop(columns="observed_at").merge(
        first[[*PRODUCT, "observed_at", "price", "label_kind"]], on=PRODUCT, how="inner"
    )
    return with_coverage(paired[paired["observed_at"] > paired["predicted_at"]])


def with_coverage(paired: pd.DataFrame, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Paired rows with horizon (days) and coverage, in the columns of ``tables.Backtest`` and these further ones."""
    inside = (paired["price"] >= paired["price_low"]) & (paired["price"] <= paired["price_high"])
    days = (paired["observed_at"] - paired["predicted_at"]).dt.total_seconds() / 86_400
    kept = [*Backtest.to_schema().columns, *columns]
    return paired.assign(horizon=days, covered=inside)[kept].reset_index(drop=True)


def score_backtest(paired: pd.DataFrame) -> pd.DataFrame:
    """How good the predictions were: overall, by horizon, by site and by band of the true price.

    Args:
        paired: ``tables.Backtest``.

    Returns:
        Columns ``group`` and ``member``, ``n``, ``mae`` (US dollars), ``median_ape`` (%), ``bias`` (median of predicted
        over true price, minus 1, in %) and ``coverage`` (share inside the 90 % interval).
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
    off = paired["predicted_price"] - paired["price"]
    share = 100 * off / paired["price"]
    for name, rows in paired.groupby(member, observed=True):
        yield {
            "group": group,
            "member": str(name),
            "n": len(rows),
            "mae": float(off[rows.index].abs().mean()),
            "median_ape": float(share[rows.index].abs().median()),
            "bias": float(share[rows.index].median()),
            "coverage": float(rows["covered"].mean()),
        }


def horizon_band(days: pd.Series) -> pd.Series:
    """The band that a horizon (days) lies in, ordered."""
    return pd.cut(days, [-np.inf, *_HORIZONS.values()], labels=list(_HORIZONS))


def residual_drift(paired: pd.DataFrame) -> tuple[float, float]:
    """Whether later residuals are distributed as earlier ones: Kolmogorov-Smirnov statistic and p-value.

    Residuals are logarithms of true over predicted price; the halves are by the day on which the truth was seen. Fewer
    than two rows say nothing: 0 and 1.
    """
    if len(paired) < 2:
        return 0.0, 1.0
    rows = paired.sort_values("observed_at", kind="stable")
    residuals = (rows["price"] / rows["predicted_price"].clip(lower=1.0)).map(math.log)
    half = len(rows) // 2
    return distribution_distance(residuals.iloc[:half], residuals.iloc[half:])


def dated_shoes(listings: pd.DataFrame, prices: pd.DataFrame, lead_days: float) -> pd.DataFrame:
    """The lake's own shoes with the days on which they could have been asked about and their price was known.

    Args:
        listings: ``tables.Listings``.
        prices: ``tables.PriceObservations``.
        lead_days: How long before its release a shoe would have been asked about.

    Returns:
        A row a priced listing: ``release``, ``site``, ``product_id``, ``sha256``, ``price`` (US dollars),
        ``label_kind``, ``asked_at`` (missing where no release date is known) and ``known_at``, when a resale price was
        first seen.
    """
    resale = prices[prices["price"].notna() & prices["label_kind"].isin(_RESALE)]
    first = resale.groupby(PRODUCT, as_index=False).agg(known_at=("observed_at", "min"))
    shoes = listings[listings["price"].notna()].merge(first, on=PRODUCT, how="inner")
    asked_at = shoes["release_date"] - pd.Timedelta(days=lead_days)
    release = shoes["site"] + "--" + shoes["product_id"]
    columns = ["release", *PRODUCT, "sha256", "price", "label_kind", "asked_at", "known_at"]
    return shoes.assign(release=release, asked_at=asked_at.where(asked_at < shoes["known_at"]))[columns]
