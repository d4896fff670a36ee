import resource
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageOps
from upath import UPath

from sneaker_assets.lake import Lake, read_table, write_json, write_table
from sneaker_assets.near_duplicates.image_properties import describe_images
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone, pool
from sneaker_assets.vision.features import extractor as features
from sneaker_assets.vision.features.extractor import extract, open_store, update_store
from sneaker_assets.vision.features.store import FeatureStore, StoreError
from sneaker_assets.vision.imaging.decoding import Frame, UnreadableImageError, read_batches, read_image
from sneaker_assets.vision.settings import FeatureSettings
from sneaker_assets_tests.builders import drawn_shoe, store_image, store_pictures

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("mobilenet_v2", "none")


@pytest.fixture
def pictures(lake: Lake) -> dict[str, UPath]:
    return {sha256: lake.image(sha256) for sha256 in store_pictures(lake, 6)}


def test_a_picture_keeps_its_shape_and_is_padded_with_white(tmp_path: Path) -> None:
    Image.new("RGB", (200, 100), "black").save(tmp_path / "wide.png")
    pixels = read_image(UPath(tmp_path / "wide.png"), Frame(100, 100, "pad"))
    assert pixels.shape == (100, 100, 3)
    assert (pixels[:24] == 255).all()
    assert (pixels[26:74] == 0).all()
    assert (pixels[76:] == 255).all()


def test_a_picture_is_squashed_or_trimmed_where_that_is_asked_for(tmp_path: Path) -> None:
    picture = Image.new("RGB", (200, 100), "white")
    picture.paste("black", (80, 40, 120, 60))
    picture.save(tmp_path / "small.png")
    path = UPath(tmp_path / "small.png")
    assert (read_image(path, Frame(50, 100)) < 128).mean() > 0.8
    assert (read_image(path, Frame(50, 50, "squash")) < 128).mean() == pytest.approx(0.04, abs=0.01)
    assert (read_image(path, Frame(50, 50, "pad")) < 128).mean() == pytest.approx(0.02, abs=0.01)


@pytest.mark.parametrize(("height", "width"), [(37, 64), (90, 40)])
def test_a_picture_is_resized_as_pillow_does(height: int, width: int) -> None:
    picture = drawn_shoe().convert("RGB")
    padded = ImageOps.pad(picture, (width, height), Image.Resampling.BILINEAR, (255, 255, 255))
    squashed = picture.resize((width, height), Image.Resampling.BILINEAR)
    assert np.abs(Frame(height, width, "pad").around(picture).astype(int) - np.asarray(padded)).max() <= 1
    assert np.abs(Frame(height, width, "squash").around(picture).astype(int) - np.asarray(squashed)).max() <= 1


def test_the_network_sees_the_box_that_the_listings_carry(lake: Lake) -> None:
    shoe = drawn_shoe().convert("RGB")
    bordered = Image.new("RGB", (shoe.width + 400, shoe.height + 200), "white")
    bordered.paste(shoe, (250, 60))
    name = store_image(lake, bordered)
    described = describe_images(lake, pd.DataFrame({"sha256": [name], "first_seen": [pd.Timestamp(0, tz="UTC")]}))
    left, top, right, bottom = described[["left", "top", "right", "bottom"]].to_numpy(dtype=int)[0]
    seen = read_image(lake.image(name), Frame(100, 200)).astype(int)
    cropped = store_image(lake, bordered.crop((left, top, right, bottom)))
    assert np.abs(seen - read_image(lake.image(cropped), Frame(100, 200, "pad"))).mean() < 10
    assert np.abs(seen - read_image(lake.image(name), Frame(100, 200, "pad"))).mean() > 30


def test_what_is_transparent_is_white(lake: Lake) -> None:
    sticker = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    sticker.paste((200, 0, 0, 255), (10, 5, 30, 15))
    pixels = read_image(lake.image(store_image(lake, sticker)), Frame(20, 40, "pad"))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[10, 20].tolist() == [200, 0, 0]


