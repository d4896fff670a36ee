import io

import numpy as np
import pytest
import torch
from PIL import Image

from sneaker_assets.gan.networks import Generator
from sneaker_assets.gan.pictures import animation, between, interpolation
from sneaker_assets_tests.gan.conftest import CPU


def test_a_walk_starts_and_ends_at_its_noise_and_stays_as_far_from_the_middle() -> None:
    start, end = torch.randn(2, 100, generator=torch.Generator().manual_seed(0))
    end = end * start.norm() / end.norm()
    walk = between(start, end, 5)
    assert torch.allclose(walk[0], start, atol=1e-4)
    assert torch.allclose(walk[-1], end, atol=1e-4)
    assert torch.allclose(walk.norm(dim=1), start.norm(), rtol=1e-4)


def test_an_interpolation_has_a_row_a_walk() -> None:
    generator = Generator(latent=4, width=2, size=16)
    pictures = interpolation(generator, CPU, seed=3, rows=2, columns=3)
    assert pictures.shape == (6, 16, 16, 3)
    assert np.array_equal(pictures, interpolation(generator, CPU, seed=3, rows=2, columns=3))


def noise(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(count)]


def test_an_animation_shows_every_frame() -> None:
    with Image.open(io.BytesIO(animation(noise(5)))) as film:
        assert film.format == "WEBP"
        assert getattr(film, "n_frames", 1) == 5
        assert film.size == (64, 64)


def test_an_animation_gets_coarser_to_stay_small() -> None:
    whole = animation(noise(8))
    small = animation(noise(8), max_bytes=len(whole) // 6)
    assert len(small) <= len(whole) // 6
    with Image.open(io.BytesIO(small)) as film:
        assert getattr(film, "n_frames", 1) == 8


def test_what_makes_no_animation_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a picture"):
        animation([])
    with pytest.raises(ValueError, match="8 pictures do not fit into an animation of 100 bytes"):
        animation(noise(8), max_bytes=100)
