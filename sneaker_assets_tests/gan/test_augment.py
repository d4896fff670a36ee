import torch

from sneaker_assets.gan.augment import random_shift


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_shift_is_by_whole_pixels_and_padded_with_white() -> None:
    images = torch.full((64, 3, 32, 32), -1.0)
    images[:, :, 16, 16] = 0.25
    moved = random_shift(images, rng())
    assert set(moved.flatten().tolist()) == {-1.0, 0.25, 1.0}
    marks = (moved[:, 0] == 0.25).nonzero()
    assert len(marks) == 64
    offsets = marks[:, 1:] - 16
    assert offsets.abs().amax(dim=0).tolist() == [4, 4]
    for image, (down, right) in zip(moved[:, 0], offsets.tolist(), strict=True):
        assert (image == 1).sum() == 32 * 32 - (32 - abs(down)) * (32 - abs(right))


def test_gradients_flow_through_the_augmentation() -> None:
    images = torch.zeros(8, 3, 16, 16, requires_grad=True)
    random_shift(images, rng()).sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert (images.grad.flatten(1).abs().sum(dim=1) > 0).all()


def test_shifts_are_reproducible_for_a_seed() -> None:
    images = torch.rand(4, 3, 16, 16)
    assert torch.equal(random_shift(images, rng(1)), random_shift(images, rng(1)))
    assert not torch.equal(random_shift(images, rng(1)), random_shift(images, rng(2)))
