"""Shoes across sites: products joined by style code, else by near-duplicate picture and title."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import Field

from sneaker_assets import tables
from sneaker_assets.market.labels import LABEL_ORDER, PRODUCT, latest_by_kind, latest_labels, latest_retail_prices
from sneaker_assets.market.observations import is_worn, known_products
from sneaker_assets.market.price_summaries import summarise_prices
from sneaker_assets.market.style_codes import StyleCodeSettings, joining_codes, placeholder_codes, product_codes

if TYPE_CHECKING:
    from scipy.cluster.hierarchy import DisjointSet

_TOKEN = re.compile(r"[^\W\d_]+|\d+")
_MAX_PRODUCTS = 200
"""Products that show one picture beyond which their titles are not compared; it is a placeholder."""

_STATED = ["title", "brand", "style_code", "colourway", "release_date"]


class ShoeSettings(StyleCodeSettings):
    """When two products are the same shoe.

    Titles are compared without regard to the order of words. Titles of one shoe at several shops, such as `Air Jordan 1
    Retro High OG 'Chicago'` and `Jordan 1 Retro High Chicago (2015)`, have a similarity of 92 and more; of pairs of
    different models of a brand in the offline shop 99 % have less than 87.
    """

    min_title_similarity: float = Field(
        default=90.0,
        ge=0,
        le=100,
        description="Minimum similarity of the titles of products that are joined by their picture (token set ratio, "
        "0 to 100).",
    )
    max_retail_difference: float = Field(
        default=0.05, ge=0, description="Maximum relative difference of retail prices in US dollars without a conflict."
    )


@dataclass(frozen=True, slots=True)
class Shoes:
    """Result of :func:`find_shoes`.

    Attributes:
        products: One row per product at a site, with or without a picture: ``site``, ``product_id``, ``title``,
            ``brand``, ``style_code``, ``colourway``, ``release_date``, ``first_observed``, ``twin_group`` and ``shoe``.
        placeholders: Style codes by which products are not joined (see ``style_codes.placeholder_codes``).
    """

    products: pd.DataFrame
    placeholders: pd.DataFrame


def find_shoes(observations: pd.DataFrame, listings: pd.DataFrame, settings: ShoeSettings | None = None) -> Shoes:
    """Assign each product to a shoe.

    Products that share a style code are one shoe. Of those with near-duplicate pictures, the ones with the most similar
    titles are joined first, unless their brands, numbers in their titles or style codes conflict. A shoe is named by
    the style code, or else the site and product, that was observed first, so that its name does not change when
    products are added.

    Args:
        observations: ``tables.Observations`` of all sites.
        listings: ``tables.Listings``; their column ``shoe`` is not used.
        settings: When two products are the same shoe.
    """
    settings = settings or ShoeSettings()
    products = known_products(observations).merge(listings[[*PRODUCT, "twin_group"]], on=PRODUCT, how="left")
    products = products.sort_values(["first_observed", *PRODUCT], ignore_index=True)
    codes = joining_codes(products, settings)
    shoes = _joined(products, codes, settings)
    coded = codes.assign(component=shoes[codes.index]).drop_duplicates("component").set_index("component")["code"]
    first = pd.Series(shoes).drop_duplicates()
    by_product = (products["site"] + "/" + products["product_id"]).loc[first.index].set_axis(first.to_numpy())
    names = coded.reindex(first.to_numpy()).fillna(by_product)
    return Shoes(
        products=products.assign(shoe=names.reindex(shoes).to_numpy(dtype=object)),
        placeholders=placeholder_codes(product_codes(products), settings),
    )


def with_shoes(listings: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Listings with the column ``shoe``.

    Args:
        listings: ``tables.Listings``.
        products: ``Shoes.products``.
    """
    names = products[[*PRODUCT, "shoe"]]
    named = listings.drop(columns="shoe").merge(names, on=PRODUCT, how="left", validate="one_to_one")
    return named[listings.columns]


def _joined(products: pd.DataFrame, codes: pd.DataFrame, settings: ShoeSettings) -> "np.ndarray[Any, np.dtype[Any]]":
    """Number of the shoe of each product: the position of one of its products."""
    from scipy.cluster.hierarchy import DisjointSet

    shoes = DisjointSet(range(len(products)))
    for rows in codes.groupby("code").indices.values():
        positions = codes.index[rows]
        for position in positions[1:]:
            shoes.merge(positions[0], position)
    _join_by_picture(shoes, products, set(codes.index), settings)
    return np.array([shoes[position] for position in range(len(products))], dtype=int)


def _join_by_picture(
    shoes: "DisjointSet[int]", products: pd.DataFrame, coded: set[int], settings: ShoeSettings
) -> None:
    """Join products of one picture, the most similar titles first, but no two shoes that have style codes."""
    coded = {shoes[position] for position in coded}
    for rows in products.groupby("twin_group").indices.values():
        if not 1 < len(rows) <= _MAX_PRODUCTS:
            continue
        for one, other in _similar_pairs(products.iloc[rows], settings.min_title_similarity):
            roots = {shoes[one], shoes[other]}
            if not roots <= coded:
                shoes.merge(one, other)
                coded |= {shoes[one]} if roots & coded else set()


def _similar_pairs(products: pd.DataFrame, min_similarity: float) -> Iterator[tuple[int, int]]:
    """Pairs of index labels whose brands and titles can be of one shoe, in decreasing order of similarity."""
    from rapidfuzz import fuzz, process

    titles = [_TOKEN.findall(str(title).casefold()) for title in products["title"]]
    brands = [_letters(brand) for brand in products["brand"]]
    texts = [" ".join(title) for title in titles]
    similarity = process.cdist(texts, texts, scorer=fuzz.token_set_ratio, score_cutoff=min_similarity)
    pairs = [
        (-similarity[i, j], i, j)
        for i, j in combinations(range(len(texts)), 2)
        if similarity[i, j] >= min_similarity and _one_title(titles[i], titles[j]) and _one_brand(brands[i], brands[j])
    ]
    return ((int(products.index[i]), int(products.index[j])) for _, i, j in sorted(pairs))


