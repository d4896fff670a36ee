"""What selling one pair costs at each site. An estimate for planning, no advice: fees change and differ by seller.

The defaults are assumptions of 22 November 2026, for a private seller in the United States without any status:

- StockX takes 9 % of the sale and 3 % for the payment (level 1 of its seller programme, as its help pages say:
  https://stockx.com/help/articles/what-are-stockxs-fees-for-sellers); 4 dollars of postage are assumed.
- Any other site is a shop that buys from nobody; its shoes are assumed to be resold at StockX's fees.
"""

from collections.abc import Mapping
from dataclasses import dataclass


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


def fees_at(site: str, fees: Mapping[str, Fees] = DEFAULT_FEES) -> Fees:
    """The fees of this site among these, else the assumption for all others."""
    return fees.get(site, Fees())


def net_profit(price: float, retail_price: float, fees: Fees) -> float:
    """What is left of a sale, US dollars, after fees, shipping and what the pair cost at retail."""
    return price - fees.of(price) - retail_price
