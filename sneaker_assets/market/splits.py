"""Split into train, validation and test by shoe and group of near duplicates, so that none leaks between them.

Products that are one shoe or show near-duplicate pictures form a group, and so do those linked by others.

There are three ways to assign a group:

- by a hash of its name (the default): the assignment does not depend on other groups, and new members of a group follow
  it. Proportions hold in expectation.
- stratified: the proportions hold within each price band as closely as its groups allow. Groups are sorted by their
  hash and cut, so that a new group moves at most those next to a cut.
- by time: groups first released at or after a given time are in test; the others are assigned by their hash.
"""

import hashlib
from datetime import UTC, datetime
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field, field_validator, model_validator

from sneaker_assets import tables
from sneaker_assets.market.bands import band_of
from sneaker_assets.settings.model import SettingsModel
from sneaker_assets.tables import SPLITS


class SplitSettings(SettingsModel):
    """Shares of train, validation and test, which sum to 1, and how groups are assigned to them."""

    train: float = Field(
        default=0.70, gt=0, le=1, description="Share of the groups of near duplicates and shoes to train on."
    )
    validation: float = Field(default=0.15, ge=0, le=1, description="Share of the groups to select models on.")
    test: float = Field(default=0.15, ge=0, le=1, description="Share of the groups to evaluate models on.")
    salt: str = Field(
        default="sneakers", description="Salt of the hash that assigns groups; another gives another split."
    )
    stratified: bool = Field(default=False, description="Stratify the split by price band.")
    released_after: str | None = Field(
        default=None,
        description="Split by time: an ISO date, such as 2020-01-01, from which on releases are held out for testing.",
    )

    @field_validator("released_after")
    @classmethod
    def _iso_date(cls, released_after: str | None) -> str | None:
        try:
            datetime.fromisoformat(released_after or "2020-01-01")
        except ValueError as error:
            raise ValueError("released_after must be a date such as 2020-01-01") from error
        return released_after or None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        total = sum(self.proportions)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test sum to {total:g}: make them sum to 1")
        if self.stratified and self.released_after:
            raise ValueError("stratified and released_after exclude each other: choose one of the two")
        return self

    @property
    def proportions(self) -> tuple[float, float, float]:
        """Shares of train, validation and test."""
        return self.train, self.validation, self.test

    @property
    def cutoff(self) -> datetime | None:
        """Start of the day ``released_after`` in UTC."""
        return datetime.fromisoformat(self.released_after).replace(tzinfo=UTC) if self.released_after else None


def assign_splits(listings: pd.DataFrame, settings: SplitSettings | None = None) -> pd.DataFrame:
    """Assign each group of near duplicates and shoes to train, validation or test.

    Args:
        listings: ``tables.CleanListings``.
        settings: Proportions and method.

    Returns:
        ``tables.Splits``, one row per listing, in the given order.
    """
    settings = settings or SplitSettings()
    names = split_groups(listings)
    groups = listings.groupby(names).agg(price=("price", "median"), released=("release_date", "min"))
    position = pd.Series(
        [_position(str(group), settings.salt) for group in groups.index], index=groups.index, dtype=float
    )
    if settings.stratified:
        band = groups["price"].map(band_of)
        position = (position.groupby(band).rank() - 0.5) / position.groupby(band).transform("size")
    sides = _sides(groups, position, settings)
    columns = list(tables.Splits.to_schema().columns)
    return listings.assign(split=names.map(sides).astype(object)).reindex(columns=columns)


