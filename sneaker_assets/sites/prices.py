"""Prices from the amounts that pages give, and the lowest ones of a product."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sneaker_assets.sites.base import Price
from sneaker_assets.sites.json_values import text
from sneaker_assets.sites.money import AmountError, currency_code, parse_amount
from sneaker_assets.tables import Condition, LabelKind


def price(
    raw: Any,
    currency: Any,
    kind: LabelKind,
    size: str | None = None,
    *,
    available: bool | None = None,
) -> Price | None:
    """Price from an amount as a page gives it; None if it is missing.

    Args:
        raw: Number or written amount; one that cannot be read gives a price with a ``problem``.
        currency: Currency code as the page gives it.
        kind: Kind of price.
        size: Shoe size that the price applies to.
        available: Whether the product can be bought at this price.
    """
    code = currency_code(currency)
    try:
        parsed = parse_amount(raw, currency=code)
    except AmountError as error:
        return Price(None, code, kind, size, text(raw), available=available, problem=str(error))
    return Price(parsed.value, parsed.currency, kind, size, text(raw), available=available) if parsed else None


def prices(
    currency: Any, found: Mapping[LabelKind, Any], size: str | None = None, *, available: bool | None = None
) -> tuple[Price, ...]:
    """Prices of those kinds for which the page has an amount.

    Args:
        currency: Currency code as the page gives it.
        found: Raw amounts by kind of price.
        size: Shoe size that the prices apply to.
        available: Whether the product can be bought at these prices.
    """
    return tuple(read for kind, raw in found.items() if (read := price(raw, currency, kind, size, available=available)))


def list_and_sale(
    before: Any, now: Any, currency: Any, size: str | None = None, *, available: bool | None = None
) -> tuple[Price, ...]:
    """The full price, and the sale price if it is lower.

    Args:
        before: Raw amount before a reduction, None if there is none.
        now: Raw amount that a buyer pays.
        currency: Currency code as the page gives it.
        size: Shoe size that the prices apply to.
        available: Whether the product can be bought at these prices.
    """
    full = price(before, currency, "list", size, available=available)
    final = price(now, currency, "sale", size, available=available)
    if final is None:
        return () if full is None else (full,)
    if full is not None and full.amount is not None and (final.amount is None or final.amount < full.amount):
        return full, final
    return (replace(final, label_kind="list"),)


def lowest(found: Iterable[Price]) -> Price | None:
    """The lowest price at which a product can be bought new, else used, else the lowest of those at which it cannot.

    Args:
        found: Prices of one product; those in another currency than the first are ignored.
    """
    readable = [price for price in found if price.amount is not None]
    comparable = [price for price in readable if price.currency == readable[0].currency]
    return min(comparable, key=_rank, default=None)


def _rank(price: Price) -> tuple[bool, bool, float]:
    return price.available is False, price.condition in ("used", "defects"), price.amount or 0.0


def lowest_and_sizes(found: Sequence[Price]) -> tuple[Price, ...]:
    """Price of a product that is sold in sizes: the lowest, that of each size and condition, and those with a problem.

    Args:
        found: Prices of its variants, which are of one kind.
    """
    by_size: dict[tuple[str, Condition | None], list[Price]] = {}
    for price in found:
        if price.size is not None:
            by_size.setdefault((price.size, price.condition), []).append(price)
    best = lowest(found)
    return (
        *((replace(best, size=None),) if best else ()),
        *(cheapest for prices in by_size.values() if (cheapest := lowest(prices))),
        *dict.fromkeys(price for price in found if price.problem),
    )
