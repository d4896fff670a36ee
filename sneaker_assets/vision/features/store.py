"""On-disk store of image features, keyed by the sha256 of the image.

A store holds the features of one backbone with one set of weights and one preprocessing. It grows by whole parts: an
interrupted pass resumes after the last complete part, and a re-crawl computes only new images. A part is an array
(``part-<name>.npy``) and the hashes of its rows (``part-<name>.json``), which are written last. Parts are never changed
and have unique names, so that adding one costs the same in a store of any size and two writers do not collide. The
parts of earlier versions are numbered and share an index (``index.parquet``).
"""

import dataclasses
import hashlib
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from upath import UPath

from sneaker_assets import code_versions, lake
from sneaker_assets.errors import SneakerError
from sneaker_assets.vision.settings import VIEWS, View
from sneaker_assets.vision.types import Features

CODE_VERSION = code_versions.FEATURES
"""Version of the code that computes features; increment it when the same inputs give different features."""

_INDEX = ["sha256", "part", "row", "seconds"]


class StoreError(SneakerError, RuntimeError):
    """A store cannot be read or written, or lacks what was requested; the message says what to do."""


@dataclass(frozen=True)
class FeatureStore:
    """Features of images: one folder per view with parts float32 [n, D].

    Attributes:
        folder: The store's folder.
        manifest: What the features are of: backbone, weights, fingerprint, frame, fit, border, keep, blocks and
            code_version.
        requested: The views that :attr:`views` and :meth:`gather_views` consider.
    """

    folder: UPath
    manifest: Mapping[str, Any]
    requested: tuple[View, ...] = VIEWS

    @classmethod
    def create(
        cls, features_folder: UPath, manifest: Mapping[str, Any], views: tuple[View, ...] = VIEWS
    ) -> "FeatureStore":
        """Open the store of the features that a manifest describes, and create it if it does not exist.

        Args:
            features_folder: The folder of all stores.
            manifest: ``extractor.describe``'s; all but ``weights`` identifies the store.
            views: The views that the store is opened for.

        Raises:
            LakeError: The folder cannot be written.
        """
        manifest = {**manifest, "code_version": CODE_VERSION}
        identity = {key: value for key, value in manifest.items() if key != "weights"}
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
        folder = features_folder / manifest["backbone"] / key
        if not (folder / "manifest.json").exists():
            lake.write_json(folder / "manifest.json", manifest)
        return dataclasses.replace(cls.open(folder), requested=views)

    @classmethod
    def open(cls, folder: UPath) -> "FeatureStore":
        """Open the store in ``folder``.

        Raises:
            StoreError: There is no store, or another version of the code wrote it.
        """
        try:
            manifest = lake.read_json(folder / "manifest.json")
        except FileNotFoundError as error:
            raise StoreError(f"{folder} is not a feature store: materialize image_features again") from error
        store = cls(folder, manifest)
        store.check({"code_version": CODE_VERSION})
        return store

    def check(self, wanted: Mapping[str, Any]) -> None:
        """Check that the manifest has the expected values.

        Args:
            wanted: Expected values by key.

        Raises:
            StoreError: Weights, preprocessing or code version differ; the message says which.
        """
        differences = [
            f"{key} {self.manifest.get(key)!r} instead of {value!r}"
            for key, value in wanted.items()
            if self.manifest.get(key) != value
        ]
        if differences:
            raise StoreError(
                f"the features in {self.folder} do not match ({'; '.join(differences)}): "
                "materialize image_features again"
            )

    @property
    def views(self) -> tuple[View, ...]:
        """The requested views that have been computed."""
        return tuple(view for view in self.requested if self._index_path(view).exists() or self._part_indexes(view))

    @property
    def blocks(self) -> tuple[int, ...]:
        """Widths of consecutive groups of features that are weighted alike; empty where they form a single group."""
        return tuple(self.manifest.get("blocks", ()))

    @property
    def images_per_second(self) -> float:
        """Throughput of the passes that filled the store, with decoding and all views; NaN if not recorded."""
        seconds = sum(float(self.index(view)["seconds"].mean()) for view in self.views)
        return 1 / seconds if seconds else math.nan

    def index(self, view: View = "plain") -> pd.DataFrame:
        """Where each image's features are.

        Returns:
            Columns ``sha256``, ``part`` (name), ``row`` and ``seconds`` (computing time per image, NaN in stores of
            earlier versions), one row per image; no rows where nothing has been computed.
        """
        parts = [_read_part_index(path) for path in self._part_indexes(view)]
        path = self._index_path(view)
        if path.exists():
            numbered = lake.read_table(path).reindex(columns=_INDEX)
            parts.insert(0, numbered.assign(part=numbered["part"].map("{:04d}".format)))
        if not parts:
            return pd.DataFrame(columns=_INDEX)
        # Two writers may have computed the same image.
        return pd.concat(parts, ignore_index=True).drop_duplicates("sha256", ignore_index=True)

    def known(self, hashes: pd.Series, views: Sequence[View] = ()) -> "pd.Series[bool]":
        """Whether the store has the features of each image in all views.

        Args:
            hashes: sha256 of each image; missing values have no features.
            views: The views; by default :attr:`views`.

        Returns:
            Booleans with the index of ``hashes``.
        """
        known = hashes.notna()
        for view in views or self.views:
            known &= hashes.isin(self.index(view)["sha256"])
        return known

    def append(
        self, hashes: Sequence[str], features: Features, view: View = "plain", *, seconds: float = math.nan
    ) -> None:
        """Add a part; its hashes are written last, so that an incomplete part is never read.

        Args:
            hashes: The images' sha256.
            features: float32 [n, D], one row per image.
            view: The view that the features are of.
            seconds: Computing time of the whole part; NaN if unknown.

        Raises:
            StoreError: A feature is not a finite number, or the disk is full or fails; earlier parts stay valid.
        """
        invalid = ~np.isfinite(features).all(axis=1)
        if invalid.any():
            raise StoreError(
                f"the features of {invalid.sum()} of {len(hashes)} images are not finite numbers (the first is "
                f"{hashes[int(invalid.argmax())]}), so they are not stored: use other weights of "
                f"{self.manifest['backbone']}"
            )
        path = self._part(view, uuid.uuid4().hex)
        # JSON has no NaN.
        per_image = seconds / max(1, len(hashes)) if math.isfinite(seconds) else None
        try:
            with lake.new_file(path) as file, file.open("wb") as opened:
                np.save(opened, features)
            lake.write_json(path.with_suffix(".json"), {"sha256": list(hashes), "seconds": per_image})
        except OSError as error:
            raise StoreError(
                f"features cannot be written to {self.folder} ({error.strerror or error}); those of "
                f"{len(self.index(view))} images are kept: make room and materialize image_features again"
            ) from error

    def gather(self, hashes: Sequence[str], view: View = "plain") -> Features:
        """Read the features of images in one view.

        Args:
            hashes: The images' sha256; may repeat.
            view: The view.

        Returns:
            float32 [n, D], in the order of ``hashes``.

        Raises:
            StoreError: An image has no features, or a part cannot be read.
        """
        gathered: Features = self.gather_views(hashes, [view])[0]
        return gathered

    def gather_views(self, hashes: Sequence[str], views: Sequence[View] = ()) -> Features:
        """Read the features of images in several views; local parts are memory-mapped one after the other.

        Args:
            hashes: The images' sha256; may repeat.
            views: The views; by default :attr:`views`.

        Returns:
            float32 [views, n, D], in the order of ``views`` and ``hashes``.

        Raises:
            StoreError: An image has no features in one of the views, or some that are not finite numbers, or a part
                cannot be read.
        """
        views = views or self.views or ("plain",)
        gathered = np.empty((len(views), len(hashes), 0), dtype=np.float32)
        for number, view in enumerate(views):
            for part, rows in self._locate(hashes, view).groupby("part")["row"]:
                features = self._read(view, str(part))
                if not gathered.shape[2]:
                    gathered = np.empty((len(views), len(hashes), features.shape[1]), dtype=np.float32)
                gathered[number, rows.index] = features[rows.to_numpy()]
        self._check_finite(hashes, gathered)
        return gathered

    def _check_finite(self, hashes: Sequence[str], gathered: Features) -> None:
        """Raise if an image's features, which earlier versions did not check, are not finite numbers.

        Raises:
            StoreError: They are not.
        """
        # NaN and infinity survive minimum and maximum, which need no memory.
        if gathered.size and not np.isfinite([gathered.min(), gathered.max()]).all():
            invalid = ~np.isfinite(gathered).all(axis=(0, 2))
            raise StoreError(
                f"the features of {len({*np.array(hashes)[invalid]})} images are not finite numbers (the first is "
                f"{hashes[int(invalid.argmax())]}): remove the folder {self.folder} and materialize image_features "
                "again"
            )

    def _locate(self, hashes: Sequence[str], view: View) -> pd.DataFrame:
        """Part and row of each image, in the order of ``hashes``.

        Raises:
            StoreError: An image has no features.
        """
        index = self.index(view).set_index("sha256")
        missing = [sha256 for sha256 in hashes if sha256 not in index.index]
        if missing:
            raise StoreError(
                f"{len(missing)} images have no features in {self.folder} (the first is {missing[0]}): "
                "materialize image_features again"
            )
        return index.loc[list(hashes)].reset_index(drop=True)

    def _index_path(self, view: View) -> UPath:
        """The index of the numbered parts, which earlier versions wrote."""
        return self.folder / view / "index.parquet"

    def _part_indexes(self, view: View) -> list[UPath]:
        folder = self.folder / view
        return sorted(folder.glob("part-*.json"), key=str) if folder.exists() else []

    def _part(self, view: View, name: str) -> UPath:
        return self.folder / view / f"part-{name}.npy"

    def _read(self, view: View, name: str) -> Features:
        path = self._part(view, name)
        try:
            local = lake.local_path(path)
            if local is not None:
                return np.asarray(np.load(local, mmap_mode="r"))
            with path.open("rb") as file:
                return np.asarray(np.load(file))
        except (OSError, ValueError, EOFError) as error:
            raise StoreError(
                f"{path} cannot be read ({error}): remove the folder {self.folder} and materialize image_features again"
            ) from error


@lru_cache(maxsize=4096)
def _read_part_index(path: UPath) -> pd.DataFrame:
    """Index of one part; kept in memory, since parts are never changed.

    Raises:
        StoreError: The file is damaged.
    """
    try:
        part = lake.read_json(path)
        hashes, seconds = part["sha256"], part["seconds"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"{path} cannot be read ({error}): remove the folder {path.parent.parent} and materialize image_features "
            "again"
        ) from error
    name = path.stem.removeprefix("part-")
    return pd.DataFrame(
        {"sha256": hashes, "part": name, "row": range(len(hashes)), "seconds": math.nan if seconds is None else seconds}
    )
