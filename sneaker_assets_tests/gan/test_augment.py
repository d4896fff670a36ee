import pytest
import torch

from sneaker_assets.gan.augment import augment, random_colour, random_cutout, random_shift
from sneaker_assets.gan.settings import AUGMENTATIONS


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


def test_cutouts_are_white_rectangles_of_half_the_side_where_they_are_inside() -> None:
    cut = random_cutout(torch.full((200, 3, 32, 32), -1.0), rng())
    assert set(cut.flatten().tolist()) == {-1.0, 1.0}
    heights = (cut[:, 0] == 1).any(dim=2).sum(dim=1)
    widths = (cut[:, 0] == 1).any(dim=1).sum(dim=1)
    assert (int(heights.max()), int(widths.max())) == (16, 16)
    assert heights.min() >= 8
    assert torch.equal((cut[:, 0] == 1).sum(dim=(1, 2)), heights * widths)


def test_colours_change_by_image_but_not_the_shape() -> None:
    images = torch.rand(16, 3, 8, 8) * 2 - 1
    changed = random_colour(images, rng())
    assert changed.shape == images.shape
    assert (changed - images).abs().mean(dim=(1, 2, 3)).min() > 0.01
    grey = torch.full((4, 3, 8, 8), 0.2)
    assert random_colour(grey, rng()).std(dim=1).max() < 1e-6


def test_a_policy_applies_its_augmentations_in_order() -> None:
    images, policy = torch.rand(4, 3, 16, 16), ",".join(AUGMENTATIONS)
    one, other = rng(1), rng(1)
    expected = random_colour(random_cutout(random_shift(images, other), other), other)
    assert torch.equal(augment(images, policy, one), expected)
    assert augment(images, "", rng()) is images


@pytest.mark.parametrize("policy", [*AUGMENTATIONS, ",".join(AUGMENTATIONS)])
def test_gradients_flow_through_the_augmentation(policy: str) -> None:
    images = torch.full((8, 3, 16, 16), 0.3, requires_grad=True)
    augment(images, policy, rng()).square().sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert (images.grad.flatten(1).abs().sum(dim=1) > 0).all()


def test_shifts_are_reproducible_for_a_seed() -> None:
    images = torch.rand(4, 3, 16, 16)
    assert torch.equal(random_shift(images, rng(1)), random_shift(images, rng(1)))
    assert not torch.equal(random_shift(images, rng(1)), random_shift(images, rng(2)))
