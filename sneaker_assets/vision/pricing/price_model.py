"""Price models in the lake: loading, and pricing from features or images.

A model is a folder: ``model.safetensors`` (the head), ``config.json`` (backbone, weights, settings),
``history.parquet`` (one row per epoch or point of the regularisation path), ``metrics.json`` (the selected row) and
``card.md``; a fine-tuned model also has the trained part of its backbone (``backbone.safetensors``).
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load
from upath import UPath

from sneaker_assets import lake
from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.vision.backbones.architectures import get_architecture
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.backbones.blocks import with_weights
from sneaker_assets.vision.backbones.packaged import require_packaged
from sneaker_assets.vision.backbones.weights import WeightsError
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.errors import FeatureError
from sneaker_assets.vision.features.extractor import FeatureExtractor
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.heads.conformal import Interval
from sneaker_assets.vision.heads.networks import PriceHead, build_head
from sneaker_assets.vision.imaging.decoding import Frame, read_batches
from sneaker_assets.vision.settings import HeadSettings, View

logger = logging.getLogger(__name__)

VALIDATION_ROWS = "validation rows"
LEAVE_GROUP_OUT_ROWS = "validation rows and training rows, each predicted without its near duplicates"
BACKBONE_FILE = "backbone.safetensors"
"""File of the backbone's tensors that were trained together with the head, in a fine-tuned model."""


class ModelError(SneakerError, ValueError):
    """The folder of a price model cannot be read; the message says what to do."""


class MissingModelError(ModelError, FileNotFoundError):
    """A folder does not exist or is not that of a price model; the message says what to do."""


@contextmanager
def reading_model(folder: UPath, asset: str) -> Iterator[None]:
    """Convert the errors of reading a model's folder.

    Args:
        folder: The folder.
        asset: Name of the asset that writes such folders.

    Raises:
        MissingModelError: The folder does not exist, or a file in it is missing.
        ModelError: A file in it is damaged.
    """
    try:
        yield
    except ModelError:
        raise
    except FileNotFoundError as error:
        raise MissingModelError(f"{folder} is not the folder of a price model: materialize {asset} again") from error
    except (LookupError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"the model {folder} is damaged ({one_line(error, max_length=200)}): remove the folder and materialize "
            f"{asset} again"
        ) from error


@dataclass(frozen=True)
class PriceModel:
    """A trained head in the lake. It is its own single member, so that ensembles are used in the same way.

    Attributes:
        folder: The model's folder.
        head: The head, in evaluation mode.
        config: The content of ``config.json``: ``features`` (manifest and name of the feature store), ``views``,
            ``n_features``, ``head`` (settings), ``rows`` (number of rows per split), and, except in models of earlier
            versions, ``rows_digest`` (see :func:`digest_rows`), ``price_range`` (lowest and highest training price, US
            dollars) and ``interval`` (``edges``, ``low`` and ``high`` of the prediction interval, and
            ``calibrated_on``).
    """

    folder: UPath
    head: PriceHead
    config: dict[str, Any]

    @classmethod
    def load(cls, folder: UPath | str | os.PathLike[str]) -> "PriceModel":
        """Read a model folder.

        Raises:
            MissingModelError: The folder does not exist, or a file in it is missing.
            ModelError: A file in it is damaged.
        """
        folder = UPath(folder)
        with reading_model(folder, "price_model"):
            return cls._read(folder)

    @classmethod
    def _read(cls, folder: UPath) -> "PriceModel":
        config = lake.read_json(folder / "config.json")
        state = load((folder / "model.safetensors").read_bytes())
        n_support = next((len(tensor) for name, tensor in state.items() if name.endswith(".support")), 0)
        head = build_head(HeadSettings(**config["head"]), config["n_features"], n_support)
        head.load_state_dict(state)
        head.price_range = tuple(config["price_range"]) if "price_range" in config else None
        return cls(folder, head.eval(), config)

    @property
    def members(self) -> tuple["PriceModel", ...]:
        """The model itself."""
        return (self,)

    @property
    def shares(self) -> tuple[float, ...]:
        """Weight of each member's prediction."""
        return (1.0,)

    @property
    def name(self) -> str:
        """The model's folder relative to its lake, with slashes."""
        return name_model(self.folder)

    @property
    def backbone(self) -> str:
        """Name of the backbone whose features the model takes."""
        return str(self.config["features"]["backbone"])

    @property
    def weights(self) -> WeightsSource:
        """Where the backbone's weights come from."""
        return WeightsSource.parse(self.config["features"]["weights"])

    @property
    def views(self) -> tuple[View, ...]:
        """The views of an image that predictions are averaged over."""
        return tuple(self.config["views"])

    @property
    def frame(self) -> Frame:
        """The frame that images are fitted into."""
        height, width = self.config["features"]["frame"]
        return Frame(height, width, self.config["features"]["fit"])

    @property
    def rows_digest(self) -> str | None:
        """Digest of the rows that the model was trained on; None in models of earlier versions."""
        return self.config.get("rows_digest")

    @property
    def has_closed_form(self) -> bool:
        """Whether predictions of its training rows without their own groups can be computed from the head alone."""
        return bool(self.config.get("interval", {}).get("calibrated_on") == LEAVE_GROUP_OUT_ROWS)

    def open_store(self) -> FeatureStore:
        """The store of the features that the model was trained on, in the model's own lake.

        Raises:
            StoreError: The store no longer exists, or another version of the code wrote it.
        """
        return FeatureStore.open(lake_root(self.folder) / "features" / self.backbone / self.config["features"]["store"])

    def history(self) -> pd.DataFrame:
        """Training history of the head.

        Returns:
            One row per epoch or point of the regularisation path, with the columns of ``TrainedHead.history``.
        """
        return lake.read_table(self.folder / "history.parquet")

    def metrics(self) -> dict[str, float]:
        """Scores of the model.

        Returns:
            ``best`` (row of the history that was selected); ``train_rmse`` and ``validation_rmse`` (US dollars);
            ``training_seconds`` (of the head, or of all epochs of fine-tuning); ``images_per_second`` (of the pass that
            computed the features, with decoding and all views; absent where it was not measured); and the other columns
            of the selected row.
        """
        return lake.read_json(self.folder / "metrics.json")

    @property
    def interval(self) -> Interval:
        """Prediction interval that contains 90 % of prices."""
        if "interval" in self.config:
            return Interval.from_dict(self.config["interval"])
        metrics = self.metrics()  # a model of an earlier version
        high = metrics["interval_factor"] if "interval_factor" in metrics else metrics["interval_high"]
        return Interval((metrics.get("interval_low", 1 / high),), (high,))

    def price(self, features: NDArray[np.float32], *, clip: bool = True) -> NDArray[np.float64]:
        """Predict prices.

        Args:
            features: float32 [views, N, D].
            clip: Whether to clip the predictions to the range of the training prices.

        Returns:
            float64 [N], US dollars.

        Raises:
            FeatureError: The features have another width than the model's, or a prediction is not finite.
        """
        return price_rows(self.head, features, clip=clip)


