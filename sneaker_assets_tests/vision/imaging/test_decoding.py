from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps
from upath import UPath

from sneaker_assets.lake import Lake
from sneaker_assets.near_duplicates.image_properties import describe_images
from sneaker_assets.vision.imaging.decoding import Frame, UnreadableImageError, read_batches, read_image
from sneaker_assets_tests.builders import drawn_shoe, store_image


def test_pad_keeps_the_aspect_ratio_and_fills_with_white(tmp_path: Path) -> None:
    Image.new("RGB", (200, 100), "black").save(tmp_path / "wide.png")
    pixels = read_image(UPath(tmp_path / "wide.png"), Frame(100, 100, "pad"))
    assert pixels.shape == (100, 100, 3)
    assert (pixels[:24] == 255).all()
    assert (pixels[26:74] == 0).all()
    assert (pixels[76:] == 255).all()


def test_trim_crops_the_border_and_squash_stretches(tmp_path: Path) -> None:
    picture = Image.new("RGB", (200, 100), "white")
    picture.paste("black", (80, 40, 120, 60))
    picture.save(tmp_path / "small.png")
    path = UPath(tmp_path / "small.png")
    assert (read_image(path, Frame(50, 100)) < 128).mean() > 0.8
    assert (read_image(path, Frame(50, 50, "squash")) < 128).mean() == pytest.approx(0.04, abs=0.01)
    assert (read_image(path, Frame(50, 50, "pad")) < 128).mean() == pytest.approx(0.02, abs=0.01)


@pytest.mark.parametrize(("height", "width"), [(37, 64), (90, 40)])
def test_resizing_matches_pillow(height: int, width: int) -> None:
    picture = drawn_shoe().convert("RGB")
    padded = ImageOps.pad(picture, (width, height), Image.Resampling.BILINEAR, (255, 255, 255))
    squashed = picture.resize((width, height), Image.Resampling.BILINEAR)
    assert np.abs(Frame(height, width, "pad").apply(picture).astype(int) - np.asarray(padded)).max() <= 1
    assert np.abs(Frame(height, width, "squash").apply(picture).astype(int) - np.asarray(squashed)).max() <= 1


def test_trimming_crops_to_the_box_in_image_properties(lake: Lake) -> None:
    shoe = drawn_shoe().convert("RGB")
    bordered = Image.new("RGB", (shoe.width + 400, shoe.height + 200), "white")
    bordered.paste(shoe, (250, 60))
    name = store_image(lake, bordered)
    described = describe_images(lake, pd.DataFrame({"sha256": [name], "first_seen": [pd.Timestamp(0, tz="UTC")]}))
    left, top, right, bottom = described[["left", "top", "right", "bottom"]].to_numpy(dtype=int)[0]
    seen = read_image(lake.image(name), Frame(100, 200)).astype(int)
    cropped = store_image(lake, bordered.crop((left, top, right, bottom)))
    assert np.abs(seen - read_image(lake.image(cropped), Frame(100, 200, "pad"))).mean() < 10
    assert np.abs(seen - read_image(lake.image(name), Frame(100, 200, "pad"))).mean() > 30


def test_transparency_becomes_white(lake: Lake) -> None:
    sticker = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    sticker.paste((200, 0, 0, 255), (10, 5, 30, 15))
    pixels = read_image(lake.image(store_image(lake, sticker)), Frame(20, 40, "pad"))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[10, 20].tolist() == [200, 0, 0]


def test_batches_are_in_the_order_of_the_paths(tmp_path: Path) -> None:
    for shade in range(5):
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(tmp_path / f"{shade}.png")
    batches = list(read_batches([UPath(tmp_path / f"{shade}.png") for shade in range(5)], 2, Frame(8, 8)))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert np.concatenate(batches)[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]


def test_an_image_that_does_not_decode_is_named(lake: Lake) -> None:
    path = lake.root / "broken"
    path.write_bytes(b"no picture")
    with pytest.raises(
        UnreadableImageError, match=r"broken cannot be read .*remove the file and materialize scraped_images again"
    ):
        read_image(path, Frame(8, 8))
