"""Price models in the lake: training, saving, loading, and pricing from features or images.

A model is a folder: ``model.safetensors`` (the head), ``config.json`` (backbone, weights, settings),
``history.parquet`` (one row per epoch or point of the regularisation path), ``metrics.json`` (the selected row) and
``card.md``; a fine-tuned model also has the trained part of its backbone (``backbone.safetensors``). The folder's name
is a hash of everything the model depends on, so that the same inputs are not trained twice.
"""

import hashlib
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor
from upath import UPath

from sneaker_assets import code_versions, lake
from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.market.splits import split_groups
from sneaker_assets.vision.backbones.architectures import get_architecture
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.backbones.blocks import with_weights
from sneaker_assets.vision.backbones.packaged import require_packaged
from sneaker_assets.vision.backbones.weights import WeightsError
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.errors import FeatureError, TrainingError
from sneaker_assets.vision.features.extractor import FeatureExtractor
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.heads.conformal import Interval, conformal_interval
from sneaker_assets.vision.heads.leave_group_out import leave_group_out_predictions
from sneaker_assets.vision.heads.networks import PriceHead, build_head
from sneaker_assets.vision.heads.training import TrainedHead, train_head
from sneaker_assets.vision.heads.training_rows import mean_over_views, split_rows
from sneaker_assets.vision.imaging.decoding import Frame, read_batches
from sneaker_assets.vision.pricing.card import training_card
from sneaker_assets.vision.settings import HeadSettings, View
from sneaker_assets.vision.types import Features

logger = logging.getLogger(__name__)

CODE_VERSION = code_versions.PRICE_MODEL
"""Version of the code that trains models; increment it when the same inputs give a different model."""

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


def train_price_model(
    models_folder: UPath, store: FeatureStore, splits: pd.DataFrame, config: HeadSettings
) -> tuple[PriceModel, bool]:
    """Train a model on these features, rows and settings, or load it where it already exists.

    Args:
        models_folder: Folder of the backbone's models.
        store: Features of every image in ``splits``.
        splits: ``tables.Splits``.
        config: The head and how to train it.

    Returns:
        The model, and whether it was trained by this call.

    Raises:
        StoreError: An image has no features.
        TrainingError: There are too few rows, or the head does not take features of this kind.
        LakeError: The folder cannot be written.
    """
    if config.kind == "article" and store.manifest.get("keep") != "map":
        raise TrainingError("the article's head takes whole feature maps: materialize image_features with keep: map")
    folder = models_folder / fingerprint(store, splits, config.model_dump())
    if folder.exists():
        logger.info("model %s already exists", folder.name)
        return PriceModel.load(folder), False
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    features = store.gather_views(splits["sha256"].tolist())
    prices = splits["price"].to_numpy()
    trained = train_head(features, prices, splits["split"].to_numpy(dtype=str), config, unfinished, blocks=store.blocks)
    actual, predicted, calibrated_on = calibration_prices(trained, features, splits)
    interval = conformal_interval(actual, predicted)
    save_price_model(folder, trained, store, splits, config, interval=interval, calibrated_on=calibrated_on)
    unfinished.unlink(missing_ok=True)
    return PriceModel.load(folder), True


