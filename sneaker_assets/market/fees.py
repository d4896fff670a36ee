"""What selling one pair costs at each site. An estimate for planning, no advice: fees change and differ by seller.

The defaults are assumptions of 22 November 2026, for a private seller in the United States without any status:

- StockX takes 9 % of the sale and 3 % for the payment (level 1 of its seller programme, as its help pages say:
  https://stockx.com/help/articles/what-are-stockxs-fees-for-sellers); 4 dollars of postage are assumed.
- Any other site is a shop that buys from nobody; its shoes are assumed to be resold at StockX's fees.

``SNEAKER_FEES`` sets one's own: ``stockx=0.08,0.03,14; ebay=0.08,0,12`` are commission, payment and shipping.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from sneaker_assets.errors import SneakerError


@dataclass(frozen=True, slots=True)
class Fees:
    """Shares of the sale price, and US dollars.

    Attributes:
        commission: share that the site takes.
        payment: share that the payment costs.
        shipping: what sending the pair costs the seller, US dollars.
    """

    commission: float = 0.09
    payment: float = 0.03
    shipping: float = 4.0

    def of(self, price: float) -> float:
        """Fees and shipping of a sale at this price, US dollars."""
        return (self.commission + self.payment) * price + self.shipping


DEFAULT_FEES: Mapping[str, Fees] = {"stockx": Fees()}


class FeesError(SneakerError, ValueError):
    """What was set are no fees; the message says how they are written."""


def parse_fees(text: str) -> Fees:
    """Fees as a person writes them: commission, payment and shipping, such as ``0.09,0.03,4``.

    Raises:
        FeesError: these are none.
    """
    try:
        commission, payment, shipping = (float(part) for part in text.split(","))
    except ValueError:
        commission = payment = shipping = -1.0
    if min(commission, payment, shipping) < 0 or commission + payment >= 1 or not shipping < float("inf"):
        raise FeesError(
            f"{text.strip()!r} are no fees: write commission and payment as shares of the price and shipping in US "
            "dollars, such as 0.09,0.03,4"
        )
    return Fees(commission, payment, shipping)


def known_fees() -> dict[str, Fees]:
    """Site to fees: those of ``SNEAKER_FEES``, and the assumption for those that it does not name.

    Raises:
        FeesError: the setting makes no sense.
    """
    fees = dict(DEFAULT_FEES)
    for part in filter(str.strip, os.environ.get("SNEAKER_FEES", "").split(";")):
        site, separator, text = part.partition("=")
        if not (separator and site.strip()):
            raise FeesError(f"SNEAKER_FEES names no site in {part.strip()!r}: write it as stockx=0.09,0.03,4")
        try:
            fees[site.strip()] = parse_fees(text)
        except FeesError as error:
            raise FeesError(f"SNEAKER_FEES, {site.strip()}: {error}") from error
    return fees


def fees_at(site: str, fees: Mapping[str, Fees]) -> Fees:
    """The fees of this site among these, else the assumption for all others."""
    return fees.get(site, Fees())


def net_profit(price: float, retail_price: float, fees: Fees) -> float:
    """What is left of a sale, US dollars, after fees, shipping and what the pair cost at retail."""
    return price - fees.of(price) - retail_price
