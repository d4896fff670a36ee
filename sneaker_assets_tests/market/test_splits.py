"""Splits by group of near duplicates, their stability, proportions and leaks."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sneaker_assets.market.leaks import leak_report
from sneaker_assets.market.splits import (
    SplitSettings,
    assign_splits,
    groups_on_two_sides,
    price_band_balance,
    price_differences,
    proportion_errors,
    split_groups,
)
from sneaker_assets.tables import Splits
from sneaker_assets_tests.builders import digest, listings

TWENTY = listings([100.0] * 20)
STRATIFIED = SplitSettings(stratified=True)


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    groups = [str(i // 2 if i < 800 else i) for i in range(3000)]
    return listings(np.random.default_rng(0).uniform(20, 1300, 3000).tolist(), groups)


def sides(table: pd.DataFrame, how: SplitSettings | None = None) -> pd.Series:
    return assign_splits(table, how).set_index("product_id")["split"]


@pytest.mark.parametrize("how", [SplitSettings(), STRATIFIED])
def test_proportions_hold_within_the_tolerance(many: pd.DataFrame, how: SplitSettings) -> None:
    splits = Splits.validate(assign_splits(many, how))
    errors = proportion_errors(splits, how.proportions)
    assert all(error <= allowed for error, allowed in errors.values())
    assert all(p_value > 0.001 for _, p_value in price_differences(splits).values())


def test_stratified_split_holds_the_proportions_in_each_band(many: pd.DataFrame) -> None:
    alone = many.drop_duplicates("twin_group")
    balance = price_band_balance(assign_splits(alone, STRATIFIED)).set_index("band")
    assert (balance["train"] - balance["test"]).abs().max() < 0.01


def test_new_row_moves_few_groups_of_a_stratified_split(many: pd.DataFrame) -> None:
    before, after = sides(many.iloc[:-1], STRATIFIED), sides(many, STRATIFIED)
    assert (before != after.reindex(before.index)).sum() <= 4


def test_near_duplicates_are_in_one_split(many: pd.DataFrame) -> None:
    splits = assign_splits(many)
    assert groups_on_two_sides(splits) == 0
    torn = splits.assign(split=np.where(splits.index == 0, "test", "train"))
    assert groups_on_two_sides(torn) == 1


@settings(deadline=None, max_examples=30)
@given(
    groups=st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=20),
    kept=st.integers(1, 20),
    order=st.randoms(use_true_random=False),
)
def test_assignment_does_not_depend_on_other_groups_or_the_order_of_rows(
    groups: list[str], kept: int, order: object
) -> None:
    table = TWENTY.head(len(groups)).assign(twin_group=groups)
    positions = list(range(len(table)))
    order.shuffle(positions)  # type: ignore[attr-defined]
    everywhere, some = sides(table), sides(table.iloc[positions[:kept]])
    assert some.to_dict() == everywhere.loc[some.index].to_dict()


def test_another_salt_gives_another_split(many: pd.DataFrame) -> None:
    assert (sides(many) != sides(many, SplitSettings(salt="other"))).mean() > 0.3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train": 0.7, "validation": 0.1, "test": 0.1}, r"sum to 0\.9"),
        ({"train": 0.0, "validation": 0.5, "test": 0.5}, "greater than 0"),
        ({"stratified": True, "released_after": "2020-01-01"}, "stratified and released_after exclude each other"),
        ({"released_after": "soon"}, "must be a date such as 2020-01-01"),
    ],
)
def test_inconsistent_split_settings_are_rejected(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SplitSettings(**values)


def test_split_by_time_tests_on_later_releases(many: pd.DataFrame) -> None:
    released = pd.date_range("2015-01-01", periods=len(many), freq="D", tz="UTC").to_series(index=many.index)
    table = many.assign(release_date=released.where(many.index % 10 > 0))
    cutoff = datetime(2021, 1, 1, tzinfo=UTC)
    splits = assign_splits(table, SplitSettings(released_after="2021-01-01"))
    assert groups_on_two_sides(splits) == 0
    assert table.loc[splits["split"] == "test", "release_date"].min() >= cutoff
    assert table.loc[splits["split"] != "test", "release_date"].max() < pd.Timestamp("2021-01-01", tz="UTC")
    assert set(splits["split"]) == {"train", "validation", "test"}


def test_group_with_an_earlier_release_is_not_in_test() -> None:
    table = listings([100.0, 100.0], ["a", "a"])
    table = table.assign(release_date=pd.to_datetime(["2019-01-01", "2021-01-01"], utc=True))
    splits = assign_splits(table, SplitSettings(released_after="2020-01-01"))
    assert "test" not in set(splits["split"])


def test_group_of_all_rows_is_within_the_tolerance() -> None:
    splits = assign_splits(listings([100.0] * 9, ["a"] * 9))
    assert len(set(splits["split"])) == 1
    assert all(error <= allowed for error, allowed in proportion_errors(splits, (0.7, 0.15, 0.15)).values())


def test_different_price_distributions_are_detected() -> None:
    splits = assign_splits(listings([100.0] * 200 + [900.0] * 200))
    unlike = splits.assign(split=np.where(splits["price"] > 500, "test", "train"))
    assert price_differences(unlike)["test"][1] < 1e-9


def test_leaks_are_counted_by_identical_image_and_by_near_duplicate() -> None:
    table = listings([100.0, 100.0, 130.0, 90.0], ["a", "a", "a", "b"])
    table["sha256"] = [digest("x"), digest("x"), digest("y"), digest("b")]
    report = leak_report(assign_splits(table).assign(split=["train", "test", "test", "test"]))
    assert report[report["split"] == "test"].to_dict("records") == [
        {"split": "test", "rows": 3, "by_bytes": 1, "by_picture": 1, "clean": 1, "same_price": 1}
    ]


def test_splits_by_group_do_not_leak(many: pd.DataFrame) -> None:
    report = leak_report(assign_splits(many))
    assert report[["by_bytes", "by_picture"]].to_numpy().sum() == 0
    assert len(report) == 2


def with_shoes(table: pd.DataFrame, shoes: list[str | None]) -> pd.DataFrame:
    seen = pd.date_range("2020-01-01", periods=len(table), tz="UTC", unit="us")
    return table.assign(shoe=pd.array(shoes, dtype=object), first_seen=seen)


@pytest.mark.parametrize("how", [SplitSettings(), STRATIFIED, SplitSettings(released_after="2015-04-01")])
def test_shoe_with_several_pictures_is_in_one_split(many: pd.DataFrame, how: SplitSettings) -> None:
    released = pd.date_range("2015-01-01", periods=len(many), freq="h", tz="UTC").to_series(index=many.index)
    shoes: list[str | None] = [str(i % 700) if i % 3 else None for i in range(len(many))]
    table = with_shoes(many.assign(release_date=released), shoes)
    splits = Splits.validate(assign_splits(table, how))
    assert groups_on_two_sides(splits) == groups_on_two_sides(splits, "shoe") == 0
    by_picture = assign_splits(table.assign(shoe=None), how).assign(shoe=table["shoe"])
    assert groups_on_two_sides(by_picture, "shoe") > 0
    assert set(splits["split"]) == {"train", "validation", "test"}
    if how.released_after:
        test_groups = split_groups(table)[splits["split"] == "test"]
        assert table.loc[split_groups(table).isin(test_groups), "release_date"].min() >= how.cutoff


def test_shoes_of_one_picture_each_move_no_row(many: pd.DataFrame) -> None:
    table = with_shoes(many, [f"shoe of {group}" for group in many["twin_group"]])
    pd.testing.assert_series_equal(sides(table), sides(many))
    assert split_groups(table).tolist() == many["twin_group"].tolist()


def test_split_group_is_named_by_the_picture_seen_first_and_links_chains() -> None:
    table = with_shoes(listings([100.0] * 5, ["c", "b", "a", "b", "d"]), ["x", "x", "y", "y", None])
    assert split_groups(table).tolist() == [digest("c")] * 4 + [digest("d")]
    later = with_shoes(listings([100.0] * 6, ["c", "b", "a", "b", "d", "0"]), ["x", "x", "y", "y", None, "x"])
    assert split_groups(later).tolist() == [digest("c")] * 4 + [digest("d"), digest("c")]


def test_tolerance_counts_shoes_as_one() -> None:
    table = with_shoes(listings([100.0] * 9), ["x"] * 9)
    splits = assign_splits(table)
    assert len(set(splits["split"])) == 1
    assert all(error <= allowed for error, allowed in proportion_errors(splits, (0.7, 0.15, 0.15)).values())


def test_torn_shoe_is_detected() -> None:
    splits = assign_splits(with_shoes(listings([100.0, 100.0]), ["x", "x"])).assign(split=["train", "test"])
    assert (groups_on_two_sides(splits), groups_on_two_sides(splits, "shoe")) == (0, 1)
