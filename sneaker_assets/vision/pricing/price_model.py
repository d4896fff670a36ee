"""The price model as it lies in the lake, and how it prices an image.

A model is a folder: ``model.safetensors`` (the head), ``config.json`` (backbone, weights, settings),
``history.parquet`` (one row an epoch, or a point of the regularisation path), ``metrics.json`` (the row that was kept)
and ``card.md``; one that was fine-tuned brings its part of the backbone along (``backbone.safetensors``). Its name is a
hash of everything that shaped it, so the same inputs lead to the same folder and are not trained twice.
"""

import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save_file
from torch import Tensor
from upath import UPath

from sneaker_assets import code_versions, lake
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.backbones.blocks import with_weights
from sneaker_assets.vision.backbones.weights import WeightsError
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.features.extractor import extract
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.heads.conformal import Interval, conformal_interval
from sneaker_assets.vision.heads.leave_group_out import leave_group_out_predictions
from sneaker_assets.vision.heads.networks import PriceHead, build_head
from sneaker_assets.vision.heads.training import TrainedHead, train_head
from sneaker_assets.vision.heads.training_rows import split_rows
from sneaker_assets.vision.imaging.decoding import Frame, read_batches
from sneaker_assets.vision.settings import CLOSED_FORMS, HeadSettings, View
from sneaker_assets.vision.types import Features

logger = logging.getLogger(__name__)

CODE_VERSION = code_versions.PRICE_MODEL

BACKBONE_FILE = "backbone.safetensors"
"""What of the backbone was trained with the head, in a model that was fine-tuned."""


