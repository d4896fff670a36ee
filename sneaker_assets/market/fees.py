"""Selling fees by site and the net profit of a sale. An estimate for planning: fees change and depend on the seller.

The defaults are assumptions of 22 November 2026 for a private seller in the United States without any status:

- StockX takes 9 % of the sale and 3 % for the payment (level 1 of its seller programme, see
  https://stockx.com/help/articles/what-are-stockxs-fees-for-sellers); postage of 4 dollars is assumed.
- Any other site is a shop that does not buy; its shoes are assumed to be resold at StockX's fees.
"""

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from sneaker_assets.errors import SneakerError
from sneaker_assets.settings.model import SettingsModel


class FeesError(SneakerError, ValueError):
    """A text is not a valid list of fees; the message shows the format."""


class Fees(SettingsModel):
    """What selling one pair at a site costs."""

    commission: float = Field(default=0.09, ge=0, lt=1, description="Commission as a share of the sale price.")
    payment: float = Field(default=0.03, ge=0, lt=1, description="Payment fee as a share of the sale price.")
    shipping: float = Field(
        default=4.0, ge=0, allow_inf_nan=False, description="Shipping paid by the seller, US dollars."
    )

    @model_validator(mode="after")
    def _leave_proceeds(self) -> Self:
        if self.commission + self.payment >= 1:
            raise ValueError("commission and payment together must be below 1")
        return self

    def of(self, price: float) -> float:
        """Fees and shipping of a sale at this price, US dollars."""
        return (self.commission + self.payment) * price + self.shipping


DEFAULT_FEES: Mapping[str, Fees] = {"stockx": Fees()}


def parse_fees(text: str) -> Fees:
    """Parse commission, payment and shipping, such as ``0.09,0.03,4``.

    Raises:
        FeesError: The text has another format, or a value is out of bounds.
    """
    try:
        commission, payment, shipping = (float(part) for part in text.split(","))
        return Fees(commission=commission, payment=payment, shipping=shipping)
    except ValueError as error:
        raise FeesError(
            f"{text.strip()!r} is not a valid list of fees: write commission and payment as shares of the price and "
            "shipping in US dollars, such as 0.09,0.03,4"
        ) from error


def parse_fees_by_site(text: str) -> dict[str, Fees]:
    """Parse fees by site, such as ``stockx=0.08,0.03,14; ebay=0.08,0,12``.

    Raises:
        FeesError: An entry names no site, or its fees are invalid.
    """
    fees = {}
    for entry in filter(str.strip, text.split(";")):
        site, separator, values = entry.partition("=")
        if not (separator and site.strip()):
            raise FeesError(f"{entry.strip()!r} names no site: write it as stockx=0.09,0.03,4")
        fees[site.strip()] = parse_fees(values)
    return fees


def fees_at(site: str, fees: Mapping[str, Fees]) -> Fees:
    """The fees of a site, or the default assumption if it is not listed."""
    return fees.get(site, Fees())


def net_profit(price: float, retail_price: float, fees: Fees) -> float:
    """Proceeds of a sale after fees, shipping and the retail price, US dollars."""
    return price - fees.of(price) - retail_price
