"""From the price history to listings: which of a product's prices is its label, joined to its image.

Conversion to US dollars, twins, outliers and splits are decided in their own modules.
"""

from collections.abc import Sequence

import pandas as pd

from sneaker_assets.tables import LABEL_KINDS, LabelKind, Listings

LABEL_ORDER: tuple[LabelKind, ...] = ("average_sale", "last_sale", "lowest_ask", "list", "sale", "unknown", "retail")
"""The first kind that a product has is its label: what was paid before what is asked, retail last."""

PRODUCT = ["site", "product_id"]
_DESCRIPTION = [*PRODUCT, "url", "title", "brand", "style_code", "colourway", "image_url", "release_date"]
_LABEL = ["price", "label_kind", "amount", "currency", "fx_rate", "fx_date", "observed_at"]
_PICTURE = ["sha256", "left", "top", "right", "bottom", "red", "green", "blue", "twin_group"]


def label_listings(
    observations: pd.DataFrame,
    prices: pd.DataFrame,
    images: pd.DataFrame,
    pictures: pd.DataFrame,
    order: Sequence[str] = LABEL_ORDER,
) -> pd.DataFrame:
    """The latest state of each product that has a decodable image.

    Args:
        observations: ``tables.Observations`` of all sites.
        prices: ``tables.PriceObservations``, their history in US dollars.
        images: ``tables.Images`` of all sites.
        pictures: ``tables.ImageProperties`` of those images, with a further column ``twin_group``.
        order: Kinds of price, the preferred first; a kind that is left out is never a label.

    Returns:
        ``tables.Listings``, ordered by site and product. A product without a price in US dollars stays, its price
        missing.

    Raises:
        ValueError: the order names a kind that there is not.
    """
    if unknown := set(order) - set(LABEL_KINDS):
        raise ValueError(f"no price is of the kind {', '.join(sorted(unknown))}: there are {', '.join(LABEL_KINDS)}")
    products = _latest(observations)[[*_DESCRIPTION, "observed_at"]]
    usable = images.loc[images["problem"].isna(), ["site", "image_url", "sha256", "width", "height"]]
    listings = (
        products.merge(_labels(prices, order), on=PRODUCT, how="left", suffixes=("_product", ""))
        .merge(_retail_prices(prices), on=PRODUCT, how="left")
        .merge(usable, on=["site", "image_url"], how="inner")
        .merge(pictures[_PICTURE], on="sha256", how="inner", validate="many_to_one")
    )
    listings["observed_at"] = listings["observed_at"].fillna(listings["observed_at_product"])
    columns = list(Listings.to_schema().columns)
    return listings.sort_values(PRODUCT, ignore_index=True)[columns]


def first_seen(observations: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Each usable image and when it was first seen: ``sha256`` and ``first_seen``.

    Args:
        observations: ``tables.Observations`` of all sites.
        images: ``tables.Images`` of all sites.
    """
    usable = images.loc[images["problem"].isna(), ["site", "image_url", "sha256"]]
    shown = usable.merge(observations[["site", "image_url", "observed_at"]], on=["site", "image_url"])
    return shown.groupby("sha256", as_index=False).agg(first_seen=("observed_at", "min"))


def label_shares(listings: pd.DataFrame) -> pd.DataFrame:
    """The share of each kind of label at each site: ``site``, ``label_kind`` (``none`` without a price), ``share``."""
    kinds = listings["label_kind"].astype(object).fillna("none")
    shares = kinds.groupby(listings["site"]).value_counts(normalize=True)
    return shares.rename("share").rename_axis(["site", "label_kind"]).reset_index()


def _latest(seen: pd.DataFrame) -> pd.DataFrame:
    return seen.sort_values("observed_at", kind="stable").drop_duplicates(PRODUCT, keep="last")


def _labels(prices: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Each product's latest price of the first kind in ``order``."""
    rank = prices["label_kind"].map({kind: i for i, kind in enumerate(order)})
    for_the_product = prices["price"].notna() & prices["size"].isna() & rank.notna()
    return (
        prices[for_the_product]
        .assign(rank=rank)
        .sort_values(["rank", "observed_at"], ascending=[True, False], kind="stable")
        .drop_duplicates(PRODUCT)[[*PRODUCT, *_LABEL]]
    )


def _retail_prices(prices: pd.DataFrame) -> pd.DataFrame:
    """Each product's latest retail price in US dollars: site, product_id, retail_price."""
    known = prices[(prices["label_kind"] == "retail") & prices["price"].notna()]
    return _latest(known)[[*PRODUCT, "price"]].rename(columns={"price": "retail_price"})
