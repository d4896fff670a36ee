"""Features on disk: what is kept of each image, by whom it was made, and that a reader never sees half of it.

Features belong to an image (its sha256), never to a listing. A store holds those of one backbone with one set of
weights and one preprocessing: another of these is another store. It grows by whole parts, so a pass that is killed
goes on where it was, and a re-crawl costs only its new images. How features are computed is ``features``' concern.
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
"""Raise it when the same image, weights and settings would give other features."""

_INDEX = ["sha256", "part", "row", "seconds"]


class StoreError(SneakerError, RuntimeError):
    """The store does not hold what is asked of it; the message says what to do."""


@dataclass(frozen=True)
class FeatureStore:
    """One folder a view: parts of float32 [n, D] beside an index from sha256 to part and row.

    ``manifest`` says what the features are of: backbone, weights, fingerprint, frame, fit, border, keep, blocks
    and code_version.
    """

    folder: UPath
    manifest: Mapping[str, Any]
    asked_for: tuple[View, ...] = VIEWS

    @classmethod
    def create(
        cls, features_folder: UPath, manifest: Mapping[str, Any], views: tuple[View, ...] = VIEWS
    ) -> "FeatureStore":
        """The store of exactly these features, made where it is new; of its views, these are looked at."""
        manifest = {**manifest, "code_version": CODE_VERSION}
        identity = {key: value for key, value in manifest.items() if key != "weights"}
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
        folder = features_folder / manifest["backbone"] / key
        if not (folder / "manifest.json").exists():
            lake.write_json(folder / "manifest.json", manifest)
        return dataclasses.replace(cls.open(folder), asked_for=views)

    @classmethod
    def open(cls, folder: UPath) -> "FeatureStore":
        """The store in this folder.

        Raises:
            StoreError: there is none, or another version of the code made it.
        """
        try:
            manifest = lake.read_json(folder / "manifest.json")
        except FileNotFoundError as error:
            raise StoreError(f"{folder} is no feature store: materialize image_features again") from error
        store = cls(folder, manifest)
        store.check({"code_version": CODE_VERSION})
        return store

    def check(self, wanted: Mapping[str, Any]) -> None:
        """Refuse features that were made otherwise.

        Raises:
            StoreError: weights, preprocessing or code version differ; the message says which.
        """
        others = {
            key: (self.manifest.get(key), value) for key, value in wanted.items() if self.manifest.get(key) != value
        }
        if others:
            said = "; ".join(f"{key} {found!r} instead of {asked!r}" for key, (found, asked) in others.items())
            raise StoreError(f"the features in {self.folder} are other ones ({said}): materialize image_features again")

    @property
    def views(self) -> tuple[View, ...]:
        """The views that have been computed, of those asked for."""
        return tuple(view for view in self.asked_for if self._index_path(view).exists())

    @property
    def blocks(self) -> tuple[int, ...]:
        """Widths of the groups of features that lie side by side and are to count alike; none where all are one."""
        return tuple(self.manifest.get("blocks", ()))

    @property
    def images_per_second(self) -> float:
        """Of the passes that made it, decoding and all views included; not a number where that was not kept."""
        seconds = sum(float(self.index(view)["seconds"].mean()) for view in self.views)
        return 1 / seconds if seconds else math.nan

    def index(self, view: View = "plain") -> pd.DataFrame:
        """Columns ``sha256``, ``part``, ``row`` and ``seconds`` that it took; no rows where nothing was computed yet.

        A store of an earlier version has no seconds.
        """
        path = self._index_path(view)
        return (lake.read_table(path) if path.exists() else pd.DataFrame()).reindex(columns=_INDEX)

    def append(
        self, hashes: Sequence[str], features: Features, view: View = "plain", *, seconds: float = math.nan
    ) -> None:
        """Add a part; the index is written last, so a half-written part is never read.

        Args:
            hashes: The images, by sha256.
            features: float32 [n, D] of them.
            view: Which view they are of.
            seconds: What computing them took, where it was measured.

        Raises:
            StoreError: the disk is full or fails; what was kept before stays valid.
        """
        index = self.index(view)
        part = int(index["part"].max()) + 1 if len(index) else 0
        of_each = seconds / max(1, len(hashes))
        rows = pd.DataFrame({"sha256": hashes, "part": part, "row": range(len(hashes)), "seconds": of_each})
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
        """The features of these images, float32 [n, D], in the order asked for.

        Raises:
            StoreError: an image has none.
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
        """The features of these images in these views, or else in all, float32 [views, n, D]."""
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
