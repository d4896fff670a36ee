"""Training and saving of price models.

A model's folder is named with a hash of everything the model depends on, so that the same inputs are not trained twice.
"""

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from upath import UPath

from sneaker_assets import code_versions, lake
from sneaker_assets.market.splits import split_groups
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.heads.conformal import Interval, conformal_interval
from sneaker_assets.vision.heads.leave_group_out import leave_group_out_predictions
from sneaker_assets.vision.heads.training import TrainedHead, train_head
from sneaker_assets.vision.heads.training_rows import mean_over_views, split_rows
from sneaker_assets.vision.pricing.card import training_card
from sneaker_assets.vision.pricing.price_model import (
    BACKBONE_FILE,
    LEAVE_GROUP_OUT_ROWS,
    VALIDATION_ROWS,
    PriceModel,
    price_rows,
)
from sneaker_assets.vision.settings import HeadSettings
from sneaker_assets.vision.types import Features

logger = logging.getLogger(__name__)

CODE_VERSION = code_versions.PRICE_MODEL
"""Version of the code that trains models; increment it when the same inputs give a different model."""


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
