"""Ensembles in the lake, and the functions that treat a price model and an ensemble alike.

An ensemble is a folder ``models/ensemble/<key>``: ``config.json`` (members, shares, interval), ``history.parquet`` (one
row per member), ``metrics.json`` and ``card.md``. Its members stay where they are; the ensemble refers to their folders
and is refused where one of them is gone or is not the model that it was weighted with.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from upath import UPath

from sneaker_assets import lake
from sneaker_assets.lake import Lake, LakeError
from sneaker_assets.vision.heads.conformal import Interval
from sneaker_assets.vision.pricing.price_model import (
    MissingModelError,
    ModelError,
    PriceModel,
    lake_root,
    name_model,
    reading_model,
)

ENSEMBLE = "ensemble"
"""Folder of the ensembles beside those of the backbones, and their value of the columns ``backbone``."""

_REMEDY = "materialize ensemble_price_model again"


@dataclass(frozen=True)
class EnsembleModel:
    """A weighted mean of price models.

    Attributes:
        folder: The ensemble's folder.
        members: The models, that with the highest share first.
        shares: Weight of each member's prediction: positive, with sum one.
        config: The content of ``config.json``: ``members`` (``model``, ``share`` and ``digest`` of each), ``rows``
            (number of rows per split), ``rows_digest``, ``price_range`` and ``interval``, as in price models.
    """

    folder: UPath
    members: tuple[PriceModel, ...]
    shares: tuple[float, ...]
    config: dict[str, Any]

    @classmethod
    def load(cls, folder: UPath | str | os.PathLike[str]) -> "EnsembleModel":
        """Read an ensemble's folder and the models that it refers to.

        Raises:
            MissingModelError: The folder or a file in it is missing, or a member no longer exists.
            ModelError: A file is damaged, or a member is not the model that the ensemble was weighted with.
        """
        folder = UPath(folder)
        with reading_model(folder, "ensemble_price_model"):
            config = lake.read_json(folder / "config.json")
            shares = tuple(float(entry["share"]) for entry in config["members"])
            if not all(share > 0 for share in shares) or not math.isclose(sum(shares), 1, abs_tol=1e-6):
                raise ModelError(f"the shares of the ensemble {folder} are {list(shares)}: remove it and {_REMEDY}")
            members = tuple(_open_member(folder, entry, config["rows_digest"]) for entry in config["members"])
            return cls(folder, members, shares, config)

    @property
    def name(self) -> str:
        """The ensemble's folder relative to its lake, with slashes."""
        return name_model(self.folder)

    @property
    def backbone(self) -> str:
        """The word ``ensemble``, in place of a backbone's name."""
        return ENSEMBLE

    @property
    def weights(self) -> str:
        """Where the weights of the members' backbones come from."""
        return "; ".join(dict.fromkeys(f"{member.backbone} {member.weights}" for member in self.members))

    @property
    def interval(self) -> Interval:
        """Prediction interval that contains 90 % of prices."""
        return Interval.from_dict(self.config["interval"])

    def history(self) -> pd.DataFrame:
        """The members.

        Returns:
            One row per member: ``model`` (folder relative to the lake), ``backbone``, ``weights`` (provenance of the
            backbone's), ``share`` and ``validation_rmse`` (its own, US dollars).
        """
        return lake.read_table(self.folder / "history.parquet")

    def metrics(self) -> dict[str, float]:
        """Scores of the ensemble.

        Returns:
            ``validation_rmse`` and ``best_member_rmse`` (US dollars), ``training_seconds`` (of all members) and
            ``images_per_second`` (of computing the features of all members); the last two are absent where they were
            not measured.
        """
        return lake.read_json(self.folder / "metrics.json")


Model = PriceModel | EnsembleModel
"""A price model or an ensemble. Both have ``members`` and ``shares``."""


def load_model(folder: UPath | str | os.PathLike[str]) -> Model:
    """Read the folder of a price model or of an ensemble.

    Raises:
        MissingModelError: The folder or a file in it is missing, or a member of an ensemble no longer exists.
        ModelError: A file is damaged, or an ensemble does not fit its members.
    """
    folder = UPath(folder)
    return EnsembleModel.load(folder) if folder.parent.name == ENSEMBLE else PriceModel.load(folder)


def weighted_mean(model: Model, prices: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Prices that a model predicts, from those that its members predict.

    Args:
        model: The model.
        prices: One float64 [N] per member, US dollars.

    Returns:
        float64 [N], US dollars.
    """
    mean: NDArray[np.float64] = np.asarray(model.shares) @ np.stack(prices)
    return mean


def price_known(model: Model, hashes: Sequence[str]) -> NDArray[np.float64]:
    """Predict the prices of images whose features are in the lake.

    Args:
        model: The model.
        hashes: The images' sha256.

    Returns:
        float64 [N], US dollars.

    Raises:
        StoreError: The features of an image, or all of them, no longer exist.
    """
    return weighted_mean(
        model,
        [member.price(member.open_store().gather_views(hashes, member.views)) for member in model.members],
    )


def digest_model(model: PriceModel) -> str:
    """Hash of a model's configuration: backbone, weights, features, settings of the head, rows and interval."""
    return hashlib.sha256(json.dumps(model.config, sort_keys=True).encode()).hexdigest()[:12]


def _open_member(folder: UPath, entry: Mapping[str, Any], rows_digest: str) -> PriceModel:
    """A member of the ensemble in ``folder``, which is the one that ``entry`` describes.

    Raises:
        MissingModelError: It no longer exists.
        ModelError: It is another model than described, or an ensemble.
    """
    name = str(entry["model"])
    try:
        path = Lake(lake_root(folder)).resolve(name)
    except LakeError as error:
        raise ModelError(f"the ensemble {folder} has a member outside its lake, {name!r}: {_REMEDY}") from error
    if path.parent.name == ENSEMBLE:
        raise ModelError(f"the ensemble {folder} has another ensemble, {name}, as a member: {_REMEDY}")
    try:
        member = PriceModel.load(path)
    except MissingModelError as error:
        raise MissingModelError(
            f"the ensemble {folder} needs the model {name}, which is no longer there: restore that folder, or {_REMEDY}"
        ) from error
    if member.rows_digest != rows_digest:
        raise ModelError(
            f"the ensemble {folder} needs the model {name}, which has since been trained on other rows: {_REMEDY}"
        )
    if digest_model(member) != entry["digest"]:
        raise ModelError(f"the ensemble {folder} needs the model {name}, which has changed since: {_REMEDY}")
    return member
