"""Grouping of near duplicates, and the stability of group names."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from sneaker_assets.lake import Lake
from sneaker_assets.near_duplicates.grouping import NearDuplicateSettings, group_near_duplicates, near_pairs
from sneaker_assets.near_duplicates.image_properties import describe_images
from sneaker_assets_tests.builders import NOON, digest, drawn_shoe, pictures, store_image


def clustered(n: int, seed: int) -> NDArray[np.uint64]:
    """Random hashes, many of which are close to one another."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (max(1, n // 4), 256), dtype=np.uint8)[rng.integers(0, max(1, n // 4), n)]
    flips = rng.random((n, 256)) < rng.uniform(0, 0.08, (n, 1))
    return np.packbits(bits ^ flips, axis=1).view(np.uint64)


@settings(deadline=None, max_examples=50)
@given(n=st.integers(0, 40), seed=st.integers(0, 1000), distance=st.integers(0, 40))
def test_banded_search_finds_the_same_pairs_as_brute_force(n: int, seed: int, distance: int) -> None:
    hashes = clustered(n, seed)
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2)
    expected = np.argwhere(np.triu(apart <= distance, 1))
    assert near_pairs(hashes, distance).tolist() == expected.tolist()


def variants(image: Image.Image) -> dict[str, tuple[Image.Image, str, dict[str, int]]]:
    return {
        "as it was": (image, "PNG", {}),
        "re-encoded": (image, "JPEG", {"quality": 70}),
        "resized": (image.resize((image.width * 2 // 3, image.height * 2 // 3)), "JPEG", {"quality": 90}),
        "padded": (ImageOps.expand(image, (30, 60, 90, 10), "white"), "WEBP", {"quality": 80}),
    }


def test_re_encoded_resized_and_padded_copies_are_one_group(lake: Lake) -> None:
    owners = {
        store_image(lake, image, file_format, **options): seed
        for seed in range(6)
        for image, file_format, options in variants(drawn_shoe(seed)).values()
    }
    seen = pd.DataFrame({"sha256": list(owners), "first_seen": pd.to_datetime([NOON] * len(owners))})
    table = describe_images(lake, seen)
    groups = group_near_duplicates(table).groupby(table["sha256"].map(owners))
    assert groups.nunique().tolist() == [1] * 6
    assert group_near_duplicates(table).nunique() == 6


@pytest.mark.parametrize(
    "other",
    [
        drawn_shoe(1),
        ImageOps.mirror(drawn_shoe(0)),
        drawn_shoe(0).resize((470, 240)),
        ImageEnhance.Color(drawn_shoe(0)).enhance(3.0),
    ],
    ids=["another shoe", "mirrored", "stretched", "in other colours"],
)
def test_similar_images_are_not_near_duplicates(lake: Lake, other: Image.Image) -> None:
    names = [store_image(lake, drawn_shoe(0)), store_image(lake, other)]
    seen = pd.DataFrame({"sha256": names, "first_seen": pd.to_datetime([NOON] * 2)})
    table = describe_images(lake, seen)
    assert group_near_duplicates(table, NearDuplicateSettings(max_colour_difference=2.0)).nunique() == 2


def hashed(*groups: str) -> pd.DataFrame:
    """One image per letter, each a day later; equal letters have equal hashes."""
    return pictures(
        *[
            {"sha256": digest(f"image {i}"), "picture_hash": digest(group), "first_seen": NOON + timedelta(days=i)}
            for i, group in enumerate(groups)
        ]
    )


def test_group_keeps_the_name_of_its_first_image() -> None:
    before = hashed(*"aab")
    assert group_near_duplicates(before).tolist() == [digest("image 0"), digest("image 0"), digest("image 2")]
    after = hashed(*"aabbab")
    assert group_near_duplicates(after).tolist()[:3] == group_near_duplicates(before).tolist()


def test_image_without_a_hash_is_a_group_of_its_own() -> None:
    assert group_near_duplicates(pictures({}, {"sha256": digest("q")})).nunique() == 2


def test_empty_table_has_no_groups() -> None:
    assert group_near_duplicates(pictures({}).head(0)).empty


def test_one_group_can_contain_all_images() -> None:
    assert group_near_duplicates(hashed(*"a" * 500)).unique().tolist() == [digest("image 0")]


@settings(deadline=None, max_examples=30)
@given(groups=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=20), order=st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_row_order_or_other_groups(groups: list[str], order: object) -> None:
    table = hashed(*groups)
    names = group_near_duplicates(table)
    positions = list(range(len(table)))
    order.shuffle(positions)  # type: ignore[attr-defined]
    assert group_near_duplicates(table.iloc[positions]).sort_index().equals(names)
    without = table[[group != groups[0] for group in groups]]
    assert group_near_duplicates(without).tolist() == names.loc[without.index].tolist()
