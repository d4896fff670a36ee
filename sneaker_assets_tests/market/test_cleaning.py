"""Price fences, label conflicts, and the reasons for which listings are removed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sneaker_assets.market.cleaning import CleaningSettings, clean
from sneaker_assets.market.label_conflicts import find_label_conflicts
from sneaker_assets.market.outliers import FenceSettings, iqr_fence, modified_z_fence, price_fences
from sneaker_assets.tables import CleanListings, LabelConflicts, PriceFences, RemovedListings
from sneaker_assets_tests.builders import digest, raw_listings

THIRTY = raw_listings([100.0] * 30)
WIDE = CleaningSettings(k=10.0)
prices = st.lists(st.floats(1, 1e6), min_size=1, max_size=30)


def test_iqr_fence_is_tukeys() -> None:
    fence = iqr_fence(pd.Series([100.0, 200.0, 300.0, 400.0, 500.0]))
    assert (fence.lower, fence.upper) == (-100.0, 700.0)


def test_modified_z_score_is_robust_to_outliers() -> None:
    fence = modified_z_fence(pd.Series([1.0, 2.0, 3.0, 4.0, 1e9]), z=3.5)
    assert fence.upper == pytest.approx(3 + 3.5 / 0.6745)
    mostly_equal = modified_z_fence(pd.Series([3.0, 3.0, 3.0, 3.0, 100.0]))
    assert 3.0 < mostly_equal.upper < 100.0


@pytest.mark.parametrize("method", ["iqr", "modified_z"])
@settings(deadline=None, max_examples=40)
@given(values=prices, order=st.randoms(use_true_random=False))
def test_fence_does_not_depend_on_the_order_of_prices(method: str, values: list[float], order: object) -> None:
    shuffled = list(values)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    fence = FenceSettings(method=method).fence  # type: ignore[arg-type]
    here, there = fence(pd.Series(values)), fence(pd.Series(shuffled))
    assert (here.lower, here.upper) == pytest.approx((there.lower, there.upper))


@pytest.mark.parametrize("method", ["iqr", "modified_z", "fixed_cap"])
@pytest.mark.parametrize("values", [[120.0], [120.0] * 5], ids=["one row", "all equal"])
def test_equal_prices_are_all_kept(method: str, values: list[float]) -> None:
    cleaned = clean(raw_listings(values), CleaningSettings(method=method))  # type: ignore[arg-type]
    assert cleaned.listings["price"].tolist() == values


def test_every_removed_listing_has_a_reason() -> None:
    cleaned = clean(raw_listings([100.0, 110.0, 120.0, 130.0, 1e6, None]))
    CleanListings.validate(cleaned.listings)
    RemovedListings.validate(cleaned.removed)
    assert cleaned.listings["price"].tolist() == [100.0, 110.0, 120.0, 130.0]
    assert cleaned.removed["reason"].tolist() == ["above_fence", "no_price"]
    assert cleaned.removed["limit"].iloc[0] == PriceFences.validate(cleaned.fences)["upper"].iloc[0]


def test_low_outlier_is_removed() -> None:
    removed = clean(raw_listings([1.0, 1000.0, 1010.0, 1020.0, 1030.0, 1040.0])).removed
    assert removed[["price", "reason"]].values.tolist() == [[1.0, "below_fence"]]


def test_fences_can_be_computed_per_site() -> None:
    cheap, dear = raw_listings([10.0, 11.0, 12.0, 13.0, 100.0]), raw_listings([100.0, 110.0, 120.0], site="farfetch")
    both = pd.concat([cheap, dear], ignore_index=True)
    fences = price_fences(both, FenceSettings(per_site=True)).set_index("scope")
    assert fences["above"].to_dict() == {"farfetch": 0, "stockx": 1}
    cleaned = clean(both, CleaningSettings(per_site=True))
    assert cleaned.removed[["site", "price"]].values.tolist() == [["stockx", 100.0]]


def test_fixed_cap_removes_higher_prices() -> None:
    cleaned = clean(raw_listings([100.0, 1366.0, 1368.0]), CleaningSettings(method="fixed_cap"))
    assert cleaned.listings["price"].tolist() == [100.0, 1366.0]


@pytest.mark.parametrize("values", [[], [None, None]], ids=["no rows", "no prices"])
def test_listings_without_any_price_are_an_error(values: list[float | None]) -> None:
    table = raw_listings([None, None]).head(len(values))
    with pytest.raises(ValueError, match=f"none of the {len(values)} listings has a price"):
        clean(table)


def test_label_conflict_is_resolved_by_the_median_and_reported() -> None:
    cleaned = clean(raw_listings([100.0, 120.0, 150.0, 110.0, 112.0], groups=[*"aaabb"]), WIDE)
    assert cleaned.listings["price"].tolist() == [120.0, 120.0, 120.0, 110.0, 112.0]
    assert cleaned.listings["listed_price"].tolist() == [100.0, 120.0, 150.0, 110.0, 112.0]
    conflict = LabelConflicts.validate(cleaned.conflicts).iloc[0]
    assert (conflict["twin_group"], conflict["n"], conflict["spread"]) == (digest("a"), 3, 0.5)


def test_label_conflict_can_be_dropped() -> None:
    table = raw_listings([100.0, 150.0, 110.0], groups=[*"aab"])
    cleaned = clean(table, CleaningSettings(conflict_resolution="drop"))
    assert cleaned.listings["price"].tolist() == [110.0]
    assert cleaned.removed["reason"].tolist() == ["twins_disagree"] * 2


def test_outlier_does_not_affect_the_median_of_near_duplicates() -> None:
    cleaned = clean(raw_listings([100.0, 104.0, 102.0, 103.0, 101.0, 1e6], groups=[*"abcdea"]))
    assert cleaned.conflicts.empty
    assert cleaned.listings["price"].max() == 104.0


def test_one_group_can_span_the_whole_data_set() -> None:
    cleaned = clean(raw_listings([100.0, 120.0, 130.0], groups=[*"aaa"]))
    assert cleaned.listings["price"].tolist() == [120.0] * 3


@settings(deadline=None, max_examples=25)
@given(values=prices, seed=st.integers(0, 99))
def test_kept_and_removed_listings_partition_the_input(values: list[float], seed: int) -> None:
    groups = [str(i) for i in np.random.default_rng(seed).integers(0, 5, len(values))]
    table = THIRTY.head(len(values)).assign(price=values, twin_group=groups)
    for resolution in ("median", "drop"):
        cleaned = clean(table, CleaningSettings(conflict_resolution=resolution))
        assert sorted([*cleaned.listings["product_id"], *cleaned.removed["product_id"]]) == sorted(table["product_id"])
        assert find_label_conflicts(cleaned.listings).empty


def with_conditions(prices: list[float | None], conditions: list[str | None]) -> pd.DataFrame:
    return raw_listings(prices).assign(condition=pd.array(conditions, dtype=object))


def test_used_shoes_are_removed_with_their_reason_and_do_not_move_the_fences() -> None:
    conditions: list[str | None] = ["new", None, "new", "used", "defects", "used"]
    table = with_conditions([100.0, 110.0, 120.0, 20.0, 90.0, None], conditions)
    cleaned = clean(table)
    RemovedListings.validate(cleaned.removed)
    assert CleanListings.validate(cleaned.listings)["price"].tolist() == [100.0, 110.0, 120.0]
    assert cleaned.removed[["product_id", "reason", "condition"]].values.tolist() == [
        ["p3", "used_condition", "used"], ["p4", "used_condition", "defects"], ["p5", "no_price", "used"],
    ]  # fmt: skip
    assert cleaned.removed["limit"].isna().all()
    pd.testing.assert_frame_equal(cleaned.fences, clean(table.head(3)).fences)


def test_used_shoes_can_be_kept() -> None:
    table = with_conditions([100.0, 110.0, 120.0, 105.0], ["new", None, "used", "defects"])
    assert len(clean(table, CleaningSettings(learn_from_used=True)).listings) == 4


def test_data_set_of_used_shoes_only_fails_with_the_setting() -> None:
    with pytest.raises(ValueError, match="all 2 listings with a price are of used shoes or have defects"):
        clean(with_conditions([100.0, 110.0, None], ["used", "defects", None]))
