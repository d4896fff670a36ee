import numpy as np
import pytest
import torch
from upath import UPath

from sneaker_assets.lake import Lake
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone, pool
from sneaker_assets.vision.features import extractor as features
from sneaker_assets.vision.features.extractor import FeatureExtractor, open_store, summarise, update_store
from sneaker_assets.vision.features.store import StoreError
from sneaker_assets.vision.imaging.decoding import Frame, UnreadableImageError, read_batches
from sneaker_assets.vision.settings import FeatureSettings, Keep
from sneaker_assets_tests.builders import store_pictures

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("mobilenet_v2", "none")


@pytest.fixture
def pictures(lake: Lake) -> dict[str, UPath]:
    return {sha256: lake.image(sha256) for sha256 in store_pictures(lake, 6)}


def test_features_are_computed_once(lake: Lake, backbone: Backbone, pictures: dict[str, UPath]) -> None:
    store = open_store(lake.folder("features"), backbone)
    some = dict(list(pictures.items())[:4])
    assert update_store(store, backbone, some, CPU) == 4
    assert update_store(store, backbone, pictures, CPU) == 2
    assert update_store(store, backbone, pictures, CPU) == 0
    assert store.gather(list(pictures)).shape == (6, 2 * 1280)


def test_features_are_gathered_in_the_given_order(lake: Lake, backbone: Backbone, pictures: dict[str, UPath]) -> None:
    store = open_store(lake.folder("features"), backbone)
    update_store(store, backbone, dict(list(pictures.items())[:3]), CPU)
    update_store(store, backbone, pictures, CPU)
    names = list(pictures)
    mixed = [names[5], names[0], names[4], names[0]]
    whole = dict(zip(names, store.gather(names), strict=True))
    assert np.array_equal(store.gather(mixed), np.stack([whole[name] for name in mixed]))


def test_bfloat16_features_are_close_to_float32(lake: Lake, pictures: dict[str, UPath]) -> None:
    # Batch norms with statistics, so that folding them changes weights.
    backbone = load_backbone("resnet18", "none")
    for norm in (module for module in backbone.network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        torch.nn.init.uniform_(norm.get_buffer("running_mean"), -0.2, 0.2)
        torch.nn.init.uniform_(norm.get_buffer("running_var"), 0.5, 2.0)
    batch = next(read_batches(list(pictures.values()), 6, Frame(224, 224)))
    images = torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255
    mean, deviation = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (backbone.input.mean, backbone.input.deviation))
    with torch.inference_mode():
        expected = pool(backbone.network((images - mean) / deviation))
    store = open_store(lake.folder("features"), backbone)
    update_store(store, backbone, pictures, CPU)
    found = torch.from_numpy(store.gather(list(pictures)))
    assert float((found - expected).norm() / expected.norm()) < 0.02


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_float32_features_equal_those_of_the_published_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "resnet18":  # as on a CPU without instructions for it; mobilenet_v2 never uses it
        monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    backbone = load_backbone(name, "none")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    mean, deviation = (torch.tensor(v) for v in (backbone.input.mean, backbone.input.deviation))
    with torch.inference_mode():
        expected = pool(backbone.network(((torch.from_numpy(pixels) / 255 - mean) / deviation).permute(0, 3, 1, 2)))
    (found,) = FeatureExtractor(backbone, CPU)(pixels)
    assert float((found - expected).norm() / expected.norm()) < 1e-4


