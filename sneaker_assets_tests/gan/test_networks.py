import pytest
import torch

from sneaker_assets.gan.networks import Discriminator, Generator, apply_spectral_norm, channels, initialise


@pytest.mark.parametrize("size", [64, 128])
def test_networks_map_noise_to_images_and_images_to_logits(size: int) -> None:
    generator, discriminator = Generator(latent=10, width=4, size=size), Discriminator(width=4, size=size)
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
