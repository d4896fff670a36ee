import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from upath import UPath

from sneaker_assets.vision.imaging.decoding import Frame, UnreadableImageError, read_image
from sneaker_assets.vision.imaging.photos import MAX_PIXELS, read_photo
from sneaker_assets_tests.builders import drawn_shoe

SQUARE = Frame(64, 64, "pad")


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def half_black() -> Image.Image:
    """White with a black left half, 64x64."""
    image = Image.new("RGB", (64, 64), "white")
    image.paste("black", (0, 0, 32, 64))
    return image


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (half_black(), "PNG"),
        (half_black().convert("L"), "PNG"),
        (half_black().convert("1"), "TIFF"),
        (half_black().convert("P"), "GIF"),
        (half_black().convert("CMYK"), "JPEG"),
        (half_black(), "WEBP"),
        (Image.fromarray(np.asarray(half_black().convert("L")).astype(np.uint16) * 257), "PNG"),
    ],
    ids=["rgb", "greyscale", "bilevel", "palette", "cmyk", "webp", "16 bit"],
)
def test_every_format_and_mode_decodes_to_the_same_pixels(image: Image.Image, kind: str) -> None:
    pixels = read_photo(encoded(image, kind), SQUARE)
    assert pixels.shape == (64, 64, 3)
    assert pixels.dtype == np.uint8
    assert pixels[:, :28].max() < 40
    assert pixels[:, 36:].min() > 215


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_becomes_white(mode: str) -> None:
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 32, 64))
    pixels = read_photo(encoded(image.convert(mode), "PNG"), SQUARE)
    assert pixels[:, :30].max() == 0
    assert pixels[:, 34:].min() == 255


@pytest.mark.parametrize(("orientation", "turned"), [(6, Image.Transpose.ROTATE_90), (3, Image.Transpose.ROTATE_180)])
def test_the_exif_orientation_is_applied(orientation: int, turned: Image.Transpose) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = read_photo(encoded(drawn_shoe(), "JPEG"), SQUARE).astype(int)
    on_its_side = drawn_shoe().transpose(turned)
    assert np.abs(read_photo(encoded(on_its_side, "JPEG", exif=exif), SQUARE) - upright).mean() < 2
    assert np.abs(read_photo(encoded(on_its_side, "JPEG"), SQUARE) - upright).mean() > 5


def test_the_first_image_of_an_animation_is_used() -> None:
    frames = encoded(half_black(), "GIF", save_all=True, append_images=[Image.new("RGB", (64, 64), "red")], duration=9)
    assert np.abs(read_photo(frames, SQUARE).astype(int) - read_photo(encoded(half_black(), "GIF"), SQUARE)).max() < 3


def test_a_product_shot_is_decoded_as_the_lake_decodes_it(tmp_path: Path) -> None:
    (tmp_path / "shoe.jpg").write_bytes(encoded(drawn_shoe(), "JPEG"))
    assert (read_photo(tmp_path / "shoe.jpg", SQUARE) == read_image(UPath(tmp_path / "shoe.jpg"), SQUARE)).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no picture at all", "is not a JPEG, PNG, .* picture"),
        (b"", "is not a JPEG, PNG, .* picture"),
        (encoded(half_black(), "PNG")[:-60], "does not decode"),
        (encoded(Image.new("1", (16_000, 16_000)), "PNG"), f"more than {MAX_PIXELS:,} pixels"),
        (encoded(Image.new("1", (8_000, 8_000)), "PNG"), f"more than {MAX_PIXELS:,} pixels"),
        (encoded(half_black().resize((64, 15)), "PNG"), "has 64x15 pixels: too few"),
        (encoded(Image.new("RGB", (64, 64), "white"), "PNG"), "is blank"),
        (encoded(Image.new("RGBA", (64, 64), (0, 0, 0, 0)), "PNG"), "is blank"),
    ],
    ids=["text", "nothing", "cut", "bomb", "large", "small", "white", "clear"],
)
def test_an_unusable_picture_is_refused_in_one_line(content: bytes, message: str) -> None:
    with pytest.raises(UnreadableImageError, match=message) as raised:
        read_photo(content, SQUARE)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="does not exist"):
        read_photo(tmp_path / "nowhere.jpg", SQUARE)


@pytest.mark.parametrize("kind", [str, Path, UPath])
def test_a_path_and_its_content_decode_to_the_same_pixels(tmp_path: Path, kind: type) -> None:
    content = encoded(drawn_shoe(), "JPEG")
    (tmp_path / "shoe.jpg").write_bytes(content)
    assert (read_photo(kind(tmp_path / "shoe.jpg"), SQUARE) == read_photo(content, SQUARE)).all()


def test_an_array_is_fitted_like_the_file_it_came_from() -> None:
    pixels = np.asarray(drawn_shoe().convert("RGB"))
    assert (read_photo(pixels, SQUARE) == read_photo(encoded(Image.fromarray(pixels), "PNG"), SQUARE)).all()


@pytest.mark.parametrize(
    "pixels", [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3)), np.zeros((1, 64, 64, 3), np.uint8)]
)
def test_an_array_of_another_shape_or_type_is_refused(pixels: Any) -> None:
    with pytest.raises(UnreadableImageError, match=r"pass uint8 \[height, width, 3\] in RGB"):
        read_photo(pixels, SQUARE)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="is a folder"):
        read_photo(tmp_path, SQUARE)
