import resource

import numpy as np
import pytest

from sneaker_assets.lake import Lake, read_table, write_json, write_table
from sneaker_assets.vision.features.store import FeatureStore, StoreError


def test_throughput_covers_all_views_and_is_nan_where_it_was_not_recorded(lake: Lake) -> None:
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


def test_a_missing_or_truncated_part_is_named(lake: Lake) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    store.append(["a" * 64], np.ones((1, 4), np.float32))
    part = store.folder / "plain" / "part-0000.npy"
    part.write_bytes(part.read_bytes()[:-4])
    with pytest.raises(StoreError, match=r"part-0000.npy cannot be read .*remove the folder .*image_features again"):
        store.gather(["a" * 64])
    part.unlink()
    with pytest.raises(StoreError, match=r"part-0000.npy cannot be read"):
        store.gather(["a" * 64])


def test_a_full_disk_leaves_earlier_parts_valid(lake: Lake) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
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


def test_missing_features_are_counted_and_named(lake: Lake) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    with pytest.raises(StoreError, match=r"2 images have no features .*image_features again"):
        store.gather(["a" * 64, "b" * 64])


def test_views_are_gathered_in_the_order_requested(lake: Lake) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    store.append(["a", "b"], np.full((2, 4), 1, np.float32), "plain")
    store.append(["a", "b"], np.full((2, 4), 2, np.float32), "mirrored")
    assert store.gather_views(["b"]).tolist() == [[[1, 1, 1, 1]], [[2, 2, 2, 2]]]
    assert store.gather_views(["b"], ["mirrored"]).shape == (1, 1, 4)
    with pytest.raises(StoreError, match="1 images have no features"):
        store.gather_views(["b", "c"])


def test_a_store_of_another_code_version_is_refused(lake: Lake) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    write_json(store.folder / "manifest.json", {**store.manifest, "code_version": "0"})
    with pytest.raises(StoreError, match=r"code_version '0' instead of"):
        FeatureStore.open(store.folder)
    with pytest.raises(StoreError, match="nowhere is not a feature store"):
        FeatureStore.open(lake.folder("nowhere"))


def test_the_provenance_of_weights_does_not_identify_a_store(lake: Lake) -> None:
    manifests = [{"backbone": "resnet18", "weights": weights} for weights in ("ImageNet", {"kind": "imagenet"})]
    first, second = (FeatureStore.create(lake.folder("features"), manifest) for manifest in manifests)
    assert first.folder == second.folder
    assert second.manifest["weights"] == "ImageNet"