@dataclass(frozen=True)
class PriceModel:
    """A trained head in the lake, with the settings that shaped it."""

    folder: UPath
    head: PriceHead
    config: dict[str, Any]

    @classmethod
    def load(cls, folder: UPath) -> "PriceModel":
        """Read a model folder."""
        config = lake.read_json(folder / "config.json")
        state = load((folder / "model.safetensors").read_bytes())
        n_support = next((len(tensor) for name, tensor in state.items() if name.endswith(".support")), 0)
        head = build_head(HeadSettings(**config["head"]), config["n_features"], n_support)
        head.load_state_dict(state)
        return cls(folder, head.eval(), config)

    @property
    def backbone(self) -> str:
        """Name of the backbone whose features it takes."""
        return str(self.config["features"]["backbone"])

    @property
    def weights(self) -> str:
        """Where the backbone's weights come from, in plain words."""
        return str(self.config["features"]["weights"])

    @property
    def views(self) -> tuple[View, ...]:
        """The views of an image that it averages over."""
        return tuple(self.config["views"])

    @property
    def frame(self) -> Frame:
        """The frame that its backbone looks at."""
        height, width = self.config["features"]["frame"]
        return Frame(height, width, self.config["features"]["fit"])

    def history(self) -> pd.DataFrame:
        """One row an epoch or point of the path, as :class:`training.TrainedHead` describes it."""
        return lake.read_table(self.folder / "history.parquet")

    def metrics(self) -> dict[str, float]:
        """What was kept: ``best`` (row of the history), ``train_rmse`` and ``validation_rmse`` in US dollars, and more.

        ``interval_low`` and ``interval_high``: a price lies between the prediction times the one and times the other
        in 90 % of cases.
        ``training_seconds``: what fitting the head took, and of a model that was fine-tuned all its epochs.
        ``images_per_second``: of the pass that computed its features, decoding and all views included; absent where
        that was not measured. Both say how fast the machine was on which they were measured.
        """
        return lake.read_json(self.folder / "metrics.json")

    @property
    def interval(self) -> Interval:
        """In which prices lie in 90 % of cases."""
        metrics = self.metrics()
        if "interval_factor" in metrics:  # a model of an earlier version, which may still be the champion
            return Interval(1 / metrics["interval_factor"], metrics["interval_factor"])
        return Interval(metrics["interval_low"], metrics["interval_high"])

    def price(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Features float32 [views, N, D] to prices float64 [N], US dollars."""
        return price_rows(self.head, features)


@torch.inference_mode()
def price_rows(head: PriceHead, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Features float32 [views, N, D] to prices float64 [N], US dollars."""
    standardized = head.predict_standardized_views(torch.from_numpy(features))
    prices: NDArray[np.float64] = head.to_dollars(standardized).double().numpy()
    return prices


def train_price_model(
    models_folder: UPath, store: FeatureStore, splits: pd.DataFrame, config: HeadSettings
) -> tuple[PriceModel, bool]:
    """The model of these features, rows and settings, trained unless it is already there.

    Args:
        models_folder: Where the models of this backbone lie.
        store: Features of all images of ``splits``.
        splits: ``tables.Splits``.
        config: How to train.

    Returns:
        The model, and whether it was trained now.

    Raises:
        StoreError: an image has no features.
        TrainingError: the rows cannot be trained on, or the head is not made for these features.
    """
    if config.kind == "article" and store.manifest.get("keep") != "map":
        raise TrainingError("the article's head takes whole feature maps: materialize image_features with keep: map")
    folder = models_folder / fingerprint(store, splits, config.model_dump())
    if folder.exists():
        logger.info("model %s is already there", folder.name)
        return PriceModel.load(folder), False
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    features = store.gather_views(splits["sha256"].tolist())
    prices = splits["price"].to_numpy()
    trained = train_head(features, prices, splits["split"].to_numpy(dtype=str), config, unfinished, blocks=store.blocks)
    interval = _measure_interval(trained, features, splits, config)
    save_price_model(folder, trained, store, splits, config, interval=interval)
    unfinished.unlink(missing_ok=True)
    return PriceModel.load(folder), True


def _measure_interval(trained: TrainedHead, features: Features, splits: pd.DataFrame, config: HeadSettings) -> Interval:
    """The interval that holds 90 % of prices, by rows that had no part in their predictions.

    Of a head in closed form these are the training rows, each priced without its twins. A network would have to be
    trained again for that: of one they are the validation rows, which have chosen no more than its epoch.
    """
    prices, sides = splits["price"].to_numpy(), splits["split"].to_numpy(dtype=str)
    if config.kind in CLOSED_FORMS:
        alpha, groups = trained.history["alpha"].iloc[trained.best], splits["twin_group"].to_numpy(dtype=str)
        x, rows = torch.from_numpy(features).mean(0), split_rows(prices, sides)
        predicted = leave_group_out_predictions(trained.head, alpha, x, rows, groups)
        return conformal_interval(prices[sides == "train"], predicted)
    held_out = sides == "validation"
    return conformal_interval(prices[held_out], price_rows(trained.head, features[:, held_out]))


def fingerprint(store: FeatureStore, splits: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    """Twelve hex digits that name these features, rows and settings."""
    rows = splits.sort_values(["site", "product_id"], ignore_index=True)
    shaped_by = [CODE_VERSION, store.folder.name, store.views, dict(settings)]
    digest = hashlib.sha256(json.dumps(shaped_by).encode())
    digest.update(pd.util.hash_pandas_object(rows[["sha256", "price", "split"]]).to_numpy().tobytes())
    return digest.hexdigest()[:12]


def save_price_model(
    folder: UPath,
    trained: TrainedHead,
    store: FeatureStore,
    splits: pd.DataFrame,
    config: HeadSettings,
    *,
    interval: Interval,
    backbone: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a model folder.

    Args:
        folder: Where.
        trained: The head and how it was trained.
        store: The features that it takes.
        splits: ``tables.Splits``.
        config: The head's settings.
        interval: In which prices lie in 90 % of cases.
        backbone: What of the backbone was trained with it, by the names of its state dict: ``backbone.safetensors``.
    """
    kept = {str(name): float(value) for name, value in trained.history.iloc[trained.best].items()} | trained.scores
    settings = {
        "features": {**store.manifest, "store": store.folder.name},
        "views": store.views,
        "n_features": trained.head.feature_mean.numel(),
        "head": config.model_dump(),
        "rows": {str(split): int(n) for split, n in splits["split"].value_counts().items()},
    }
    metrics = {
        **{name: value for name, value in kept.items() if not name.endswith(("_mse", "seconds"))},
        "best": trained.best,
        "train_rmse": kept["train_mse"] ** 0.5,
        "validation_rmse": kept["validation_mse"] ** 0.5,
        "interval_low": interval.low,
        "interval_high": interval.high,
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
        (scratch / "card.md").write_text(_card(settings, metrics))


def _card(settings: dict[str, Any], metrics: dict[str, float]) -> str:
    features, head, rows = settings["features"], settings["head"], settings["rows"]
    height, width = features["frame"]
    in_closed_form = head["kind"] in CLOSED_FORMS
    measured_on = "training rows, each priced without its twins" if in_closed_form else "validation rows"
    return (
        f"# Price model on {features['backbone']}\n\n"
        f"Weights of the backbone: {features['weights']}.\n\n"
        f"Prices a shoe in US dollars from one product picture ({height}x{width} pixels, {features['fit']}; views: "
        f"{', '.join(settings['views'])}). Head: {head['kind']}{_shares(metrics)}, target in {head['target']}. "
        f"Rows: {rows}. "
        f"Validation RMSE ${metrics['validation_rmse']:.0f}, training RMSE ${metrics['train_rmse']:.0f}.\n\n"
        f"In 90 % of cases the price lies between {metrics['interval_low']:.2f} and {metrics['interval_high']:.2f} "
        f"times the prediction, as measured on {measured_on}.\n\n"
        "It has seen product shots on white and knows nothing of size, condition or demand.\n"
    )


def _shares(metrics: dict[str, float]) -> str:
    if "network_share" not in metrics:
        return ""
    return f" ({metrics['network_share']:.0%} of the network's price, the rest of the kernel ridge's)"


def price_images(
    model: PriceModel, images: Sequence[UPath], weights_folder: Path | None, device: torch.device
) -> NDArray[np.float64]:
    """Price images that need not be in any store.

    Args:
        model: The model.
        images: Paths of images.
        weights_folder: Where the backbone's weights may lie as a file.
        device: Where to compute.

    Returns:
        float64 [N], US dollars.

    Raises:
        WeightsError: the weights that the model was trained with cannot be had any more.
        UnreadableImageError: an image does not decode.
    """
    backbone = same_backbone(model, weights_folder)
    batches = read_batches(images, 32, model.frame)
    seen = list(extract(backbone, batches, device, model.config["features"]["keep"], model.views))
    return model.price(np.stack([torch.cat([batch[view] for batch in seen]).cpu().numpy() for view in model.views]))


def same_backbone(model: PriceModel, weights_folder: Path | None) -> Backbone:
    """The backbone that the model was trained on.

    Raises:
        WeightsError: its weights cannot be had any more.
    """
    backbone = load_backbone(model.backbone, "none" if model.weights.startswith("random") else "auto", weights_folder)
    trained = model.folder / BACKBONE_FILE
    if trained.exists():
        backbone = with_weights(backbone, load(trained.read_bytes()), model.weights)
    if backbone.fingerprint != model.config["features"]["fingerprint"]:
        raise WeightsError(
            f"the model {model.folder} was trained on {model.backbone} with weights {model.weights}, and these are "
            f"{backbone.weights} with other values: set SNEAKER_WEIGHTS to the folder it was trained with"
        )
    return backbone
