import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sneaker_assets.lake import Lake, write_json, write_table
from sneaker_assets.vision.features.store import FeatureStore, StoreError


def part_files(store: FeatureStore, view: str = "plain") -> list[Path]:
    return [Path(path.path) for path in (store.folder / view).iterdir() if path.name.startswith("part-")]


def numbered_store(lake: Lake) -> FeatureStore:
    """A store with two parts as earlier versions wrote them: numbered, with a common index without durations."""
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    folder = Path((store.folder / "plain").path)
    folder.mkdir()
    for number, value in enumerate((1, 2)):
        np.save(folder / f"part-{number:04d}.npy", np.full((2, 4), value, np.float32))
    index = pd.DataFrame({"sha256": ["a", "b", "c", "d"], "part": [0, 0, 1, 1], "row": [0, 1, 0, 1]})
    write_table(store.folder / "plain" / "index.parquet", index)
    return store


def test_throughput_covers_all_views_and_is_nan_where_it_was_not_recorded(lake: Lake) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    store.append(["a", "b"], np.ones((2, 4), np.float32), "plain", seconds=1.0)
    assert store.images_per_second == pytest.approx(2)
    store.append(["a", "b"], np.ones((2, 4), np.float32), "mirrored", seconds=3.0)
    store.append(["c"], np.ones((1, 4), np.float32), "plain")
    assert store.images_per_second == pytest.approx(0.5)


def test_numbered_parts_of_earlier_versions_are_read_and_extended(lake: Lake) -> None:
    store = numbered_store(lake)
    assert store.views == ("plain",)
    assert np.isnan(store.images_per_second)
    store.append(["e"], np.full((1, 4), 3, np.float32), seconds=1.0)
    assert store.gather(["e", "c", "a"])[:, 0].tolist() == [3, 2, 1]
    assert store.index()["sha256"].tolist() == ["a", "b", "c", "d", "e"]
    assert store.images_per_second == pytest.approx(1)


def test_adding_a_part_changes_no_earlier_file(lake: Lake) -> None:
    store = numbered_store(lake)
    store.append(["e"], np.ones((1, 4), np.float32))
    before = {path: path.stat().st_mtime_ns for path in (store.folder / "plain").iterdir()}
    store.append(["f"], np.ones((1, 4), np.float32))
    after = {path: path.stat().st_mtime_ns for path in (store.folder / "plain").iterdir()}
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 2


def test_writers_in_parallel_lose_no_part_and_an_image_computed_twice_counts_once(lake: Lake) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.append(["same", f"{n}"], np.full((2, 4), n, np.float32)), range(32)))
    assert sorted(store.index()["sha256"]) == sorted(["same", *map(str, range(32))])
    assert store.gather([f"{n}" for n in range(32)])[:, 0].tolist() == list(range(32))


def test_a_part_without_hashes_is_not_read(lake: Lake) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    store.append(["a"], np.ones((1, 4), np.float32))
    (hashes,) = [path for path in part_files(store) if path.suffix == ".json"]
    hashes.unlink()
    assert store.views == ()
    assert store.index().empty


def test_damaged_hashes_are_named(lake: Lake) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    store.append(["a"], np.ones((1, 4), np.float32))
    (hashes,) = [path for path in part_files(store) if path.suffix == ".json"]
    hashes.write_bytes(hashes.read_bytes()[:10])
    with pytest.raises(StoreError, match=r"part-.*json cannot be read .*remove the folder .*image_features again"):
        store.index()


def test_a_missing_or_truncated_part_is_named(lake: Lake) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    store.append(["a" * 64], np.ones((1, 4), np.float32))
    (part,) = [path for path in part_files(store) if path.suffix == ".npy"]
    part.write_bytes(part.read_bytes()[:-4])
    with pytest.raises(StoreError, match=r"part-.*npy cannot be read .*remove the folder .*image_features again"):
        store.gather(["a" * 64])
    part.unlink()
    with pytest.raises(StoreError, match=r"part-.*npy cannot be read"):
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
    assert sorted(path.suffix for path in part_files(store)) == [".json", ".npy"]


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


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_not_stored_and_the_image_is_named(lake: Lake, value: float) -> None:
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    features = np.ones((3, 4), np.float32)
    features[1:, 2] = value
    with pytest.raises(
        StoreError, match=r"^the features of 2 of 3 images .*\(the first is b\).*other weights of resnet18"
    ):
        store.append(["a", "b", "c"], features)
    assert not store.views


def test_stored_features_that_are_not_finite_are_not_read_and_the_image_is_named(lake: Lake) -> None:
    store = numbered_store(lake)
    np.save(Path((store.folder / "plain" / "part-0001.npy").path), np.full((2, 4), np.nan, np.float32))
    assert store.gather(["b", "a"]).shape == (2, 4)
    with pytest.raises(StoreError, match=r"^the features of 2 images .*\(the first is d\): remove the folder"):
        store.gather(["b", "d", "a", "c", "d"])
