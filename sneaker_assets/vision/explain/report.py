"""Contents of a report on one priced shoe, shared by the command line and the asset pages."""

from typing import Any

from sneaker_assets.market.fees import Fees, net_profit
from sneaker_assets.vision.pricing.pricer import PricedPicture

_RECORD = ["title", "site", "product_id", "price", "label_kind", "similarity"]


def similar_records(priced: PricedPicture) -> list[dict[str, Any]]:
    """The most similar known shoes as JSON-compatible records.

    Args:
        priced: The priced image.

    Returns:
        One record for each shoe, most similar first: ``title``, ``site``, ``product_id``, ``price`` (US dollars),
        ``label_kind`` and ``similarity`` (cosine, at most 1).
    """
    if priced.similar.empty:
        return []
    return [{str(key): value for key, value in row.items()} for row in priced.similar[_RECORD].to_dict("records")]


def prediction_record(priced: PricedPicture, retail: float | None, fees: Fees) -> dict[str, float | None]:
    """The predicted price and the profit of buying at retail and selling at it.

    Args:
        priced: The priced image.
        retail: Retail price in US dollars, or None if unknown.
        fees: Fees of the site where the shoe is sold.

    Returns:
        Columns of ``tables.ReleasePredictions``: ``predicted_price``, ``price_low``, ``price_high``, ``selling_costs``
        and ``net_profit`` in US dollars, and ``premium`` over retail as a share (0.5 is 50 %). ``premium`` and
        ``net_profit`` are None without a retail price.
    """
    return {
        "predicted_price": priced.price,
        "price_low": priced.low,
        "price_high": priced.high,
        "premium": None if retail is None else priced.price / retail - 1,
        "selling_costs": fees.of(priced.price),
        "net_profit": None if retail is None else net_profit(priced.price, retail, fees),
    }


def report_lines(priced: PricedPicture, retail: float | None, fees: Fees) -> list[str]:
    """Predicted price, its interval and the profit of a sale in plain English.

    Args:
        priced: The priced image.
        retail: Retail price in US dollars, or None if unknown.
        fees: Fees of the site where the shoe is sold.

    Returns:
        Two lines, and two more on premium and profit if the retail price is known.
    """
    lines = [
        f"expected price ${priced.price:,.0f}",
        f"in 9 of 10 cases between ${priced.low:,.0f} and ${priced.high:,.0f}",
    ]
    if retail is not None:
        profit, costs = net_profit(priced.price, retail, fees), fees.of(priced.price)
        lines += [
            f"retail price ${retail:,.0f}, expected premium {priced.price / retail - 1:+.0%}",
            f"expected {'loss' if profit < 0 else 'profit'} ${abs(profit):,.0f} after ${costs:,.0f} of selling costs",
        ]
    return lines
