"""One picture, one price: where twins are listed at prices too far apart, they are reported and made to agree.

A model sees the picture alone, so it can learn only one price for it. Which images are twins is ``twins``'s concern.
"""

from typing import Literal

import pandas as pd

from sneaker_assets.tables import LabelConflicts

Resolution = Literal["median", "drop"]


def find_conflicts(listings: pd.DataFrame, tolerance: float = 0.10, resolution: Resolution = "median") -> pd.DataFrame:
    """The twin groups whose prices disagree.

    Args:
        listings: ``tables.Listings``; those without a price say nothing.
        tolerance: How much more than the lowest price the highest may be, as a share of it.
        resolution: What is to become of them.

    Returns:
        ``tables.LabelConflicts``, the widest spread first.
    """
    prices = listings[listings["price"].notna()].groupby("twin_group", as_index=False)["price"]
    groups = prices.agg(n="size", lowest="min", median="median", highest="max")
    groups = groups.assign(spread=groups["highest"] / groups["lowest"] - 1, resolution=resolution)
    apart: pd.DataFrame = groups.loc[groups["spread"] > tolerance, list(LabelConflicts.to_schema().columns)]
    return apart.sort_values(["spread", "twin_group"], ascending=[False, True], ignore_index=True)


def agreed_prices(listings: pd.DataFrame, conflicts: pd.DataFrame) -> pd.Series:
    """The price of each listing after its group was made to agree.

    Args:
        listings: ``tables.Listings`` with prices.
        conflicts: ``tables.LabelConflicts`` of them.

    Returns:
        US dollars, of the index of ``listings``: the group's median where that is the resolution, missing where the
        group is dropped, and the listing's own price everywhere else.
    """
    groups = conflicts.set_index("twin_group")
    medians = groups["median"].where(groups["resolution"] == "median")
    in_conflict = listings["twin_group"].isin(conflicts["twin_group"])
    return listings["price"].mask(in_conflict, listings["twin_group"].map(medians).astype(float))
