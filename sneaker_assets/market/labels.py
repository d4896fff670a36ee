"""Labels: selects one price of each product as its label and joins it with the product's image."""

from collections.abc import Sequence

import pandas as pd

from sneaker_assets import tables
from sneaker_assets.market.observations import can_be_bought
from sneaker_assets.market.price_summaries import summarise_prices
from sneaker_assets.tables import LABEL_KINDS, LabelKind

LABEL_ORDER: tuple[LabelKind, ...] = ("average_sale", "last_sale", "lowest_ask", "list", "sale", "unknown", "retail")
"""Kinds of price in order of preference: prices paid before prices asked, retail prices last."""

PRODUCT = ["site", "product_id"]
_DESCRIPTION = [*PRODUCT, "url", "title", "brand", "style_code", "colourway", "image_url", "release_date"]
_LABEL = ["price", "label_kind", "n_prices", "amount", "currency", "fx_rate", "fx_date", "observed_at"]
_PICTURE = ["sha256", "left", "top", "right", "bottom", "red", "green", "blue", "twin_group"]


def label_listings(
    observations: pd.DataFrame,
    prices: pd.DataFrame,
    images: pd.DataFrame,
    pictures: pd.DataFrame,
    order: Sequence[str] = LABEL_ORDER,
) -> pd.DataFrame:
    """Latest state of each product that has a valid image.

    Args:
        observations: ``tables.Observations`` of all sites.
        prices: ``tables.PriceObservations``, the price history in US dollars.
        images: ``tables.Images`` of all sites.
        pictures: ``tables.ImageProperties`` of those images, with an additional column ``twin_group``.
        order: Kinds of price in order of preference; other kinds are never used as labels.

    Returns:
        ``tables.Listings``, sorted by site and product, without products that are no shoes. Products without a price in
        US dollars are included, with a missing price.

    Raises:
        ValueError: ``order`` contains an unknown kind.
    """
    if unknown := set(order) - set(LABEL_KINDS):
        raise ValueError(f"unknown kind of price {', '.join(sorted(unknown))}; known: {', '.join(LABEL_KINDS)}")
    shoes = observations[observations["exclusion"].isna()]
    products = _latest(shoes)[[*_DESCRIPTION, "observed_at"]]
    usable = images.loc[images["problem"].isna(), ["site", "image_url", "sha256", "width", "height"]]
    listings = (
        products.merge(_labels(prices, order), on=PRODUCT, how="left", suffixes=("_product", ""), validate="one_to_one")
        .merge(_retail_prices(prices), on=PRODUCT, how="left", validate="one_to_one")
        .merge(usable, on=["site", "image_url"], how="inner", validate="many_to_one")
        .merge(pictures[_PICTURE], on="sha256", how="inner", validate="many_to_one")
    )
    listings["observed_at"] = listings["observed_at"].fillna(listings["observed_at_product"])
    columns = list(tables.Listings.to_schema().columns)
    return listings.sort_values(PRODUCT, ignore_index=True)[columns]


def first_seen(observations: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Valid images and the time at which each was first observed.

    Args:
        observations: ``tables.Observations`` of all sites.
        images: ``tables.Images`` of all sites.

    Returns:
        Columns ``sha256`` and ``first_seen`` (UTC).
    """
    usable = images.loc[images["problem"].isna(), ["site", "image_url", "sha256"]]
    seen = observations[["site", "image_url", "observed_at"]]
    shown = usable.merge(seen, on=["site", "image_url"], validate="one_to_many")
    return shown.groupby("sha256", as_index=False).agg(first_seen=("observed_at", "min"))


def label_shares(listings: pd.DataFrame) -> pd.DataFrame:
    """Share of each kind of label per site: ``site``, ``label_kind`` (``none`` without a price) and ``share``."""
    kinds = listings["label_kind"].astype(object).fillna("none")
    shares = kinds.groupby(listings["site"]).value_counts(normalize=True)
    return shares.rename("share").rename_axis(["site", "label_kind"]).reset_index()


def _latest(seen: pd.DataFrame) -> pd.DataFrame:
    """Last observation of each product; of several at one moment one with an image, whatever the order of rows."""
    order = ["observed_at", "_shown", *(column for column in _DESCRIPTION if column in seen and column not in PRODUCT)]
    shown = seen.assign(_shown=seen["image_url"] != "")
    return shown.sort_values(order, kind="stable").drop_duplicates(PRODUCT, keep="last").drop(columns="_shown")


def _at_last_moment(prices: pd.DataFrame) -> pd.DataFrame:
    return prices[prices["observed_at"] == prices.groupby(PRODUCT)["observed_at"].transform("max")]


def _labels(prices: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Latest price of each product, of the most preferred kind that it has."""
    rank = prices["label_kind"].map({kind: i for i, kind in enumerate(order)})
    for_the_product = prices["price"].notna() & prices["size"].isna() & rank.notna() & can_be_bought(prices)
    candidates = prices[for_the_product].assign(rank=rank)
    preferred = candidates[candidates["rank"] == candidates.groupby(PRODUCT)["rank"].transform("min")]
    return summarise_prices(_at_last_moment(preferred), PRODUCT)[[*PRODUCT, *_LABEL]]


def _retail_prices(prices: pd.DataFrame) -> pd.DataFrame:
    """Latest retail price of each product in US dollars: ``site``, ``product_id`` and ``retail_price``."""
    known = prices[(prices["label_kind"] == "retail") & prices["price"].notna()]
    retail = summarise_prices(_at_last_moment(known), PRODUCT)[[*PRODUCT, "price"]]
    return retail.rename(columns={"price": "retail_price"})
