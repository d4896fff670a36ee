from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from sneaker_assets.gan.networks import Generator
from sneaker_assets.gan.sampling import GeneratorError, image_grid, load_generator, sample
from sneaker_assets_tests.gan.conftest import CPU


def test_samples_are_reproducible_for_a_seed() -> None:
    generator = Generator(latent=4, width=2, size=16)
    first = sample(generator, 70, seed=7, device=CPU)
    assert first.shape == (70, 16, 16, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, sample(generator, 70, seed=7, device=CPU))
    assert not np.array_equal(first, sample(generator, 70, seed=8, device=CPU))


def test_folder_without_a_generator_raises(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=f"{tmp_path}.*train one first"):
        load_generator(UPath(tmp_path))


def test_grid_is_filled_row_by_row() -> None:
    images = np.zeros((5, 10, 20, 3), np.uint8)
    images[3] = (0, 255, 0)
    grid = image_grid(images, columns=3)
    assert grid.size == (3 * 20 + 2 * 2, 2 * 10 + 2)
    assert grid.getpixel((5, 17)) == (0, 255, 0)
    assert grid.getpixel((60, 17)) == (255, 255, 255)
