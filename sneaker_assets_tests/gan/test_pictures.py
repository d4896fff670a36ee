import io

import numpy as np
import pytest
import torch
from PIL import Image

from sneaker_assets.gan.networks import Generator
from sneaker_assets.gan.pictures import animation, interpolation, slerp
from sneaker_assets_tests.gan.conftest import CPU


def test_slerp_includes_both_ends_and_keeps_the_norm() -> None:
    start, end = torch.randn(2, 100, generator=torch.Generator().manual_seed(0))
    end = end * start.norm() / end.norm()
    path = slerp(start, end, 5)
    assert torch.allclose(path[0], start, atol=1e-4)
    assert torch.allclose(path[-1], end, atol=1e-4)
    assert torch.allclose(path.norm(dim=1), start.norm(), rtol=1e-4)


def test_interpolation_has_one_row_per_path_and_is_reproducible() -> None:
    generator = Generator(latent=4, width=2, size=16)
    images = interpolation(generator, CPU, seed=3, rows=2, columns=3)
    assert images.shape == (6, 16, 16, 3)
    assert np.array_equal(images, interpolation(generator, CPU, seed=3, rows=2, columns=3))


def noise_images(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(count)]


def test_animation_contains_every_frame() -> None:
    with Image.open(io.BytesIO(animation(noise_images(5)))) as film:
        assert film.format == "WEBP"
        assert getattr(film, "n_frames", 1) == 5
        assert film.size == (64, 64)


def test_animation_is_reduced_to_the_size_limit_without_dropping_frames() -> None:
    whole = animation(noise_images(8))
    small = animation(noise_images(8), max_bytes=len(whole) // 6)
    assert len(small) <= len(whole) // 6
    with Image.open(io.BytesIO(small)) as film:
        assert getattr(film, "n_frames", 1) == 8


def test_animation_without_frames_or_above_the_size_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="needs at least one image"):
        animation([])
    with pytest.raises(ValueError, match="8 images do not fit into an animation of 100 bytes"):
        animation(noise_images(8), max_bytes=100)
