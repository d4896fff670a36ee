from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from upath import UPath

from sneaker_assets.lake import Lake
from sneaker_assets.vision import features
from sneaker_assets.vision.backbones import Backbone, load_backbone, pool
from sneaker_assets.vision.features import FeatureStore, StoreError, open_store, update_store
from sneaker_assets.vision.images import UnreadableImageError, read_batches, read_image
from sneaker_assets_tests.builders import store_pictures

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("mobilenet_v2", "none")


@pytest.fixture
def pictures(lake: Lake) -> dict[str, UPath]:
    return {sha256: lake.image(sha256) for sha256 in store_pictures(lake, 6)}


def test_a_picture_keeps_its_shape_and_is_padded_with_white(tmp_path: Path) -> None:
    Image.new("RGB", (200, 100), "black").save(tmp_path / "wide.png")
    pixels = read_image(UPath(tmp_path / "wide.png"), 100, 100)
    assert pixels.shape == (100, 100, 3)
    assert (pixels[:24] == 255).all()
    assert (pixels[26:74] == 0).all()
    assert (pixels[76:] == 255).all()


def test_batches_come_in_order(tmp_path: Path) -> None:
    for shade in range(5):
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(tmp_path / f"{shade}.png")
    batches = list(read_batches([UPath(tmp_path / f"{shade}.png") for shade in range(5)], 2, 8, 8))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert np.concatenate(batches)[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]


def test_a_picture_that_no_longer_decodes_is_named(lake: Lake) -> None:
    path = lake.root / "broken"
    path.write_bytes(b"no picture")
    with pytest.raises(UnreadableImageError, match=r"broken cannot be read .*scraped_images again"):
        read_image(path, 8, 8)


def test_features_are_computed_once(lake: Lake, backbone: Backbone, pictures: dict[str, UPath]) -> None:
    store = open_store(lake.folder("features"), backbone)
    some = dict(list(pictures.items())[:4])
    assert update_store(store, backbone, some, CPU) == 4
    assert update_store(store, backbone, pictures, CPU) == 2
    assert update_store(store, backbone, pictures, CPU) == 0
    assert store.gather(list(pictures)).shape == (6, 2 * 1280)


def test_gathering_follows_the_order_asked_for(lake: Lake, backbone: Backbone, pictures: dict[str, UPath]) -> None:
    store = open_store(lake.folder("features"), backbone)
    update_store(store, backbone, dict(list(pictures.items())[:3]), CPU)
    update_store(store, backbone, pictures, CPU)
    names = list(pictures)
    mixed = [names[5], names[0], names[4], names[0]]
    whole = dict(zip(names, store.gather(names), strict=True))
    assert np.array_equal(store.gather(mixed), np.stack([whole[name] for name in mixed]))


def test_bfloat16_features_are_near_those_of_float32(lake: Lake, pictures: dict[str, UPath]) -> None:
    backbone = load_backbone("resnet18", "none")
    batch = next(read_batches(list(pictures.values()), 6, 224, 224))
    images = torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255
    mean, deviation = (
        torch.tensor(v).reshape(1, 3, 1, 1) for v in (backbone.architecture.mean, backbone.architecture.deviation)
    )
    with torch.inference_mode():
        expected = pool(backbone.network((images - mean) / deviation))
    store = open_store(lake.folder("features"), backbone)
    update_store(store, backbone, pictures, CPU)
    found = torch.from_numpy(store.gather(list(pictures)))
    assert float((found - expected).norm() / expected.norm()) < 0.02


def test_a_pass_that_was_killed_goes_on_where_it_was(
    lake: Lake, backbone: Backbone, pictures: dict[str, UPath], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "PART_SIZE", 2)
    last = list(pictures)[-1]
    data = pictures[last].read_bytes()
    pictures[last].write_bytes(b"gone")
    store = open_store(lake.folder("features"), backbone)
    with pytest.raises(UnreadableImageError):
        update_store(store, backbone, pictures, CPU)
    pictures[last].write_bytes(data)
    assert update_store(store, backbone, pictures, CPU) == 2


def test_other_weights_are_another_store(lake: Lake, backbone: Backbone) -> None:
    folder = lake.folder("features")
    other = Backbone(backbone.architecture, backbone.network, backbone.weights, "0" * 64)
    assert open_store(folder, backbone).folder == open_store(folder, backbone).folder
    assert open_store(folder, backbone).folder != open_store(folder, other).folder


def test_missing_features_are_counted_and_named(lake: Lake, backbone: Backbone) -> None:
    store: FeatureStore = open_store(lake.folder("features"), backbone)
    with pytest.raises(StoreError, match=r"2 images have no features .*image_features again"):
        store.gather(["a" * 64, "b" * 64])
