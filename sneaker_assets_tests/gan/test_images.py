from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from upath import UPath

from sneaker_assets.gan import images as images_module
from sneaker_assets.gan.images import background_colour, from_network, load_square_images, to_network
from sneaker_assets.gan.training import train_gan
from sneaker_assets_tests.gan.conftest import CPU, SMALL


def box_on(background: tuple[int, int, int], size: tuple[int, int] = (400, 200)) -> Image.Image:
    """A red box of 200 by 100 pixels, centred on a plain background."""
    picture = Image.new("RGB", size, background)
    left, top = (size[0] - 200) // 2, (size[1] - 100) // 2
    ImageDraw.Draw(picture).rectangle((left, top, left + 199, top + 99), fill=(200, 30, 30))
    return picture


@pytest.mark.parametrize("background", [(255, 255, 255), (236, 240, 231), (20, 20, 24)])
def test_images_are_padded_with_their_background_and_keep_their_aspect_ratio(
    tmp_path: Path, background: tuple[int, int, int]
) -> None:
    box_on(background).save(tmp_path / "box.jpg", quality=95)
    image = load_square_images([tmp_path / "box.jpg"], size=64)[0]
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]).astype(int)
    assert np.abs(border - background).max() <= 3
    box = np.argwhere(np.abs(image.astype(int) - [200, 30, 30]).sum(axis=2) < 60)
    height, width = box.max(axis=0) - box.min(axis=0) + 1
    assert (height, width) == (pytest.approx(16, abs=2), pytest.approx(32, abs=2))
    assert box.mean(axis=0) == pytest.approx([31.5, 31.5], abs=1)


def test_background_colour_ignores_a_shoe_that_covers_half_of_the_border() -> None:
    image = np.full((100, 200, 3), 255, np.uint8)
    image[30:] = (90, 60, 40)
    assert background_colour(image[:, :, :]) == (90, 60, 40)
    image[30:] = np.random.default_rng(0).integers(0, 230, (70, 200, 3))
    assert background_colour(image) == (255, 255, 255)


def test_images_are_returned_in_order_and_small_ones_are_enlarged(tmp_path: Path) -> None:
    shades = [10, 250, 130, 60]
    for index, shade in enumerate(shades):
        Image.new("RGB", (16, 9 + index), (shade,) * 3).save(tmp_path / f"{index}.png")
    images = load_square_images([tmp_path / f"{index}.png" for index in range(4)], size=32)
    assert images.shape == (4, 32, 32, 3)
    assert images.dtype == np.uint8
    assert images[:, 16, 16, 0].tolist() == shades


def test_transparent_pixels_become_white(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (load_square_images([tmp_path / "clear.png"], 8) == 255).all()


def test_no_paths_give_an_empty_array() -> None:
    assert load_square_images([], 64).shape == (0, 64, 64, 3)


def test_damaged_or_missing_image_raises_and_names_the_file(tmp_path: Path) -> None:
    box_on((255, 255, 255)).save(tmp_path / "good.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "good.jpg").read_bytes()[:900])
    for name in ("half.jpg", "missing.jpg"):
        with pytest.raises(ValueError, match=name):
            load_square_images([tmp_path / "good.jpg", tmp_path / name], 64)


def test_conversion_to_network_input_and_back_is_lossless() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(-1, -1, -1, 3)
    images = to_network(pixels)
    assert images.shape == (1, 3, 16, 16)
    assert (images.min().item(), images.max().item()) == (-1.0, 1.0)
    assert np.array_equal(from_network(images), pixels.numpy())


def test_images_beyond_the_bound_are_memory_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for n, path in enumerate(paths):
        box_on((20 * n, 255, 0)).save(path)
    in_memory = load_square_images(paths, 16)
    monkeypatch.setattr(images_module, "MAX_IN_MEMORY", in_memory.nbytes - 1)
    mapped = load_square_images(paths, 16)
    assert isinstance(mapped, np.memmap)
    assert not isinstance(in_memory, np.memmap)
    assert np.array_equal(mapped, in_memory)
    trained = train_gan(mapped, SMALL.with_changes(size=16, epochs=1), UPath(tmp_path / "run"), CPU)
    assert trained.epochs == 1
