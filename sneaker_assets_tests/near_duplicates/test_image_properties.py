"""Box, mean colour and perceptual hash of images, and their reuse."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from PIL import Image
from upath import UPath

from sneaker_assets import tables
from sneaker_assets.lake import Lake
from sneaker_assets.near_duplicates import image_properties
from sneaker_assets.near_duplicates.image_properties import (
    ImagePropertySettings,
    StoredImageError,
    describe_images,
    reusable_rows,
)
from sneaker_assets.tables import ImageProperties
from sneaker_assets_tests.builders import NOON, digest, drawn_shoe, store_image

TIGHT = ImagePropertySettings(margin=0.0)


def seen(*hashes: str) -> pd.DataFrame:
    return pd.DataFrame({"sha256": hashes, "first_seen": pd.to_datetime([NOON] * len(hashes))})


def describe(lake: Lake, image: Image.Image, settings: ImagePropertySettings = TIGHT) -> pd.Series:
    name = store_image(lake, image)
    return ImageProperties.validate(describe_images(lake, seen(name), None, settings)).iloc[0]


def test_white_border_is_excluded_from_box_and_colour(lake: Lake) -> None:
    image = Image.new("RGB", (100, 80), "white")
    image.paste((200, 30, 10), (20, 30, 70, 60))
    found = describe(lake, image)
    assert found[["left", "top", "right", "bottom"]].tolist() == [20, 30, 70, 60]
    assert found[["red", "green", "blue"]].tolist() == [200, 30, 10]


def test_box_has_a_margin_and_is_in_pixels_of_the_full_image(lake: Lake) -> None:
    image = Image.new("RGB", (1600, 1200), "white")
    image.paste("black", (400, 600, 1200, 1000))
    found = describe(lake, image, ImagePropertySettings(margin=0.1))
    assert found[["left", "top", "right", "bottom"]].to_numpy() == pytest.approx([320, 520, 1280, 1080], abs=8)


def test_tolerance_determines_the_border(lake: Lake) -> None:
    image = Image.new("RGB", (60, 40), (245, 245, 245))
    image.paste("black", (20, 10, 40, 30))
    assert describe(lake, image)["left"] == 20
    assert describe(lake, image, ImagePropertySettings(tolerance=4, margin=0.0))["left"] == 0


@pytest.mark.parametrize("colour", ["white", "grey"])
def test_blank_image_has_no_hash(lake: Lake, colour: str) -> None:
    found = describe(lake, Image.new("RGB", (30, 20), colour))
    assert found["picture_hash"] is None or pd.isna(found["picture_hash"])
    assert (found["right"], found["bottom"]) == (30, 20)


def test_transparent_pixels_count_as_white(lake: Lake) -> None:
    image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    image.paste((10, 200, 30, 255), (20, 10, 40, 30))
    found = describe(lake, image)
    assert (found["left"], found["green"]) == (20, 200)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK"])
def test_images_of_any_mode_are_decoded(lake: Lake, mode: str) -> None:
    name = store_image(lake, drawn_shoe().convert(mode), "TIFF")
    assert describe_images(lake, seen(name))["picture_hash"].notna().all()


def test_only_new_images_are_decoded_and_known_ones_are_kept(lake: Lake) -> None:
    first, second = store_image(lake, drawn_shoe(0)), store_image(lake, drawn_shoe(1))
    known = describe_images(lake, seen(first))
    lake.image(first).unlink()
    later = seen(second).assign(first_seen=NOON + timedelta(days=1))
    both = ImageProperties.validate(describe_images(lake, later, known))
    assert both["sha256"].tolist() == [first, second]
    pd.testing.assert_frame_equal(both.head(1), ImageProperties.validate(known))


def test_other_settings_recompute_the_properties(lake: Lake) -> None:
    name = store_image(lake, drawn_shoe())
    known = describe_images(lake, seen(name), None, ImagePropertySettings(margin=0.2))
    assert describe_images(lake, seen(name), known, TIGHT)["left"].iloc[0] > known["left"].iloc[0]


@pytest.mark.parametrize("column", ["green", "recipe"])
def test_table_without_a_column_is_recomputed(lake: Lake, column: str) -> None:
    name = store_image(lake, drawn_shoe())
    whole = describe_images(lake, seen(name))
    earlier = whole.drop(columns=column).assign(left=0)
    assert reusable_rows(earlier, ImagePropertySettings()).empty
    pd.testing.assert_frame_equal(describe_images(lake, seen(name), earlier), whole)


def test_added_column_is_computed_for_images_of_an_earlier_table(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    class WithAspect(ImageProperties):
        probe: float = pa.Field(gt=0, description="Width over height of the content box.")

    def with_aspect(path: UPath, settings: ImagePropertySettings) -> dict[str, object]:
        found = describe_one(path, settings)
        box = [float(str(found[side])) for side in ("left", "top", "right", "bottom")]
        return {**found, "probe": (box[2] - box[0]) / (box[3] - box[1])}

    first, second = store_image(lake, drawn_shoe(0)), store_image(lake, drawn_shoe(1))
    earlier = describe_images(lake, seen(first))
    describe_one = image_properties._describe
    monkeypatch.setattr(tables, "ImageProperties", WithAspect)
    monkeypatch.setattr(image_properties, "_describe", with_aspect)
    table = WithAspect.validate(describe_images(lake, seen(first, second), earlier))
    assert table["sha256"].isin([first, second]).sum() == 2
    assert set(table["recipe"]).isdisjoint(earlier["recipe"])
    monkeypatch.undo()
    again = describe_images(lake, seen(first, second), table)
    assert list(again.columns) == list(earlier.columns)
    assert set(again["recipe"]) == set(earlier["recipe"])


def test_first_seen_is_the_earliest_time(lake: Lake) -> None:
    name = store_image(lake, drawn_shoe())
    known = describe_images(lake, seen(name).assign(first_seen=NOON + timedelta(days=1)))
    assert describe_images(lake, seen(name), known)["first_seen"].tolist() == [pd.Timestamp(NOON)]


def test_missing_image_is_named(lake: Lake) -> None:
    with pytest.raises(StoredImageError, match=f"{digest('gone')} cannot be read.*materialize scraped_images"):
        describe_images(lake, seen(digest("gone")))


def test_no_images_give_an_empty_table(lake: Lake) -> None:
    assert ImageProperties.validate(describe_images(lake, seen())).empty


def test_image_of_one_pixel_is_valid(lake: Lake) -> None:
    assert describe(lake, Image.fromarray(np.zeros((1, 1, 3), dtype=np.uint8)))["right"] == 1
