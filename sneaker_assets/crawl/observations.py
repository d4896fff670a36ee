"""Conversion of listings to rows of the Observations table, and to and from JSON for the crawl state."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from sneaker_assets import tables
from sneaker_assets.sites.base import Details, Listing, Price
from sneaker_assets.tables.values import RETAIL_CURRENCY

_PAGE_FORMAT_COLUMN = "generation"
"""Name of ``Listing.page_format`` in tables and stored crawl states."""

NO_PRICE = Price(amount=None, currency=None, label_kind="unknown")


def observations(seen: Iterable[tuple[Listing, datetime]]) -> pd.DataFrame:
    """Table with one row per price; a product without a price gets one row without an amount.

    Args:
        seen: Listings, each with the time (UTC) at which its page was fetched. A price with a time of its own, such as
            that of a sale, keeps it.

    Returns:
        ``tables.Observations``.
    """
    columns = list(tables.Observations.to_schema().columns)
    rows = [
        _fields(listing) | _fields(price) | {"observed_at": price.observed_at or observed_at}
        for listing, observed_at in seen
        for price in listing.prices or (NO_PRICE,)
    ]
    return tables.Observations.validate(pd.DataFrame(rows, columns=columns))


def to_json(product: Listing | Details) -> str:
    """A listing or details as a JSON object."""
    fields = _fields(product) | {"prices": [_fields(price) for price in product.prices]}
    return json.dumps(fields, default=datetime.isoformat, ensure_ascii=False)


def listing_from_json(source: str) -> Listing:
    """Listing from the JSON that :func:`to_json` wrote."""
    fields = json.loads(source)
    released = fields.pop("release_date")
    prices = tuple(map(_price, fields.pop("prices")))
    fields["page_format"] = fields.pop(_PAGE_FORMAT_COLUMN)
    if fields["retail_price"] is not None:
        fields.setdefault("retail_currency", RETAIL_CURRENCY)  # crawl states of earlier versions
    return Listing(**fields, release_date=datetime.fromisoformat(released) if released else None, prices=prices)


def details_from_json(source: str) -> Details:
    """Details from the JSON that :func:`to_json` wrote."""
    fields = json.loads(source)
    return Details(**fields | {"prices": tuple(map(_price, fields["prices"]))})


def _price(fields: Mapping[str, Any]) -> Price:
    moment = fields.get("observed_at")
    return Price(**{**fields, "observed_at": datetime.fromisoformat(moment) if moment else None})


def _fields(value: Listing | Details | Price) -> dict[str, Any]:
    return {_PAGE_FORMAT_COLUMN if name == "page_format" else name: getattr(value, name) for name in value.__slots__}
