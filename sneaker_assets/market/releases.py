"""Announced releases: their keys, their content, and detection of changed announcements."""

import hashlib
from urllib.parse import unquote

import pandas as pd

from sneaker_assets import tables
from sneaker_assets.errors import SneakerError
from sneaker_assets.market.currency import rates_at
from sneaker_assets.market.placeholders import find_placeholders
from sneaker_assets.names import path_name

_SEPARATOR = "--"
_ANNOUNCED_PRICES = ("retail", "list")
"""Kinds of price that are part of an announcement; asks and bids change constantly."""


class ReleaseError(SneakerError, LookupError):
    """A release is unknown or can no longer be described; the message names it."""


def release_key(site: str, product_id: str) -> str:
    """Key of a release: a valid partition key and file name, different for different products.

    Args:
        site: Name of the site.
        product_id: The site's identifier of the product; any text that is not empty.
    """
    return f"{path_name(site).replace(_SEPARATOR, '-%2D')}{_SEPARATOR}{path_name(product_id)}"


def release_site(key: str) -> str:
    """Site of a release.

    Args:
        key: Result of :func:`release_key`.

    Raises:
        ReleaseError: The key is malformed.
    """
    site, separator, product_id = key.partition(_SEPARATOR)
    if not (site and separator and product_id):
        raise ReleaseError(f"{key!r} is not a release key: expected <site>{_SEPARATOR}<product id>")
    return unquote(site)


def announcements(observations: pd.DataFrame) -> pd.DataFrame:
    """One row per announced shoe.

    Args:
        observations: ``tables.Observations`` of a site's release page.

    Returns:
        First observation of each product with the additional columns ``release`` (its key) and ``content`` (a hash of
        release date, price and image, sixteen hexadecimal digits). If no retail price is announced, the list price of
        the shop is used.
    """
    shoes = observations[observations["exclusion"].isna()]
    announced = shoes.drop_duplicates(["site", "product_id"], ignore_index=True)
    full_price = announced["amount"].where(announced["label_kind"] == "list")
    own = announced["retail_price"].notna()
    announced = announced.assign(
        retail_price=announced["retail_price"].fillna(full_price),
        currency=announced["retail_currency"].where(own, announced["currency"]),
    )
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
    """Content hash by release key (see :func:`announcements`)."""
    announced = announcements(observations)
    return dict(zip(announced["release"].astype(str), announced["content"].astype(str), strict=True))


def describe_release(key: str, announced: pd.DataFrame, images: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Row of the release table for one announced shoe.

    Args:
        key: Key of the release.
        announced: Result of :func:`announcements`.
        images: ``tables.Images`` that contain its image.
        rates: ``tables.FxRates``.

    Returns:
        ``tables.Releases``, one row. A retail price of an unknown currency or one without a rate is missing in dollars
        and kept as announced.

    Raises:
        ReleaseError: The shoe is no longer announced, has no valid image, or shows a placeholder picture.
    """
    rows = announced[announced["release"] == key]
    if rows.empty:
        raise ReleaseError(f"{key} is no longer announced: its site lists {len(announced)} other releases")
    rows = rows.drop(columns="problem").merge(images.drop(columns="site"), on="image_url", validate="many_to_one")
    if rows.empty:
        raise ReleaseError(f"{key} is announced without an image: there is nothing to price it by")
    if rows["image_url"].iloc[0] in find_placeholders(announced, "image_url", "retail_price"):
        raise ReleaseError(f"{key} is announced with a placeholder picture, which other releases show too")
    problem = rows["problem"].iloc[0]
    if pd.notna(problem):
        raise ReleaseError(f"the image of {key} cannot be used: {problem}")
    converted = rates_at(rows["currency"], rows["observed_at"], rates)
    rows = rows.join(converted.where(rows["retail_price"].notna()))
    rows = rows.assign(retail_amount=rows["retail_price"], retail_price=rows["retail_price"] * rows["fx_rate"])
    return rows[list(tables.Releases.to_schema().columns)]
