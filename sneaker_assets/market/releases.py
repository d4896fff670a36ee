"""Announced shoes: which there are, by which key they are known, and when an announcement has changed."""

import hashlib

import pandas as pd

from sneaker_assets.errors import SneakerError
from sneaker_assets.market.currency import DOLLAR, rates_at
from sneaker_assets.tables import Releases

_SEPARATOR = "--"
_ANNOUNCED_PRICES = ("retail", "list")
"""Kinds of price that a site itself sets before a release; asks and bids move by the hour and announce nothing."""


class ReleaseError(SneakerError, LookupError):
    """A release is not, or no longer, what its key says; the message names it."""


def release_key(site: str, product_id: str) -> str:
    """The key of a release, safe as a file name."""
    return f"{site}{_SEPARATOR}{product_id}"


def parse_release_key(key: str) -> tuple[str, str]:
    """Site and product id of a key.

    Raises:
        ReleaseError: it is no such key.
    """
    site, separator, product_id = key.partition(_SEPARATOR)
    if not (site and separator and product_id):
        raise ReleaseError(f"{key!r} is no release: a key reads <site>{_SEPARATOR}<product id>")
    return site, product_id


def announcements(observations: pd.DataFrame) -> pd.DataFrame:
    """One row an announced shoe.

    Args:
        observations: ``tables.Observations`` of a site's release page.

    Returns:
        The first observation of each product, with further columns ``release`` (its key) and ``content`` (sixteen hex
        digits that change when release date, price or image do, and with nothing else). Where no retail price is
        announced, the full price at which the shop itself will sell it is one.
    """
    announced = observations.drop_duplicates(["site", "product_id"], ignore_index=True)
    full_price = announced["amount"].where(announced["label_kind"] == "list")
    announced = announced.assign(retail_price=announced["retail_price"].fillna(full_price))
    keys = [
        release_key(site, product_id)
        for site, product_id in zip(announced["site"], announced["product_id"], strict=True)
    ]
    return announced.assign(release=keys, content=_content(announced))


def _content(announced: pd.DataFrame) -> list[str]:
    set_by_site = announced["amount"].where(announced["label_kind"].isin(_ANNOUNCED_PRICES))
    shown = zip(
        announced["release_date"].dt.strftime("%Y-%m-%d"),
        announced["retail_price"].fillna(set_by_site),
        announced["currency"],
        announced["image_url"],
        strict=True,
    )
    texts = (
        "|".join("" if pd.isna(value) else f"{value:.2f}" if isinstance(value, float) else value for value in values)
        for values in shown
    )
    return [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]


def announced_content(observations: pd.DataFrame) -> dict[str, str]:
    """Release key to content of each announced shoe, as :func:`announcements` gives them."""
    announced = announcements(observations)
    return dict(zip(announced["release"].astype(str), announced["content"].astype(str), strict=True))


def describe_release(key: str, announced: pd.DataFrame, images: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """The announced shoe of that key.

    Args:
        key: The release's key.
        announced: What :func:`announcements` gives.
        images: ``tables.Images`` of its image.
        rates: ``tables.FxRates``.

    Returns:
        ``tables.Releases``, one row. A retail price of no named currency counts as US dollars; one of a currency
        without a rate is missing in dollars and kept as announced.

    Raises:
        ReleaseError: it is no longer announced, or has no image that can be used.
    """
    rows = announced[announced["release"] == key]
    if rows.empty:
        raise ReleaseError(f"{key} is no longer announced: its site lists {len(announced)} other releases")
    rows = rows.merge(images.drop(columns="site"), on="image_url")
    if rows.empty:
        raise ReleaseError(f"{key} is announced without an image: there is nothing to price it by")
    problem = rows["problem"].iloc[0]
    if pd.notna(problem):
        raise ReleaseError(f"the image of {key} cannot be used: {problem}")
    converted = rates_at(rows["currency"].fillna(DOLLAR), rows["observed_at"], rates)
    rows = rows.join(converted.where(rows["retail_price"].notna()))
    rows = rows.assign(retail_amount=rows["retail_price"], retail_price=rows["retail_price"] * rows["fx_rate"])
    return rows[list(Releases.to_schema().columns)]