def lake_root(folder: UPath) -> UPath:
    """Root of the lake that a model's folder, ``models/<backbone>/<key>``, is in."""
    return folder.parent.parent.parent


def name_model(folder: UPath) -> str:
    """A model's folder relative to its lake: ``models/<backbone>/<key>``."""
    return "/".join(folder.parts[-3:])


@torch.inference_mode()
def price_rows(head: PriceHead, features: NDArray[np.float32], *, clip: bool = True) -> NDArray[np.float64]:
    """Prices that a head predicts.

    Args:
        head: A fitted head.
        features: float32 [views, N, D].
        clip: Whether to clip the predictions to the head's price range.

    Returns:
        float64 [N], US dollars.

    Raises:
        FeatureError: The features have another width than the head's, or a prediction is not finite.
    """
    head.check_width(x := torch.from_numpy(features))
    standardized = head.predict_standardized_views(x)
    (invalid,) = torch.where(~torch.isfinite(standardized))
    if len(invalid):
        raise FeatureError(
            f"{len(invalid)} of {len(standardized)} images have no finite price, since their features are not finite "
            f"numbers or too large (the first is number {int(invalid[0])}): compute the features again with other "
            "weights"
        )
    prices: NDArray[np.float64] = head.to_dollars(standardized, clip=clip).double().numpy()
    return prices


def price_images(
    model: PriceModel, images: Sequence[UPath], weights_folder: Path | None, device: torch.device
) -> NDArray[np.float64]:
    """Price images of the lake without a feature store.

    Args:
        model: The model.
        images: Paths of images.
        weights_folder: Folder of weight files, for a model that was trained with one.
        device: Where to compute.

    Returns:
        float64 [N], US dollars.

    Raises:
        WeightsError: The weights that the model was trained with are not available.
        UnreadableImageError: An image does not decode.
    """
    extract = FeatureExtractor(
        load_backbone_of(model, weights_folder), device, model.config["features"]["keep"], model.views
    )
    batches = [extract(batch) for batch in read_batches(images, 32, model.frame)]
    return model.price(torch.cat(batches, dim=1).cpu().numpy())


def load_backbone_of(model: PriceModel, weights_folder: Path | None) -> Backbone:
    """Load the backbone that a model was trained on.

    Args:
        model: The model.
        weights_folder: Folder of weight files, for a model that was trained with one.

    Raises:
        WeightsError: Its weights are not available.
    """
    if model.weights.kind == "packaged":
        require_packaged(get_architecture(model.backbone), f"the model {model.folder}")
    backbone = load_backbone(model.backbone, model.weights.choice, weights_folder)
    trained = model.folder / BACKBONE_FILE
    if trained.exists():
        backbone = with_weights(backbone, load(trained.read_bytes()), model.weights)
    if backbone.fingerprint != model.config["features"]["fingerprint"]:
        raise WeightsError(
            f"the model {model.folder} was trained on {model.backbone} with weights {model.weights}, and these are "
            f"{backbone.weights} with other values: set SNEAKER_WEIGHTS to the folder it was trained with"
        )
    return backbone
