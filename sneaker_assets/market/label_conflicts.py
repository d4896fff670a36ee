"""Label conflicts: near-duplicate images listed at different prices.

A model sees only the image, so it can learn only one price for a group of near duplicates.
"""

from typing import Literal

import pandas as pd

from sneaker_assets import tables

Resolution = Literal["median", "drop"]


def find_label_conflicts(
    listings: pd.DataFrame, tolerance: float = 0.10, resolution: Resolution = "median"
) -> pd.DataFrame:
    """Groups of near duplicates whose prices differ by more than the tolerance.

    Args:
        listings: ``tables.Listings``; those without a price are ignored.
        tolerance: Maximum relative difference of the highest to the lowest price.
        resolution: How the conflicts are resolved: ``median`` assigns the median price, ``drop`` removes the group.

    Returns:
        ``tables.LabelConflicts``, sorted by decreasing spread.
    """
    prices = listings[listings["price"].notna()].groupby("twin_group", as_index=False)["price"]
    groups = prices.agg(n="size", lowest="min", median="median", highest="max")
    groups = groups.assign(spread=groups["highest"] / groups["lowest"] - 1, resolution=resolution)
    conflicts: pd.DataFrame = groups.loc[groups["spread"] > tolerance, list(tables.LabelConflicts.to_schema().columns)]
    return conflicts.sort_values(["spread", "twin_group"], ascending=[False, True], ignore_index=True)


def resolve_prices(listings: pd.DataFrame, conflicts: pd.DataFrame) -> pd.Series:
    """Price of each listing after its label conflict is resolved.

    Args:
        listings: ``tables.Listings`` with prices.
        conflicts: ``tables.LabelConflicts`` of them.

    Returns:
        US dollars, with the index of ``listings``: the median of the group or, if the group is dropped, missing; the
        listing's own price if there is no conflict.
    """
    groups = conflicts.set_index("twin_group")
    medians = groups["median"].where(groups["resolution"] == "median")
    in_conflict = listings["twin_group"].isin(conflicts["twin_group"])
    return listings["price"].mask(in_conflict, listings["twin_group"].map(medians).astype(float))
