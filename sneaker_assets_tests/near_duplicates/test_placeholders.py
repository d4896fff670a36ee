import pandas as pd
import pytest
from PIL import Image, ImageDraw

from sneaker_assets.lake import Lake, write_table
from sneaker_assets.near_duplicates.image_properties import describe_images
from sneaker_assets.near_duplicates.placeholders import shows_placeholder
from sneaker_assets.tables import RemovedListings
from sneaker_assets_tests.builders import NOON, drawn_shoe, raw_listings, store_image


def notice() -> Image.Image:
    """A picture that says that there is none yet."""
    image = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(image).text((60, 120), "Image coming soon", "grey", font_size=36)
    return image


@pytest.fixture
def placeholder(lake: Lake) -> str:
    """A placeholder among the lake's removed listings, and a shoe that was removed as an outlier."""
    name, shoe = store_image(lake, notice()), store_image(lake, drawn_shoe(3))
    removed = raw_listings([100.0, 5_000.0]).assign(
        sha256=[name, shoe], reason=["placeholder_picture", "above_fence"], limit=None
    )
    write_table(lake.table("removed_listings"), RemovedListings.validate(removed))
    seen = pd.DataFrame({"sha256": [name, shoe], "first_seen": pd.to_datetime([NOON, NOON])})
    write_table(lake.table("image_properties"), describe_images(lake, seen))
    return name


def test_the_placeholder_and_its_copies_are_recognized(lake: Lake, placeholder: str) -> None:
    assert shows_placeholder(lake, placeholder)
    assert shows_placeholder(lake, store_image(lake, notice().resize((800, 600)), "JPEG", quality=85))


def test_other_pictures_are_no_placeholders(lake: Lake, placeholder: str) -> None:
    assert shows_placeholder(lake, placeholder)
    assert not shows_placeholder(lake, store_image(lake, drawn_shoe(0)))
    assert not shows_placeholder(lake, store_image(lake, drawn_shoe(3)))


def test_no_placeholder_is_known_in_a_lake_without_removed_listings(lake: Lake) -> None:
    assert not shows_placeholder(lake, store_image(lake, notice()))
