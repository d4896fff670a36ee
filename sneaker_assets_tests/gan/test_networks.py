import pytest
import torch
from torch.nn import functional

from sneaker_assets.gan.networks import (
    Discriminator,
    Generator,
    ResizeConvolution,
    apply_spectral_norm,
    channels,
    initialise,
)
from sneaker_assets.gan.settings import Upsampling


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize(("upsampling", "convolutions"), [("nearest", 1), ("transposed", 1), ("nearest", 3)])
def test_networks_map_noise_to_images_and_images_to_logits(
    size: int, upsampling: Upsampling, convolutions: int
) -> None:
    generator = Generator(10, width=4, size=size, upsampling=upsampling, convolutions=convolutions)
    discriminator = Discriminator(width=4, size=size)
    images = generator(torch.randn(3, 10))
    assert images.shape == (3, 3, size, size)
    assert images.abs().max() <= 1
    logits = discriminator(images)
    assert logits.shape == (3,)
    assert logits.dtype == torch.float32


def test_channels_match_the_paper() -> None:
    assert channels(width=64, size=64) == [64, 128, 256, 512]
    assert channels(width=64, size=128) == [64, 128, 256, 512, 1024]


@pytest.mark.parametrize("size", [0, 4, 65, 96])
def test_size_that_is_not_a_power_of_two_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} pixels.*power of two"):
        Generator(size=size)


def test_initial_weights_follow_the_paper_and_the_seed() -> None:
    first, second = Discriminator(width=32), Discriminator(width=32)
    for network in (first, second):
        initialise(network, torch.Generator().manual_seed(3))
    weight = first.blocks[-1].weight
    assert isinstance(weight, torch.Tensor)
    assert weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert weight.mean().item() == pytest.approx(0, abs=0.002)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_spectral_norm_limits_every_convolution_to_norm_one_without_global_randomness() -> None:
    discriminator = Discriminator(width=8)
    initialise(discriminator, torch.Generator().manual_seed(0))
    before = torch.random.get_rng_state()
    apply_spectral_norm(discriminator, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())
    for _ in range(20):
        discriminator(torch.randn(2, 3, 64, 64))
    weights = [module.weight for module in discriminator.modules() if isinstance(module, torch.nn.Conv2d)]
    norms = [float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2)) for weight in weights]
    assert norms == pytest.approx([1.0] * 5, rel=0.05)


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 9)])
def test_a_resize_convolution_is_upsampling_and_a_convolution(size: tuple[int, int]) -> None:
    layer, maps = ResizeConvolution(7, 5).double(), torch.randn(2, 7, *size, dtype=torch.double, requires_grad=True)
    expected = functional.conv2d(functional.interpolate(maps, scale_factor=2, mode="nearest"), layer.weight, padding=1)
    assert torch.allclose(layer(maps), expected, atol=1e-12)
    ours = torch.autograd.grad(layer(maps).square().sum(), (maps, layer.weight))
    theirs = torch.autograd.grad(expected.square().sum(), (maps, layer.weight))
    assert all(torch.allclose(one, other, atol=1e-10) for one, other in zip(ours, theirs, strict=True))


def test_a_conditional_discriminator_depends_on_the_condition() -> None:
    discriminator, images = Discriminator(width=4, condition=3).eval(), torch.rand(2, 3, 64, 64)
    conditions = torch.eye(3)
    logits = [discriminator(images, conditions[[row, row]]) for row in range(3)]
    assert logits[0].shape == (2,)
    assert not torch.equal(logits[0], logits[1])