def test_an_interrupted_pass_resumes_after_its_last_part(
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


def test_other_weights_have_a_store_of_their_own(lake: Lake, backbone: Backbone) -> None:
    folder = lake.folder("features")
    other = Backbone(backbone.architecture, backbone.network, backbone.weights, "0" * 64)
    assert open_store(folder, backbone).folder == open_store(folder, backbone).folder
    assert open_store(folder, backbone).folder != open_store(folder, other).folder


def test_adding_the_mirrored_view_does_not_recompute_the_plain_one(
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


def test_a_whole_map_has_the_size_that_vgg_classifiers_take(lake: Lake, pictures: dict[str, UPath]) -> None:
    settings = FeatureSettings(fit="squash", height=64, width=96, keep="map")
    backbone = load_backbone("resnet18", "none")
    store = open_store(lake.folder("features"), backbone, settings)
    update_store(store, backbone, pictures, CPU, settings=settings)
    assert store.gather(list(pictures)).shape == (6, 512 * 49)


def test_scales_concatenates_three_stages_with_the_last_one_last(lake: Lake, pictures: dict[str, UPath]) -> None:
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


def test_grid_takes_signed_roots_of_the_statistics_of_scales_and_of_the_cells(
    lake: Lake, pictures: dict[str, UPath]
) -> None:
    backbone, kept = load_backbone("resnet18", "none"), {}
    for settings in (FeatureSettings(height=64, width=128, keep=keep) for keep in ("scales", "grid")):
        store = open_store(lake.folder("features"), backbone, settings)
        update_store(store, backbone, pictures, CPU, settings=settings)
        kept[settings.keep] = np.split(store.gather(list(pictures)), np.cumsum(store.blocks)[:-1], axis=1)
    middle, upper_cells, lower_cells, last = (np.sign(block) * np.square(block) for block in kept["grid"])
    for scales, statistics in zip(kept["scales"][1:], (middle, last), strict=True):
        average, _, deviation = np.split(scales, 3, axis=1)
        assert np.allclose(statistics, np.hstack([average, deviation]), atol=0.02)
    cells = np.stack([upper_cells, lower_cells]).reshape(2, len(pictures), 256, 4)
    assert np.allclose(cells.mean(axis=(0, 3)), middle[:, :256], atol=0.02)


def test_cells_of_a_mirrored_image_are_in_the_order_of_the_original() -> None:
    maps = [torch.rand(2, 3, 4, 8, generator=torch.Generator().manual_seed(number)) for number in range(3)]
    mirrored = [each.flip(3) for each in maps]
    assert torch.allclose(summarise(mirrored, "grid", mirrored=True), summarise(maps, "grid"))
    assert not torch.allclose(summarise(mirrored, "grid"), summarise(maps, "grid"))


def test_gradients_of_grid_are_finite_where_a_feature_map_is_constant() -> None:
    feature_map = torch.stack([torch.zeros(2, 4, 8), torch.rand(2, 4, 8)], dim=1).requires_grad_()
    summarise([feature_map] * 3, "grid").sum().backward()  # type: ignore[no-untyped-call]
    assert feature_map.grad is not None
    assert torch.isfinite(feature_map.grad).all()


def test_features_of_other_settings_are_refused(lake: Lake, backbone: Backbone, pictures: dict[str, UPath]) -> None:
    store = open_store(lake.folder("features"), backbone)
    with pytest.raises(StoreError, match=r"do not match \(fit 'trim' instead of 'squash'.*: materialize"):
        update_store(store, backbone, pictures, CPU, settings=FeatureSettings(fit="squash"))


@pytest.mark.parametrize(
    ("keep", "width"),
    [
        ("pooled", 2 * 512),
        ("map", 49 * 512),
        ("scales", 3 * (128 + 256 + 512)),
        ("grid", 10 * 256 + 2 * 512),
    ],
)
def test_an_extractor_returns_views_by_images_by_features(keep: Keep, width: int) -> None:
    extract = FeatureExtractor(load_backbone("resnet18", "none"), CPU, keep, ("plain", "mirrored"))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), dtype=np.uint8)
    features = extract(pixels)
    assert features.shape == (2, 3, width)
    assert features.dtype == torch.float32
    if keep != "grid":  # its cells keep the order of the image
        mirrored = extract(np.ascontiguousarray(pixels[:, :, ::-1]))
        assert torch.equal(mirrored.flip(0), features)