def _one_title(one: list[str], other: list[str]) -> bool:
    """Whether the numbers of two titles agree, and there is more than a single word to compare."""
    numbers, more = sorted([{word for word in title if word.isdigit()} for title in (one, other)], key=len)
    return numbers <= more and (sorted(one) == sorted(other) or min(len(one), len(other)) > 1)


def _one_brand(one: str, other: str) -> bool:
    """Whether two brands agree, as `Nike` and `Nike SB` do; one that is not stated agrees with all."""
    return one in other or other in one


def _letters(text: object) -> str:
    return "".join(_TOKEN.findall(text.casefold())) if isinstance(text, str) else ""


def summarise_shoes(
    products: pd.DataFrame, prices: pd.DataFrame, settings: ShoeSettings | None = None, sale_days: float = 30.0
) -> pd.DataFrame:
    """One row per shoe: what the sites state about it, and its prices side by side.

    Args:
        products: ``Shoes.products``.
        prices: ``tables.PriceObservations``.
        settings: When retail prices conflict.
        sale_days: Days of sales by size that make a price (see ``labels.label_listings``).

    Returns:
        ``tables.Shoes``, sorted by decreasing number of sites and products. A value that sites state differently is
        that of the product observed first, and listed in ``conflicts``.
    """
    settings = settings or ShoeSettings()
    priced = prices.merge(products[[*PRODUCT, "shoe"]], on=PRODUCT, how="inner", validate="many_to_one")
    retail = latest_retail_prices(prices)
    stated = products.merge(retail, on=PRODUCT, how="left", validate="one_to_one")
    by_shoe = stated.groupby("shoe", sort=False)
    table = by_shoe[[*_STATED, "retail_price"]].first()
    labels = latest_labels(prices, LABEL_ORDER, sale_days).merge(products[[*PRODUCT, "shoe"]], on=PRODUCT)
    label = labels[(labels["label_kind"] != "retail") & ~is_worn(labels)].groupby("shoe")["price"]
    table = table.assign(
        n_sites=by_shoe["site"].nunique(),
        n_products=by_shoe.size(),
        sites=by_shoe["site"].agg(lambda sites: ", ".join(sorted(set(sites)))),
        n_pictures=by_shoe["twin_group"].nunique(),
        labels=_side_by_side(priced, sale_days),
        lowest=label.min(),
        median=label.median(),
        highest=label.max(),
        conflicts=_conflicts(stated, settings.max_retail_difference),
    ).reset_index()
    table = table.fillna({"labels": "[]", "conflicts": "[]"})
    order = table.sort_values(["n_sites", "n_products", "shoe"], ascending=[False, False, True], ignore_index=True)
    return order[list(tables.Shoes.to_schema().columns)]


def _side_by_side(prices: pd.DataFrame, sale_days: float) -> pd.Series:
    """Latest price of each shoe by site, kind and condition, as JSON arrays with the shoes as index."""
    key = ["shoe", "site", "label_kind", "condition"]
    resale = prices[prices["label_kind"] != "retail"]
    latest = latest_by_kind(resale, [*PRODUCT, *key], sale_days)
    latest = summarise_prices(latest, key).sort_values([*key, "price"]).drop_duplicates(key)
    found: dict[str, list[dict[str, object]]] = {}
    for row in latest.to_dict("records"):
        entry = {
            "site": row["site"],
            "kind": row["label_kind"],
            "condition": row["condition"],
            "price": round(row["price"], 2),
            "observed": f"{row['observed_at']:%Y-%m-%d}",
        }
        found.setdefault(row["shoe"], []).append({name: value for name, value in entry.items() if pd.notna(value)})
    return pd.Series({shoe: _json(entries) for shoe, entries in found.items()}, dtype=object)


def _conflicts(stated: pd.DataFrame, max_retail_difference: float) -> pd.Series:
    """Values that sites state differently about a shoe, as JSON arrays with the shoes as index."""
    several = stated[stated.duplicated("shoe", keep=False)]
    day, retail = several["release_date"].dt.strftime("%Y-%m-%d"), several["retail_price"].round(2)
    several = several.assign(release_date=day, retail_price=retail)
    first = several.groupby(["shoe", "site"])[["brand", "colourway", "retail_price", "release_date"]].first()
    found: dict[str, list[dict[str, object]]] = {}
    for field, column in first.items():
        known = column.dropna()
        for shoe, values in known[known.groupby("shoe").transform("nunique") > 1].groupby("shoe"):
            by_site = values.droplevel("shoe").to_dict()
            if _differ(str(field), list(by_site.values()), max_retail_difference):
                found.setdefault(str(shoe), []).append({"field": field, "values": by_site})
    return pd.Series({shoe: _json(conflicts) for shoe, conflicts in found.items()}, dtype=object)


def _differ(field: str, values: list[Any], max_retail_difference: float) -> bool:
    """Whether at least two different values are more than spellings of one."""
    if field == "retail_price":
        return bool(max(values) / min(values) - 1 > max_retail_difference)
    if field == "brand":
        first, *others = sorted(map(_letters, values), key=len)
        return not all(_one_brand(first, other) for other in others)
    return len({tuple(sorted(_TOKEN.findall(value.casefold()))) for value in values}) > 1


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
