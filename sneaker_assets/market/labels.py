"""Labels: selects one price of each product as its label and joins it with the product's image."""

from collections.abc import Sequence

import pandas as pd

from sneaker_assets import tables
from sneaker_assets.market.observations import can_be_bought, worn_rank
from sneaker_assets.market.price_summaries import summarise_prices
from sneaker_assets.tables import LABEL_KINDS, LabelKind

LABEL_ORDER: tuple[LabelKind, ...] = ("average_sale", "last_sale", "lowest_ask", "list", "sale", "unknown", "retail")
"""Kinds of price in order of preference: prices paid before prices asked, retail prices last."""

PRODUCT = ["site", "product_id"]
SALE_DAYS = 30.0
"""Days of sales by size, up to the latest, that make one price: a size is rarely sold twice on one day."""

_SALES = ("average_sale", "last_sale")
_DESCRIPTION = [*PRODUCT, "url", "title", "brand", "style_code", "colourway", "image_url", "release_date"]
_LABEL = ["price", "label_kind", "condition", "n_prices", "amount", "currency", "fx_rate", "fx_date", "observed_at"]
_PICTURE = ["sha256", "left", "top", "right", "bottom", "red", "green", "blue", "first_seen", "twin_group"]


def label_listings(
    observations: pd.DataFrame,
    prices: pd.DataFrame,
    images: pd.DataFrame,
    pictures: pd.DataFrame,
    order: Sequence[str] = LABEL_ORDER,
    *,
    sale_days: float = SALE_DAYS,
) -> pd.DataFrame:
    """Latest state of each product that has a valid image.

    Its label is the latest price of the preferred kind, of new shoes or those of unstated condition where there are
    any. Prices by size count only for a product without another price but its retail price: the median of the last
    days' sales, or the latest of the other kinds, over all sizes.

    Args:
        observations: ``tables.Observations`` of all sites.
        prices: ``tables.PriceObservations``, the price history in US dollars.
        images: ``tables.Images`` of all sites.
        pictures: ``tables.ImageProperties`` of those images, with an additional column ``twin_group``.
        order: Kinds of price in order of preference; other kinds are never used as labels.
        sale_days: Days of sales by size, up to the latest, whose median is the label.

    Returns:
        ``tables.Listings``, sorted by site and product, without products that are no shoes. Products without a price in
        US dollars are included, with a missing price; ``shoe`` is missing (see ``shoes.find_shoes``).

    Raises:
        ValueError: ``order`` contains an unknown kind.
    """
    if unknown := set(order) - set(LABEL_KINDS):
        raise ValueError(f"unknown kind of price {', '.join(sorted(unknown))}; known: {', '.join(LABEL_KINDS)}")
    shoes = observations[observations["exclusion"].isna()]
    products = _latest(shoes)[[*_DESCRIPTION, "observed_at"]]
    usable = images.loc[images["problem"].isna(), ["site", "image_url", "sha256", "width", "height"]]
    listings = (
        products.merge(
            latest_labels(prices, order, sale_days),
            on=PRODUCT,
            how="left",
            suffixes=("_product", ""),
            validate="one_to_one",
        )
        .merge(latest_retail_prices(prices), on=PRODUCT, how="left", validate="one_to_one")
        .merge(usable, on=["site", "image_url"], how="inner", validate="many_to_one")
        .merge(pictures[_PICTURE], on="sha256", how="inner", validate="many_to_one")
    )
    listings["observed_at"] = listings["observed_at"].fillna(listings["observed_at_product"])
    columns = list(tables.Listings.to_schema().columns)
    return listings.sort_values(PRODUCT, ignore_index=True).reindex(columns=columns)


def has_usable_picture(images: pd.DataFrame) -> bool:
    """Whether a data set can be built: at least one image was downloaded and can be decoded.

    Args:
        images: ``tables.Images`` of all sites.
    """
    return bool(images["problem"].isna().any())