def test_batches_come_in_order(tmp_path: Path) -> None:
    for shade in range(5):
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(tmp_path / f"{shade}.png")
    batches = list(read_batches([UPath(tmp_path / f"{shade}.png") for shade in range(5)], 2, Frame(8, 8)))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert np.concatenate(batches)[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]


def test_a_picture_that_no_longer_decodes_is_named(lake: Lake) -> None:
    path = lake.root / "broken"
    path.write_bytes(b"no picture")
    with pytest.raises(
        UnreadableImageError, match=r"broken cannot be read .*remove the file and materialize scraped_images again"
    ):
        read_image(path, Frame(8, 8))


def test_features_are_computed_once(lake: Lake, backbone: Backbone, pictures: dict[str, UPath]) -> None:
    store = open_store(lake.folder("features"), backbone)
    some = dict(list(pictures.items())[:4])
    assert update_store(store, backbone, some, CPU) == 4
    assert update_store(store, backbone, pictures, CPU) == 2
    assert update_store(store, backbone, pictures, CPU) == 0
    assert store.gather(list(pictures)).shape == (6, 2 * 1280)


def test_the_pace_is_that_of_all_views_and_unknown_where_it_was_not_kept(lake: Lake) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    store.append(["a", "b"], np.ones((2, 4), np.float32), "plain", seconds=1.0)
    assert store.images_per_second == pytest.approx(2)
    store.append(["a", "b"], np.ones((2, 4), np.float32), "mirrored", seconds=3.0)
    store.append(["c"], np.ones((1, 4), np.float32), "plain")
    assert store.images_per_second == pytest.approx(0.5)
    earlier = store.folder / "plain" / "index.parquet"
    write_table(earlier, read_table(earlier).drop(columns="seconds"))
    assert np.isnan(store.images_per_second)
    assert store.gather(["b"]).tolist() == [[1, 1, 1, 1]]


def test_gathering_follows_the_order_asked_for(lake: Lake, backbone: Backbone, pictures: dict[str, UPath]) -> None:
    store = open_store(lake.folder("features"), backbone)
    update_store(store, backbone, dict(list(pictures.items())[:3]), CPU)
    update_store(store, backbone, pictures, CPU)
    names = list(pictures)
    mixed = [names[5], names[0], names[4], names[0]]
    whole = dict(zip(names, store.gather(names), strict=True))
    assert np.array_equal(store.gather(mixed), np.stack([whole[name] for name in mixed]))


