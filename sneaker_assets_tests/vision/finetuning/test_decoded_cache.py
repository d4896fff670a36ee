from pathlib import Path

import numpy as np
import pytest

from sneaker_assets.lake import Lake
from sneaker_assets.vision.finetuning.decoded_cache import build_decoded_cache, open_decoded_cache
from sneaker_assets.vision.imaging.decoding import Frame, UnreadableImageError, read_image
from sneaker_assets_tests.builders import store_pictures

FRAME = Frame(32, 48)


def test_cache_holds_the_pixels_of_each_image(lake: Lake, tmp_path: Path) -> None:
    images = {sha256: lake.image(sha256) for sha256 in store_pictures(lake, 70)}
    cache = build_decoded_cache(tmp_path, images, FRAME)
    assert cache.pixels.shape == (70, 32, 48, 3)
    assert cache.pixels.dtype == np.uint8
    for sha256 in (min(images), max(images)):
        assert np.array_equal(cache.pixels[cache.index[sha256]], read_image(images[sha256], FRAME))


def test_existing_cache_is_opened_without_decoding_again(lake: Lake, tmp_path: Path) -> None:
    images = {sha256: lake.image(sha256) for sha256 in store_pictures(lake, 3)}
    built = build_decoded_cache(tmp_path, images, FRAME)
    for path in images.values():
        path.unlink()
    again = build_decoded_cache(tmp_path, images, FRAME)
    opened = open_decoded_cache(tmp_path, [*reversed(images), *images], FRAME)
    assert again.name == opened.name == built.name
    assert np.array_equal(opened.pixels, built.pixels)
    assert opened.index == built.index


def test_other_images_or_another_frame_have_another_cache(lake: Lake, tmp_path: Path) -> None:
    images = {sha256: lake.image(sha256) for sha256 in store_pictures(lake, 3)}
    build_decoded_cache(tmp_path, images, FRAME)
    with pytest.raises(FileNotFoundError):
        open_decoded_cache(tmp_path, list(images)[:2], FRAME)
    with pytest.raises(FileNotFoundError):
        open_decoded_cache(tmp_path, images, Frame(32, 48, "pad"))


def test_unreadable_image_leaves_no_cache_behind(lake: Lake, tmp_path: Path) -> None:
    images = {sha256: lake.image(sha256) for sha256 in store_pictures(lake, 3)}
    broken = next(iter(images.values()))
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(UnreadableImageError, match=broken.name):
        build_decoded_cache(tmp_path, images, FRAME)
    with pytest.raises(FileNotFoundError):
        open_decoded_cache(tmp_path, images, FRAME)