def calibration_prices(
    trained: TrainedHead, features: Features, splits: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Actual prices and predictions of rows that did not influence their own predictions, to calibrate intervals on.

    These are the validation rows, which are used only to select the epoch or the hyperparameters, and for heads with a
    closed form also the training rows, each predicted without its group of near duplicates and shoes. Doing the same
    for another head would mean training it again.

    Args:
        trained: The head.
        features: float32 [views, N, D], those it was trained on.
        splits: ``tables.Splits``, N rows.

    Returns:
        Actual and predicted prices, float64 [n] each, US dollars; and what these rows are, in words.
    """
    prices, sides = splits["price"].to_numpy(), splits["split"].to_numpy(dtype=str)
    validation, train = sides == "validation", sides == "train"
    predicted = price_rows(trained.head, features[:, validation])
    if not trained.closed_form:
        return prices[validation], predicted, VALIDATION_ROWS
    alpha, groups = trained.history["alpha"].iloc[trained.best], split_groups(splits).to_numpy(dtype=str)
    x, rows = mean_over_views(torch.from_numpy(features)), split_rows(prices, sides)
    left_out = leave_group_out_predictions(trained.head, alpha, x, rows, groups)
    actual = np.concatenate([prices[validation], prices[train]])
    return actual, np.concatenate([predicted, left_out]), LEAVE_GROUP_OUT_ROWS


def fingerprint(store: FeatureStore, splits: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    """Name of the model of these features, rows and settings: twelve hexadecimal digits.

    Args:
        store: The features.
        splits: ``tables.Splits``.
        settings: JSON values.
    """
    inputs = [CODE_VERSION, store.folder.name, store.views, dict(settings)]
    digest = hashlib.sha256(json.dumps(inputs).encode())
    digest.update(_hash_rows(splits))
    return digest.hexdigest()[:12]


def digest_rows(splits: pd.DataFrame) -> str:
    """Hash of images, prices and splits of all rows: twelve hexadecimal digits, equal for rows in another order.

    Args:
        splits: ``tables.Splits``.
    """
    return hashlib.sha256(_hash_rows(splits)).hexdigest()[:12]


def _hash_rows(splits: pd.DataFrame) -> bytes:
    rows = splits.sort_values(["site", "product_id"], ignore_index=True)
    hashes: bytes = pd.util.hash_pandas_object(rows[["sha256", "price", "split"]]).to_numpy().tobytes()
    return hashes


def count_rows(splits: pd.DataFrame) -> dict[str, int]:
    """Number of rows in each split.

    Args:
        splits: ``tables.Splits``.
    """
    return {str(split): int(n) for split, n in splits["split"].value_counts().items()}


def save_price_model(
    folder: UPath,
    trained: TrainedHead,
    store: FeatureStore,
    splits: pd.DataFrame,
    config: HeadSettings,
    *,
    interval: Interval,
    calibrated_on: str = VALIDATION_ROWS,
    backbone: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a model folder.

    Args:
        folder: Where to write it.
        trained: The head and its training.
        store: The features that it takes.
        splits: ``tables.Splits``.
        config: The head's settings.
        interval: Prediction interval that contains 90 % of prices.
        calibrated_on: The rows that the interval was calibrated on, in words.
        backbone: Tensors of the backbone that were trained with the head, by their names in its state dict.

    Raises:
        LakeError: The folder cannot be written.
    """
    kept = {str(name): float(value) for name, value in trained.history.iloc[trained.best].items()} | trained.scores
    settings = {
        "features": {**store.manifest, "store": store.folder.name},
        "views": store.views,
        "n_features": trained.head.feature_mean.numel(),
        "head": config.model_dump(),
        "rows": count_rows(splits),
        "rows_digest": digest_rows(splits),
        "price_range": trained.head.price_range,
        "interval": {**interval.as_dict(), "calibrated_on": calibrated_on},
    }
    metrics = {
        **{name: value for name, value in kept.items() if not name.endswith(("_mse", "seconds"))},
        "best": trained.best,
        "train_rmse": kept["train_mse"] ** 0.5,
        "validation_rmse": kept["validation_mse"] ** 0.5,
        "training_seconds": trained.seconds,
    }
    if math.isfinite(store.images_per_second):
        metrics["images_per_second"] = store.images_per_second
    with lake.new_folder(folder) as scratch:
        save_file(trained.head.state_dict(), scratch / "model.safetensors")
        if backbone:
            save_file({name: tensor.contiguous() for name, tensor in backbone.items()}, scratch / BACKBONE_FILE)
        trained.history.to_parquet(scratch / "history.parquet", index=False)
        (scratch / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
        (scratch / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        (scratch / "card.md").write_text(training_card(settings, metrics))


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
