"""Amounts of money as pages and files write them: numbers, texts, and the sentinels that stand for no price.

Which element of a page holds which price is the adapter's concern.

price-parser: https://github.com/scrapinghub/price-parser
"""

import math
import re
from typing import Any

from price_parser import Price as PriceText

SENTINELS = frozenset({0.0, 999999.0})
"""Numbers that sites write where they have no price."""


def amount(value: Any) -> float | None:
    """A price given as a number or as text that is one number; None where it is missing or a sentinel."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 and number not in SENTINELS else None


def amount_in_text(text: str, decimal_separator: str = ".", currency: str | None = None) -> float | None:
    """The price in a text such as ``$1,190.00``, given one element's text at a time.

    Args:
        text: what one element of the page says.
        decimal_separator: the site's own, since ``1.190`` alone cannot be told apart.
        currency: the currency expected, which helps to find the number.
    """
    return amount(PriceText.fromstring(text, currency_hint=currency, decimal_separator=decimal_separator).amount)


def amount_as_written(value: Any) -> float | None:
    """A price in structured data: a number, or text with a point before the cents, as schema.org asks for.

    Shops write it with a currency sign and commas between thousands all the same: ``$1,190.00``.

    https://schema.org/price
    """
    if isinstance(value, str) and not value.lstrip().startswith("-"):
        return amount_in_text(value)
    return amount(value)


def currency_code(value: Any) -> str | None:
    """The ISO 4217 code in a field, None where it holds something else."""
    code = value.strip().upper() if isinstance(value, str) else ""
    return code if re.fullmatch(r"[A-Z]{3}", code) else None
