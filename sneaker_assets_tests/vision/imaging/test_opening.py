"""A file has the same pixels for every reader, and they are those of the picture it was made of."""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from upath import UPath

from sneaker_assets.crawl.images import image_size
from sneaker_assets.figures.listings import image_sample
from sneaker_assets.figures.style import to_png
from sneaker_assets.gan.images import load_square_images
from sneaker_assets.lake import Lake
from sneaker_assets.near_duplicates.grouping import group_near_duplicates
from sneaker_assets.near_duplicates.image_properties import describe_images
from sneaker_assets.vision.imaging.decoding import Frame, read_batches, read_image
from sneaker_assets.vision.imaging.opening import ImageDecodeError, open_image
from sneaker_assets.vision.imaging.photos import read_photo
from sneaker_assets_tests.builders import NOON, drawn_shoe, listings, store_image
from sneaker_assets_tests.vision.imaging.icc import red_cyan_profile, wide_gamut_profile

FRAME = Frame(96, 96)
ORIENTATIONS = {
    1: (),
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_90,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_270,),
}
"""EXIF orientation to the way in which a camera that states it has turned the picture."""


def shoe() -> Image.Image:
    """A product shot that no reader decodes at a reduced scale: 320x160 pixels."""
    return drawn_shoe().convert("RGB").resize((320, 160), Image.Resampling.LANCZOS)


def cut_out() -> Image.Image:
    """The same with transparent in place of white pixels, whose hidden colour is black."""
    grey = np.asarray(shoe().convert("L"))
    pixels = np.dstack([np.asarray(shoe()), np.where(grey > 250, 0, 255).astype(np.uint8)])
    pixels[grey > 250, :3] = 0
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation: int, kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = shoe()
    for turn in ORIENTATIONS[orientation]:
        image = image.transpose(turn)
    return encoded(image, kind, exif=exif, **({} if kind in ("PNG", "TIFF") else {"quality": 95}))


def grey(dtype: type[np.generic], white: float) -> Image.Image:
    levels = np.asarray(shoe().convert("L")).astype(np.float64) / 255
    return Image.fromarray((levels * white).astype(dtype))


def rgb_png_of_16_bits() -> bytes:
    """A PNG that Pillow does not write: 16 bits in each of three channels."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in np.asarray(shoe()).astype(np.uint16) * 257)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 320, 160, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    framed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def film(kind: str, **options: Any) -> bytes:
    return encoded(shoe(), kind, save_all=True, append_images=[Image.new("RGB", (320, 160), "red")], **options)


def late_exif_png() -> bytes:
    """A PNG with its EXIF block behind its pixels, as the standard allows."""
    data = turned(6, "PNG")
    start = data.index(b"eXIf") - 4
    chunk = data[start : start + 12 + int.from_bytes(data[start : start + 4], "big")]
    end = data.index(b"IEND") - 4
    return data[:start] + data[start + len(chunk) : end] + chunk + data[end:]


COLOUR: Mapping[str, Callable[[], bytes]] = {
    **{f"exif {value} jpeg": partial(turned, value, "JPEG") for value in ORIENTATIONS},
    **{f"exif 6 {kind}": partial(turned, 6, kind) for kind in ("PNG", "WEBP", "TIFF", "AVIF")},
    "exif behind the pixels": late_exif_png,
    "progressive jpeg": lambda: encoded(shoe(), "JPEG", quality=95, progressive=True),
    "jpeg of two pictures": lambda: film("MPO", quality=95),
    "16 bit rgb png": rgb_png_of_16_bits,
    "cmyk jpeg": lambda: encoded(shoe().convert("CMYK"), "JPEG", quality=95),
    "cmyk tiff": lambda: encoded(shoe().convert("CMYK"), "TIFF"),
    "png with alpha": lambda: encoded(cut_out(), "PNG"),
    "webp with alpha": lambda: encoded(cut_out(), "WEBP", lossless=True),
    "palette png": lambda: encoded(shoe().quantize(256), "PNG"),
    "palette png with transparency": lambda: encoded(cut_out().quantize(256), "PNG"),
    "gif": lambda: encoded(shoe(), "GIF"),
    "animated gif": lambda: film("GIF", duration=9),
    "animated webp": lambda: film("WEBP", duration=9, quality=95),
    "animated png": lambda: film("PNG", duration=9),
    "tiff of two pages": lambda: film("TIFF"),
    "bmp": lambda: encoded(shoe(), "BMP"),
    "avif": lambda: encoded(shoe(), "AVIF", quality=95),
}  # fmt: skip
"""Encodings that keep the picture's colours, but for a few levels."""