def split_groups(listings: pd.DataFrame) -> pd.Series:
    """Assign each listing to the group that is split as a whole: near duplicates, and all products of their shoes.

    Args:
        listings: ``twin_group`` and optionally ``shoe`` and ``first_seen``.

    Returns:
        Name of each listing's group, with the index of ``listings``: the group of near duplicates that was seen first,
        so that groups without a shoe in common with others are named, and split, as these.
    """
    twins = listings["twin_group"]
    if "shoe" not in listings or listings["shoe"].isna().all():
        return twins
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    by_age = [column for column in ("first_seen", "twin_group") if column in listings]
    order = listings.sort_values(by_age)["twin_group"].unique()
    twin = pd.Index(order).get_indexer(twins)
    shoe, known = pd.factorize(listings["shoe"])
    linked = shoe >= 0
    size = len(order) + len(known)
    edges = (np.ones(int(linked.sum()), dtype=bool), (twin[linked], len(order) + shoe[linked]))
    component = connected_components(coo_array(edges, shape=(size, size)), directed=False)[1][: len(order)]
    _, oldest = np.unique(component, return_index=True)
    return pd.Series(order[oldest][component][twin], index=listings.index, name="twin_group")


def _position(group: str, salt: str) -> float:
    """Hash of a group's name, mapped to [0, 1)."""
    return int.from_bytes(hashlib.sha256(f"{salt}/{group}".encode()).digest()[:8]) / 2**64


def _sides(groups: pd.DataFrame, position: pd.Series, settings: SplitSettings) -> pd.Series:
    train, validation, test = settings.proportions
    if settings.cutoff is None:
        return _cut(position, train, train + validation)
    return _cut(position, train / (1 - test), 1.0).mask(groups["released"] >= settings.cutoff, "test")


def _cut(position: pd.Series, train: float, validation: float) -> pd.Series:
    """Split of each position: train below the first cut, validation below the second, test above."""
    return pd.Series(np.array(SPLITS)[np.searchsorted([train, validation], position, side="right")], position.index)


def groups_on_two_sides(splits: pd.DataFrame, column: str = "twin_group") -> int:
    """Number of groups that are in more than one split; anything but 0 is a leak.

    Args:
        splits: ``tables.Splits``.
        column: ``twin_group`` for groups of near duplicates, ``shoe`` for shoes.
    """
    return int(splits.groupby(column)["split"].nunique().gt(1).sum())


def proportion_errors(splits: pd.DataFrame, proportions: tuple[float, float, float]) -> dict[str, tuple[float, float]]:
    """Deviation of each split's share of the rows from its proportion, and the deviation expected by chance.

    Rows are assigned by group, so the share p has the standard deviation sqrt(p (1 - p) sum(g^2)) / n for group sizes g
    and n rows. The tolerance is three standard deviations plus 0.005.

    Args:
        splits: ``tables.Splits``.
        proportions: Intended shares of train, validation and test.

    Returns:
        Absolute deviation and tolerance by split, both as shares of the rows.
    """
    sizes = split_groups(splits).value_counts()
    clumps = float(np.sqrt((sizes.astype(float) ** 2).sum())) / len(splits)
    shares = splits["split"].value_counts(normalize=True)
    return {
        side: (abs(float(shares.get(side, 0.0)) - share), 3 * float(np.sqrt(share * (1 - share))) * clumps + 0.005)
        for side, share in zip(SPLITS, proportions, strict=True)
    }


def price_differences(splits: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Two-sample Kolmogorov-Smirnov tests of the prices of validation and test against those of train.

    Each group of near duplicates and shoes counts once, with its median price, since its members are not independent.

    Args:
        splits: ``tables.Splits``.

    Returns:
        Statistic (0 to 1) and p-value by split; splits without rows are missing.
    """
    from scipy.stats import ks_2samp

    prices = splits.groupby(["split", split_groups(splits)])["price"].median()
    found = set(prices.index.get_level_values("split"))
    if "train" not in found:
        return {}
    tests = {side: ks_2samp(prices["train"], prices[side]) for side in SPLITS[1:] if side in found}
    return {side: (float(test.statistic), float(test.pvalue)) for side, test in tests.items()}


def price_band_balance(splits: pd.DataFrame) -> pd.DataFrame:
    """Share of each split's rows in each price band: column ``band`` and one column per split."""
    bands = splits["price"].map(band_of).rename("band")
    shares = pd.crosstab(bands, splits["split"], normalize="columns")
    return shares.reindex(columns=[side for side in SPLITS if side in shares]).reset_index()
