"""From observations to listings: which of a product's prices is its label, joined to its image.

Twins, outliers and splits are decided in their own modules.
"""

from collections.abc import Sequence

import pandas as pd

from sneaker_assets.tables import LabelKind, Listings

LABEL_ORDER: tuple[LabelKind, ...] = ("average_sale", "last_sale", "lowest_ask", "list", "sale", "unknown", "retail")
"""The first kind that a product has is its label: what was paid before what is asked, retail last."""

PRODUCT = ["site", "product_id"]
_DESCRIPTION = [*PRODUCT, "url", "title", "brand", "style_code", "colourway", "image_url", "release_date"]


def label_listings(
    observations: pd.DataFrame, images: pd.DataFrame, order: Sequence[LabelKind] = LABEL_ORDER
) -> pd.DataFrame:
    """The latest state of each product that has a decodable image.

    Args:
        observations: ``tables.Observations`` of all sites.
        images: ``tables.Images`` of all sites.
        order: Kinds of price, the preferred first.

    Returns:
        ``tables.Listings``, ordered by site and product. A product without a price in US dollars stays, its price
        missing. ``twin_group`` is the image's sha256: byte-identical pictures are twins.
    """
    products = observations.sort_values("observed_at", kind="stable").drop_duplicates(PRODUCT, keep="last")
    usable = images.loc[images["problem"].isna(), ["site", "image_url", "sha256", "width", "height"]]
    listings = (
        products[[*_DESCRIPTION, "observed_at"]]
        .merge(_labels(observations, order), on=PRODUCT, how="left", suffixes=("_product", ""))
        .merge(_retail_prices(observations), on=PRODUCT, how="left")
        .merge(usable, on=["site", "image_url"], how="inner")
    )
    listings["observed_at"] = listings["observed_at"].fillna(listings["observed_at_product"])
    listings["twin_group"] = listings["sha256"]
    columns = list(Listings.to_schema().columns)
    return listings.sort_values(PRODUCT, ignore_index=True)[columns]


def _labels(observations: pd.DataFrame, order: Sequence[LabelKind]) -> pd.DataFrame:
    """Each product's latest price of the first kind in ``order``: site, product_id, price, label_kind, observed_at."""
    retail = observations.assign(amount=observations["retail_price"], label_kind="retail", size=None)
    prices = pd.concat([observations, retail], ignore_index=True)
    rank = prices["label_kind"].map({kind: i for i, kind in enumerate(order)})
    for_the_product = prices["amount"].notna() & prices["size"].isna() & rank.notna() & (prices["currency"] == "USD")
    return (
        prices[for_the_product]
        .assign(rank=rank)
        .sort_values(["rank", "observed_at"], ascending=[True, False], kind="stable")
        .drop_duplicates(PRODUCT)
        .rename(columns={"amount": "price"})[[*PRODUCT, "price", "label_kind", "observed_at"]]
    )


def _retail_prices(observations: pd.DataFrame) -> pd.DataFrame:
    """Each product's latest retail price in US dollars: site, product_id, retail_price."""
    known = observations[observations["retail_price"].notna() & (observations["currency"] == "USD")]
    latest = known.sort_values("observed_at", kind="stable").drop_duplicates(PRODUCT, keep="last")
    return latest[[*PRODUCT, "retail_price"]]
