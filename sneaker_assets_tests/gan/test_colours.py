import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.gan.colours import name_colours
from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.settings import COLOURS

channels = st.integers(0, 255)


def box(colour: tuple[int, int, int], background: int = 255) -> UInt8Array:
    """A box in the middle of a plain background."""
    image = np.full((32, 32, 3), background, np.uint8)
    image[8:24, 4:28] = colour
    return image


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((200, 30, 30), "red"), ((220, 20, 60), "red"), ((230, 120, 20), "orange"), ((120, 80, 50), "orange"),
        ((230, 210, 40), "yellow"), ((40, 140, 60), "green"), ((30, 60, 160), "blue"), ((0, 160, 170), "blue"),
        ((150, 40, 170), "purple"), ((230, 120, 180), "purple"), ((20, 20, 25), "black"), ((120, 120, 125), "grey"),
        ((200, 205, 210), "white"),
    ],
)  # fmt: skip
def test_colours_have_their_usual_names(colour: tuple[int, int, int], name: str) -> None:
    assert name_colours(box(colour)[None]) == [name]


@given(channels, channels, channels)
def test_every_visible_shoe_has_a_known_colour(red: int, green: int, blue: int) -> None:
    (name,) = name_colours(box((red, green, blue), background=255 if max(red, green, blue) < 200 else 0)[None])
    assert name in COLOURS
    low, high = min(red, green, blue), max(red, green, blue)
    assert (name in COLOURS[:3]) == ((high - low) / 255 < 0.1)


def test_the_name_does_not_depend_on_the_brightness_of_a_hue() -> None:
    for hue in np.linspace(0, 0.99, 60):
        shades = [colorsys.hsv_to_rgb(hue, 1, value) for value in (0.5, 0.7)]
        bright, dark = ((int(255 * red), int(255 * green), int(255 * blue)) for red, green, blue in shades)
        assert abs(hue * 360 - min((20, 45, 70, 165, 255, 345), key=lambda edge: abs(edge - hue * 360))) < 2 or (
            name_colours(np.stack([box(bright), box(dark)])) == name_colours(np.stack([box(bright)] * 2))
        )


def test_an_image_of_a_single_colour_has_no_name() -> None:
    assert name_colours(np.full((2, 32, 32, 3), 90, np.uint8)) == [None, None]
