"""Parsing of amounts of money and currency codes.

price-parser: https://github.com/scrapinghub/price-parser
"""

import math
import re
from typing import Any

SENTINELS = frozenset({0.0, 999999.0})
"""Placeholder amounts that sites use for a missing price."""


def amount(value: Any) -> float | None:
    """Price from a number or a numeric string; None if it is missing, not positive and finite, or a sentinel."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 and number not in SENTINELS else None


def amount_in_text(text: str, decimal_separator: str = ".", currency: str | None = None) -> float | None:
    """Price in a string such as ``$1,190.00``; None if it contains no price.

    Args:
        text: Text of a single page element.
        decimal_separator: Decimal separator the site uses; ``1.190`` alone is ambiguous.
        currency: Expected currency, which helps to locate the number.
    """
    from price_parser import Price as PriceText

    return amount(PriceText.fromstring(text, currency_hint=currency, decimal_separator=decimal_separator).amount)


def amount_as_written(value: Any) -> float | None:
    """Price in structured data: a number, or a string with a decimal point.

    schema.org allows neither currency signs nor thousands separators, but many shops write ``$1,190.00``.

    https://schema.org/price
    """
    if isinstance(value, str) and not value.lstrip().startswith("-"):
        return amount_in_text(value)
    return amount(value)


def currency_code(value: Any) -> str | None:
    """Upper-case ISO 4217 code, or None if the value is not a three-letter code."""
    code = value.strip().upper() if isinstance(value, str) else ""
    return code if re.fullmatch(r"[A-Z]{3}", code) else None