GREY: Mapping[str, Callable[[], bytes]] = {
    "grey jpeg": lambda: encoded(shoe().convert("L"), "JPEG", quality=95),
    "grey png with alpha": lambda: encoded(cut_out().convert("LA"), "PNG"),
    "16 bit png": lambda: encoded(grey(np.uint16, 65_535), "PNG"),
    "16 bit tiff": lambda: encoded(grey(np.uint16, 65_535), "TIFF"),
    "32 bit tiff": lambda: encoded(grey(np.int32, 65_535), "TIFF"),
    "8 bits in 32 bit tiff": lambda: encoded(grey(np.int32, 255), "TIFF"),
    "float tiff to 1": lambda: encoded(grey(np.float32, 1.0), "TIFF"),
    "float tiff to 255": lambda: encoded(grey(np.float32, 255.0), "TIFF"),
    "float tiff to 65,535": lambda: encoded(grey(np.float32, 65_535.0), "TIFF"),
}
"""Encodings of the grey picture."""

BILEVEL: Mapping[str, Callable[[], bytes]] = {
    "1 bit png": lambda: encoded(shoe().convert("1"), "PNG"),
    "1 bit tiff": lambda: encoded(shoe().convert("1"), "TIFF", compression="group4"),
}

FILES: Mapping[str, Callable[[], bytes]] = {
    **COLOUR,
    **GREY,
    **BILEVEL,
    "wide gamut jpeg": lambda: encoded(shoe(), "JPEG", quality=95, icc_profile=wide_gamut_profile()),
    "cmyk jpeg with a profile": lambda: encoded(
        shoe().convert("CMYK"), "JPEG", quality=95, icc_profile=red_cyan_profile()
    ),
}
CONTENTS = {name: FILES[name]() for name in ("exif 6 jpeg", "avif", "animated gif", "16 bit png", "cmyk tiff", "bmp")}


def decoded(data: bytes) -> Image.Image:
    return open_image(io.BytesIO(data)).decode()


@pytest.mark.parametrize("name", FILES)
def test_every_reader_sees_the_same_pixels(name: str, lake: Lake) -> None:
    data = FILES[name]()
    path, plain = UPath(lake.root / "picture"), lake.image(store_image(lake, decoded(data)))
    path.write_bytes(data)
    expected = read_image(plain, FRAME)
    assert (read_image(path, FRAME) == expected).all(), "lake"
    assert (next(read_batches([path], 1, FRAME))[0] == expected).all(), "features"
    assert (read_photo(data, FRAME) == expected).all(), "price command"
    generator = load_square_images([path, plain], 160)
    assert (generator[0] == generator[1]).all(), "generator"
    assert image_size(data) == Image.open(io.BytesIO(plain.read_bytes())).size == (320, 160), "crawl"


@pytest.mark.parametrize("name", FILES)
def test_image_properties_are_those_of_the_decoded_pixels(name: str, lake: Lake) -> None:
    data = FILES[name]()
    plain = store_image(lake, decoded(data))
    copy = "0" * 64
    lake.image(copy).parent.mkdir(parents=True, exist_ok=True)
    lake.image(copy).write_bytes(data)
    seen = pd.DataFrame({"sha256": [plain, copy], "first_seen": pd.to_datetime([NOON, NOON])})
    found = describe_images(lake, seen).drop(columns="sha256")
    pd.testing.assert_series_equal(found.iloc[0], found.iloc[1], check_names=False)


@pytest.mark.parametrize("name", COLOUR)
def test_colours_and_orientation_are_those_of_the_picture(name: str) -> None:
    found = np.asarray(decoded(COLOUR[name]())).astype(int)
    assert np.abs(found - np.asarray(shoe())).mean() < 3


@pytest.mark.parametrize("name", GREY)
def test_grey_levels_are_those_of_the_picture(name: str) -> None:
    found = np.asarray(decoded(GREY[name]())).astype(int)
    assert np.abs(found - np.asarray(shoe().convert("L").convert("RGB"))).mean() < 2


@pytest.mark.parametrize("name", BILEVEL)
def test_bilevel_pictures_are_black_and_white(name: str) -> None:
    assert set(np.unique(np.asarray(decoded(BILEVEL[name]())))) == {0, 255}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_turned_photo_is_a_near_duplicate_of_its_upright_copy(orientation: int, lake: Lake) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = drawn_shoe(1).convert("RGB").resize((1880, 856))
    upright = store_image(lake, photo, "JPEG", quality=90)
    for turn in ORIENTATIONS[orientation]:
        photo = photo.transpose(turn)
    on_its_side = store_image(lake, photo, "JPEG", quality=80, exif=exif)
    seen = pd.DataFrame({"sha256": [upright, on_its_side], "first_seen": pd.to_datetime([NOON, NOON])})
    table = describe_images(lake, seen)
    assert len(set(group_near_duplicates(table))) == 1
    frames = [read_image(lake.image(name), FRAME).astype(int) for name in (upright, on_its_side)]
    assert np.abs(frames[0] - frames[1]).mean() < 2


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert decoded(encoded(shoe(), "JPEG", exif=exif)).size == (320, 160)


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_broken_metadata_do_not_make_an_image_unreadable(junk: bytes) -> None:
    picture = decoded(encoded(shoe(), "PNG", exif=b"Exif\0\0" + junk, icc_profile=junk))
    assert sorted(picture.size) == [160, 320]


