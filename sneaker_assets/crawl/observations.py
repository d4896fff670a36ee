"""Listings as rows: the long Observations table, one row a price; and as JSON texts in the crawl's state.

Where listings come from is the callers' concern.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd

from sneaker_assets.sites.base import Details, Listing, Price
from sneaker_assets.tables import Observations

NO_PRICE = Price(amount=None, currency=None, label_kind="unknown")


def observations(seen: Iterable[tuple[Listing, datetime]]) -> pd.DataFrame:
    """One row a price; a product without any price gets one row whose amount is missing.

    Args:
        seen: what the pages showed, each with the moment its page was read.

    Returns:
        A table valid under :class:`~sneaker_assets.tables.Observations`, empty where nothing was seen.
    """
    columns = list(Observations.to_schema().columns)
    rows = [
        _fields(listing) | _fields(price) | {"observed_at": observed_at}
        for listing, observed_at in seen
        for price in listing.prices or (NO_PRICE,)
    ]
    return Observations.validate(pd.DataFrame(rows, columns=columns))


def to_json(shown: Listing | Details) -> str:
    """What a page shows of a product as a JSON object."""
    fields = _fields(shown) | {"prices": [_fields(price) for price in shown.prices]}
    return json.dumps(fields, default=datetime.isoformat, ensure_ascii=False)


def listing_from_json(source: str) -> Listing:
    """The listing that :func:`to_json` wrote."""
    fields = json.loads(source)
    released = fields.pop("release_date")
    prices = tuple(Price(**price) for price in fields.pop("prices"))
    return Listing(**fields, release_date=datetime.fromisoformat(released) if released else None, prices=prices)


def details_from_json(source: str) -> Details:
    """The details that :func:`to_json` wrote."""
    fields = json.loads(source)
    return Details(**fields | {"prices": tuple(Price(**price) for price in fields["prices"])})


def _fields(value: Listing | Details | Price) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}
