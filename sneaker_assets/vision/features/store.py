"""On-disk store of image features, keyed by the sha256 of the image.

A store holds the features of one backbone with one set of weights and one preprocessing. It grows by whole parts: an
interrupted pass resumes after the last complete part, and a re-crawl computes only new images.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    """Features of images: one folder per view with parts float32 [n, D] and an index from sha256 to part and row.

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
        return tuple(view for view in self.requested if self._index_path(view).exists())

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
            Columns ``sha256``, ``part``, ``row`` and ``seconds`` (computing time per image, NaN in stores of earlier
            versions); no rows where nothing has been computed.
        """
        path = self._index_path(view)
        return (lake.read_table(path) if path.exists() else pd.DataFrame()).reindex(columns=_INDEX)

    def append(
        self, hashes: Sequence[str], features: Features, view: View = "plain", *, seconds: float = math.nan
    ) -> None:
        """Add a part; the index is written last, so that an incomplete part is never read.

        Args:
            hashes: The images' sha256.
            features: float32 [n, D], one row per image.
            view: The view that the features are of.
            seconds: Computing time of the whole part; NaN if unknown.

        Raises:
            StoreError: The disk is full or fails; earlier parts stay valid.
        """
        index = self.index(view)
        part = int(index["part"].max()) + 1 if len(index) else 0
        per_image = seconds / max(1, len(hashes))
        rows = pd.DataFrame({"sha256": hashes, "part": part, "row": range(len(hashes)), "seconds": per_image})
        try:
            with lake.new_file(self._part(view, part)) as file, file.open("wb") as opened:
                np.save(opened, features)
            lake.write_table(self._index_path(view), rows if index.empty else pd.concat([index, rows]))
        except OSError as error:
            raise StoreError(
                f"features cannot be written to {self.folder} ({error.strerror or error}); those of {len(index)} "
                "images are kept: make room and materialize image_features again"
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
        index = self.index(view).set_index("sha256")
        missing = [sha256 for sha256 in hashes if sha256 not in index.index]
        if missing:
            raise StoreError(
                f"{len(missing)} images have no features in {self.folder} (the first is {missing[0]}): "
                "materialize image_features again"
            )
        wanted = index.loc[list(hashes)].reset_index(drop=True)
        parts = {part: self._read(view, part) for part in wanted["part"].unique()}
        width = next(iter(parts.values())).shape[1] if parts else 0
        gathered = np.empty((len(wanted), width), dtype=np.float32)
        for part, rows in wanted.groupby("part")["row"]:
            gathered[rows.index] = parts[part][rows.to_numpy()]
        return gathered

    def gather_views(self, hashes: Sequence[str], views: Sequence[View] = ()) -> Features:
        """Read the features of images in several views.

        Args:
            hashes: The images' sha256; may repeat.
            views: The views; by default :attr:`views`.

        Returns:
            float32 [views, n, D], in the order of ``views`` and ``hashes``.

        Raises:
            StoreError: An image has no features in one of the views, or a part cannot be read.
        """
        return np.stack([self.gather(hashes, view) for view in views or self.views or ("plain",)])

    def _index_path(self, view: View) -> UPath:
        return self.folder / view / "index.parquet"

    def _part(self, view: View, number: int) -> UPath:
        return self.folder / view / f"part-{number:04d}.npy"

    def _read(self, view: View, number: int) -> Features:
        path = self._part(view, number)
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