def test_bfloat16_features_are_near_those_of_float32(lake: Lake, pictures: dict[str, UPath]) -> None:
    # With batch norms that are not those of a new network, so that folding them is put to the test too.
    backbone = load_backbone("resnet18", "none")
    for norm in (module for module in backbone.network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        torch.nn.init.uniform_(norm.get_buffer("running_mean"), -0.2, 0.2)
        torch.nn.init.uniform_(norm.get_buffer("running_var"), 0.5, 2.0)
    batch = next(read_batches(list(pictures.values()), 6, Frame(224, 224)))
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


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_without_bfloat16_features_are_those_of_the_plain_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "resnet18":  # as on a CPU without instructions for it; mobilenet_v2 does not stand it anywhere
        monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    backbone = load_backbone(name, "none")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    mean, deviation = (torch.tensor(v) for v in (backbone.architecture.mean, backbone.architecture.deviation))
    with torch.inference_mode():
        expected = pool(backbone.network(((torch.from_numpy(pixels) / 255 - mean) / deviation).permute(0, 3, 1, 2)))
    found = next(extract(backbone, iter([pixels]), CPU))["plain"]
    assert float((found - expected).norm() / expected.norm()) < 1e-4


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


def test_a_mirrored_view_is_added_without_computing_the_plain_one_again(
    lake: Lake, backbone: Backbone, pictures: dict[str, UPath]
) -> None:
    store = open_store(lake.folder("features"), backbone)
    update_store(store, backbone, pictures, CPU)
    settings = FeatureSettings(mirrored=True)
    both = open_store(lake.folder("features"), backbone, settings)
    assert both.folder == store.folder
    assert update_store(both, backbone, pictures, CPU, settings=settings) == 6
    assert update_store(both, backbone, pictures, CPU, settings=settings) == 0
    assert store.gather_views(list(pictures)).shape == (1, 6, 2560)
    views = both.gather_views(list(pictures))
    assert views.shape == (2, 6, 2560)
    assert not np.array_equal(views[0], views[1])


def test_a_whole_map_is_as_large_as_vgg_classifiers_take_it(lake: Lake, pictures: dict[str, UPath]) -> None:
    settings = FeatureSettings(fit="squash", height=64, width=96, keep="map")
    backbone = load_backbone("resnet18", "none")
    store = open_store(lake.folder("features"), backbone, settings)
    update_store(store, backbone, pictures, CPU, settings=settings)
    assert store.gather(list(pictures)).shape == (6, 512 * 49)


def test_maps_of_three_sizes_are_kept_side_by_side(lake: Lake, pictures: dict[str, UPath]) -> None:
    settings = FeatureSettings(height=64, width=128, keep="scales")
    backbone = load_backbone("resnet18", "none")
    store = open_store(lake.folder("features"), backbone, settings)
    update_store(store, backbone, pictures, CPU, settings=settings)
    assert store.blocks == (3 * 128, 3 * 256, 3 * 512)
    kept = store.gather(list(pictures))
    assert kept.shape == (6, sum(store.blocks))
    pooled = open_store(lake.folder("features"), backbone, FeatureSettings(height=64, width=128))
    update_store(pooled, backbone, pictures, CPU, settings=FeatureSettings(height=64, width=128))
    assert np.array_equal(kept[:, 3 * 384 :][:, : 2 * 512], pooled.gather(list(pictures)))


def test_features_made_otherwise_are_refused(lake: Lake, backbone: Backbone, pictures: dict[str, UPath]) -> None:
    store = open_store(lake.folder("features"), backbone)
    with pytest.raises(StoreError, match=r"other ones \(fit 'trim' instead of 'squash'.*: materialize"):
        update_store(store, backbone, pictures, CPU, settings=FeatureSettings(fit="squash"))
    write_json(store.folder / "manifest.json", {**store.manifest, "code_version": "0"})
    with pytest.raises(StoreError, match=r"code_version '0' instead of"):
        FeatureStore.open(store.folder)
    with pytest.raises(StoreError, match="nowhere is no feature store"):
        FeatureStore.open(lake.folder("nowhere"))


def test_a_part_that_was_lost_or_cut_short_is_named(lake: Lake, backbone: Backbone) -> None:
    store = open_store(lake.folder("features"), backbone)
    store.append(["a" * 64], np.ones((1, 4), np.float32))
    part = store.folder / "plain" / "part-0000.npy"
    part.write_bytes(part.read_bytes()[:-4])
    with pytest.raises(StoreError, match=r"part-0000.npy cannot be read .*remove the folder .*image_features again"):
        store.gather(["a" * 64])
    part.unlink()
    with pytest.raises(StoreError, match=r"part-0000.npy cannot be read"):
        store.gather(["a" * 64])


def test_a_disk_that_fills_leaves_what_was_kept(lake: Lake, backbone: Backbone) -> None:
    store = open_store(lake.folder("features"), backbone)
    store.append(["a" * 64], np.ones((1, 4), np.float32))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(StoreError, match=r"cannot be written .* those of 1 images are kept: make room"):
            store.append(["b" * 64], np.ones((1, 1_000_000), np.float32))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.gather(["a" * 64]).tolist() == [[1, 1, 1, 1]]
    assert [path.name for path in (store.folder / "plain").iterdir() if "part" in path.name] == ["part-0000.npy"]
