"""Outliers, splits, statistics and bands: what is learned from, and on which side."""

import numpy as np
import pandas as pd
import pytest

from sneaker_assets.market.bands import PRICE_BANDS
from sneaker_assets.market.outliers import iqr_fence, remove_outliers
from sneaker_assets.market.splits import assign_splits, groups_on_two_sides
from sneaker_assets.market.statistics import summarise_prices
from sneaker_assets.tables import CleanListings, PriceStatistics, Splits
from sneaker_assets_tests.builders import listings


def test_the_fence_is_tukeys() -> None:
    fence = iqr_fence(pd.Series([100.0, 200.0, 300.0, 400.0, 500.0]))
    assert (fence.lower, fence.upper) == (-100.0, 700.0)


def test_outliers_and_listings_without_a_price_are_removed_and_counted() -> None:
    cleaned = remove_outliers(listings([100.0, 110.0, 120.0, 130.0, 38538.0, None]))
    CleanListings.validate(cleaned.listings)
    assert cleaned.listings["price"].tolist() == [100.0, 110.0, 120.0, 130.0]
    assert (cleaned.outliers, cleaned.without_price) == (1, 1)


def test_no_price_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="none of the 2 listings has a price"):
        remove_outliers(listings([None, None]))


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    groups = [str(i // 2 if i < 800 else i) for i in range(3000)]
    return listings(np.linspace(20, 1300, 3000).tolist(), groups)


def test_splits_are_about_70_15_15(many: pd.DataFrame) -> None:
    shares = Splits.validate(assign_splits(many))["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.70, abs=0.03)
    assert shares["validation"] == pytest.approx(0.15, abs=0.03)
    assert shares["test"] == pytest.approx(0.15, abs=0.03)


def test_twins_fall_on_one_side(many: pd.DataFrame) -> None:
    splits = assign_splits(many)
    assert groups_on_two_sides(splits) == 0
    torn = splits.assign(split=np.where(splits.index == 0, "test", "train"))
    assert groups_on_two_sides(torn) == 1


def test_adding_and_reordering_rows_moves_no_row(many: pd.DataFrame) -> None:
    sides = assign_splits(many).set_index("product_id")["split"]
    shuffled = assign_splits(many.sample(frac=1, random_state=0)).set_index("product_id")["split"]
    half = assign_splits(many.iloc[::2]).set_index("product_id")["split"]
    assert shuffled.reindex(sides.index).equals(sides)
    assert half.equals(sides.reindex(half.index))


def test_another_salt_is_another_split(many: pd.DataFrame) -> None:
    assert (assign_splits(many)["split"] != assign_splits(many, salt="other")["split"]).mean() > 0.3


def test_proportions_must_sum_to_one(many: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"sum to 0\.9"):
        assign_splits(many, (0.7, 0.1, 0.1))


def test_statistics_are_given_per_population_and_site() -> None:
    both = pd.concat([listings([100.0, 200.0, 5000.0]), listings([300.0], site="farfetch")], ignore_index=True)
    table = PriceStatistics.validate(summarise_prices(both, both[both["price"] < 1000]))
    assert table[["population", "site", "n"]].values.tolist() == [
        ["raw", "all", 4], ["raw", "farfetch", 1], ["raw", "stockx", 3],
        ["clean", "all", 3], ["clean", "farfetch", 1], ["clean", "stockx", 2],
    ]  # fmt: skip
    assert table["maximum"].tolist() == [5000.0, 300.0, 5000.0, 300.0, 300.0, 200.0]


def test_bands_share_out_every_price_once() -> None:
    table = listings([1.0, 499.99, 500.0, 40000.0])
    assert {name: band.select(table)["price"].tolist() for name, band in PRICE_BANDS.items()} == {
        "cheap": [1.0, 499.99],
        "expensive": [500.0, 40000.0],
    }
