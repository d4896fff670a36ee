"""What is said of one priced shoe, the same on the command line and on an asset's page. ``on_paper`` draws it."""

from typing import Any

from sneaker_assets.market.fees import Fees, net_profit
from sneaker_assets.vision.pricing.pricer import PricedPicture

_RECORD = ["title", "site", "product_id", "price", "label_kind", "similarity"]


def similar_records(priced: PricedPicture) -> list[dict[str, Any]]:
    """The similar shoes as plain values: title, site, product_id, price (US dollars), label_kind, similarity."""
    if priced.similar.empty:
        return []
    return [{str(key): value for key, value in row.items()} for row in priced.similar[_RECORD].to_dict("records")]


def outlook(priced: PricedPicture, retail: float | None, fees: Fees) -> dict[str, float | None]:
    """The price and what follows from it, in the names of ``tables.ReleasePredictions``.

    Args:
        priced: What the model makes of it.
        retail: US dollars, None where it is not known: then premium and profit are None too.
        fees: What selling costs.
    """
    return {
        "predicted_price": priced.price,
        "price_low": priced.low,
        "price_high": priced.high,
        "premium": None if retail is None else priced.price / retail - 1,
        "selling_costs": fees.of(priced.price),
        "net_profit": None if retail is None else net_profit(priced.price, retail, fees),
    }


def sentences(priced: PricedPicture, retail: float | None, fees: Fees) -> list[str]:
    """Price, interval, and premium and profit where the retail price (US dollars) is known."""
    said = [f"${priced.price:,.0f} expected", f"90 % interval ${priced.low:,.0f} to ${priced.high:,.0f}"]
    if retail is not None:
        profit, costs = net_profit(priced.price, retail, fees), fees.of(priced.price)
        said += [
            f"retail ${retail:,.0f}, premium {priced.price / retail - 1:+.0%}",
            f"${abs(profit):,.0f} {'lost on' if profit < 0 else 'left of'} a sale after ${costs:,.0f} of costs",
        ]
    return said
