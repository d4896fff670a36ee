"""Train, validation and test: by group, decided by a hash, so that a re-crawl moves nothing from one to another."""

import hashlib

import pandas as pd

from sneaker_assets.tables import SPLITS, Splits


def assign_splits(
    listings: pd.DataFrame, proportions: tuple[float, float, float] = (0.70, 0.15, 0.15), salt: str = "sneakers"
) -> pd.DataFrame:
    """Put each twin group on one side.

    The side is a function of the group's identity alone: adding, removing or re-ordering rows moves no other row.

    Args:
        listings: ``tables.CleanListings``.
        proportions: Shares of train, validation and test; they sum to 1 and hold on average over groups.
        salt: Another salt gives another split.

    Returns:
        ``tables.Splits``, one row a listing, in the order given.

    Raises:
        ValueError: the proportions do not sum to 1.
    """
    if abs(sum(proportions) - 1) > 1e-9:
        raise ValueError(f"the proportions {proportions} sum to {sum(proportions):g}: make them sum to 1")
    train, validation, _ = proportions
    sides = {group: _side(group, train, validation, salt) for group in listings["twin_group"].unique()}
    columns = list(Splits.to_schema().columns)
    return listings.assign(split=listings["twin_group"].map(sides))[columns]


def _side(group: str, train: float, validation: float, salt: str) -> str:
    position = int.from_bytes(hashlib.sha256(f"{salt}/{group}".encode()).digest()[:8]) / 2**64
    return SPLITS[int(position >= train) + int(position >= train + validation)]


def groups_on_two_sides(splits: pd.DataFrame) -> int:
    """How many twin groups lie on more than one side; anything but 0 is a leak."""
    return int(splits.groupby("twin_group")["split"].nunique().gt(1).sum())
