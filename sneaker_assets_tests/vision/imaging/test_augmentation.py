import torch

from sneaker_assets.vision.imaging.augmentation import augment, draw
from sneaker_assets.vision.settings import FinetuneSettings

SETTINGS = FinetuneSettings(rotation=3.0)


def test_augmentation_depends_only_on_epoch_and_row() -> None:
    images = torch.randint(0, 256, (4, 3, 16, 24), dtype=torch.uint8)
    drawn = draw(SETTINGS, 3, 4)
    together = augment(images, drawn, SETTINGS)
    assert together.dtype == torch.uint8
    assert torch.equal(together[2:], augment(images[2:], drawn[2:], SETTINGS))
    assert not torch.equal(together, augment(images, draw(SETTINGS, 4, 4), SETTINGS))


def test_without_augmentations_images_are_unchanged() -> None:
    images = torch.randint(0, 256, (4, 3, 16, 24), dtype=torch.uint8)
    settings = FinetuneSettings(flip=False, rotation=0.0, colour=0.0)
    assert torch.equal(augment(images, draw(settings, 3, 4), settings), images)