def test_a_colour_profile_that_is_not_srgb_is_converted() -> None:
    wide = wide_gamut_profile()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert decoded(encoded(shoe(), "PNG", icc_profile=lab)).tobytes() == shoe().tobytes(), "does not fit the mode"
    found = np.asarray(decoded(encoded(shoe(), "PNG", icc_profile=wide))).astype(int)
    assert np.abs(found - np.asarray(shoe())).max() > 20
    grey_wedge = Image.new("RGB", (8, 8), (128, 128, 128))
    neutral = np.asarray(decoded(encoded(grey_wedge, "PNG", icc_profile=wide)))[0, 0]
    assert np.ptp(neutral) <= 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_the_profile_of_a_cmyk_picture_is_applied(kind: str) -> None:
    ink = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    plain, profiled = encoded(ink, kind), encoded(ink, kind, icc_profile=red_cyan_profile())
    red, green, blue = np.asarray(decoded(plain))[8, 8].tolist()
    assert red < 40
    assert min(green, blue) > 180
    red, green, blue = np.asarray(decoded(profiled))[8, 8].tolist()
    assert red > 180
    assert max(green, blue) < 60


def test_an_embedded_srgb_profile_changes_no_pixel() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode in ("RGB", "P"):
        plain = encoded(shoe().convert(mode), "PNG")
        assert decoded(encoded(shoe().convert(mode), "PNG", icc_profile=srgb)).tobytes() == decoded(plain).tobytes()


def test_an_ordinary_jpeg_has_the_pixels_that_pillow_gives_it() -> None:
    data = encoded(drawn_shoe().convert("RGB").resize((1400, 1000)), "JPEG", quality=90)
    with Image.open(io.BytesIO(data)) as image:
        assert decoded(data).tobytes() == image.tobytes()
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (448, 320))
        assert open_image(io.BytesIO(data)).decode((448, 320)).tobytes() == image.tobytes()


def test_a_transparent_level_of_a_16_bit_picture_becomes_white() -> None:
    levels = np.full((20, 20), 30_000, np.uint16)
    levels[:10] = 0
    found = np.asarray(decoded(encoded(Image.fromarray(levels), "PNG", transparency=0)))
    assert (found[0, 0].tolist(), found[19, 0].tolist()) == ([255] * 3, [116] * 3)


def test_a_figure_shows_the_upright_picture(tmp_path: Path) -> None:
    (tmp_path / "upright.png").write_bytes(encoded(shoe(), "PNG"))
    (tmp_path / "turned.png").write_bytes(turned(6, "PNG"))
    figures = [
        to_png(image_sample(listings([100.0]), [UPath(tmp_path / name)])) for name in ("upright.png", "turned.png")
    ]
    assert figures[0] == figures[1]


def test_a_heic_picture_is_read_like_any_other(lake: Lake) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    for image, options in ((shoe(), {}), (shoe().transpose(Image.Transpose.ROTATE_90), {"exif": exif.tobytes()})):
        data = encoded(image, "HEIF", quality=95, **options)
        (lake.root / "picture").write_bytes(data)
        found = np.asarray(decoded(data)).astype(int)
        assert np.abs(found - np.asarray(shoe())).mean() < 3
        assert (read_image(lake.root / "picture", FRAME) == read_photo(data, FRAME)).all()
        assert image_size(data) == (320, 160)
        assert data[8:12] == b"heic"
        assert decoded(data[:8] + b"mif1" + data[12:]).tobytes() == decoded(data).tobytes()
    with pytest.raises(ImageDecodeError, match="does not decode"):
        decoded(data[:60])


def test_without_pillow_heif_the_message_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from sneaker_assets.vision.imaging.opening import open_image\n"
        "open_image(open(sys.argv[1], 'rb'))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "photo.heic")], capture_output=True, text=True, check=False
    )
    assert "is a HEIC picture, which needs pillow-heif: pip install 'sneaker-assets[heic]'" in result.stderr


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a JPEG, PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a JPEG, PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not a JPEG, PNG"),
        (encoded(Image.new("1", (20_000, 20_000)), "PNG"), r"more than [\d,]+ pixels"),
        (encoded(drawn_shoe().convert("RGB"), "JPEG")[:3_000], "does not decode"),
        (encoded(drawn_shoe().convert("RGB"), "AVIF")[:3_000], "is not|does not decode"),
    ],
    ids=["nothing", "svg", "eps", "bomb", "cut jpeg", "cut avif"],
)
def test_what_is_no_picture_is_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(ImageDecodeError, match=message) as raised:
        open_image(io.BytesIO(data)).decode()
    assert "\n" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:Metadata Warning", "ignore:Tag data larger", "ignore:Truncated File Read")
@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_files_raise_only_the_documented_error(data: st.DataObject) -> None:
    content = bytearray(CONTENTS[data.draw(st.sampled_from(sorted(CONTENTS)))])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ImageDecodeError):
        assert open_image(io.BytesIO(bytes(content)), 10_000_000).decode().mode == "RGB"