def without_pictures(prices: pd.DataFrame, images: pd.DataFrame) -> str:
    """What is there, what is missing and what to add where no product has a usable picture, in one line.

    Args:
        prices: ``tables.PriceObservations``.
        images: ``tables.Images`` of all sites.
    """
    priced = len(prices.loc[prices["price"].notna(), PRODUCT].drop_duplicates())
    found = f"none of the {len(images):,} pictures can be used" if len(images) else "none of them has a picture"
    problems = images["problem"].value_counts()
    reason = f" ({problems.index[0]}, for example)" if len(problems) else ""
    return (
        f"{priced:,} products have prices, but {found}{reason}: price_observations and price_trends are in the lake, "
        "and prediction_backtest compares predictions with them; a data set to learn from needs pictures, so add their "
        "files or addresses to the source, or another source whose listings have them"
    )


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
    order = ["_shown", *(column for column in _DESCRIPTION if column in seen and column not in PRODUCT)]
    last = _at_last_moment(seen, PRODUCT)
    shown = last.assign(_shown=last["image_url"] != "")
    return shown.sort_values(order, kind="stable").drop_duplicates(PRODUCT, keep="last").drop(columns="_shown")


def _at_last_moment(rows: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    return rows[rows["observed_at"] == rows.groupby(list(key), dropna=False)["observed_at"].transform("max")]


def latest_labels(
    prices: pd.DataFrame, order: Sequence[str] = LABEL_ORDER, sale_days: float = SALE_DAYS
) -> pd.DataFrame:
    """Label of each product that has a price.

    Args:
        prices: ``tables.PriceObservations``.
        order: Kinds of price in order of preference; other kinds are never used as labels.
        sale_days: Days of sales by size, up to the latest, whose median is the label.

    Returns:
        ``site``, ``product_id`` and the columns of ``tables.Listings`` that describe the label.
    """
    rank = prices["label_kind"].map({kind: i for i, kind in enumerate(order)})
    candidates = prices[rank.notna()].assign(rank=rank, worn=worn_rank(prices))
    candidates = _lowest(_priced(candidates), "worn")
    candidates = _of_all_sizes(candidates, PRODUCT)
    return _latest_prices(_lowest(candidates, "rank"), PRODUCT, sale_days)[[*PRODUCT, *_LABEL]]


def latest_by_kind(prices: pd.DataFrame, key: Sequence[str], sale_days: float = SALE_DAYS) -> pd.DataFrame:
    """Latest price of each value of ``key``, which includes the kind.

    Args:
        prices: Rows of ``tables.PriceObservations``, with the columns of ``key``.
        key: Columns that identify a price; missing values are equal.
        sale_days: Days of sales by size, up to the latest, whose median is the price.
    """
    return _latest_prices(_of_all_sizes(_priced(prices), key), key, sale_days)


def latest_retail_prices(prices: pd.DataFrame) -> pd.DataFrame:
    """Latest retail price of each product in US dollars: ``site``, ``product_id`` and ``retail_price``.

    Args:
        prices: ``tables.PriceObservations``.
    """
    known = prices[(prices["label_kind"] == "retail") & prices["price"].notna()]
    retail = summarise_prices(_at_last_moment(known, PRODUCT), PRODUCT)[[*PRODUCT, "price"]]
    return retail.rename(columns={"price": "retail_price"})


def _priced(prices: pd.DataFrame) -> pd.DataFrame:
    return prices[prices["price"].notna() & can_be_bought(prices)]


def _lowest(candidates: pd.DataFrame, rank: str) -> pd.DataFrame:
    return candidates[candidates[rank] == candidates.groupby(PRODUCT)[rank].transform("min")]


def _of_all_sizes(candidates: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Prices that apply to all sizes; all prices of a product that has only its retail price and prices by size."""
    general = candidates["size"].isna() & (candidates["label_kind"] != "retail")
    known = general.groupby([candidates[column] for column in key], dropna=False).transform("any")
    return candidates[candidates["size"].isna() | ~known]


def _latest_prices(prices: pd.DataFrame, key: Sequence[str], sale_days: float) -> pd.DataFrame:
    """Prices of the last moment, and sales by size of the last days, summarised over sizes."""
    last = prices.groupby(list(key), dropna=False)["observed_at"].transform("max")
    recent = prices["size"].notna() & prices["label_kind"].isin(_SALES)
    recent &= prices["observed_at"] >= last - pd.Timedelta(days=sale_days)
    kept = prices["observed_at"].eq(last) | recent
    return summarise_prices(prices[kept].assign(observed_at=last), key)
