"""The price model as it lies in the lake, and how it prices an image.

A model is a folder: ``model.safetensors`` (the head), ``config.json`` (backbone, weights, training settings),
``history.parquet`` (one row an epoch), ``metrics.json`` (the best epoch) and ``card.md``. Its name is a hash of
everything that shaped it, so the same inputs lead to the same folder and are not trained twice.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save_file
from upath import UPath

from sneaker_assets import lake
from sneaker_assets.vision.backbones import Backbone, load_backbone
from sneaker_assets.vision.features import FeatureStore, extract
from sneaker_assets.vision.heads import PriceHead, TrainedHead, train_head
from sneaker_assets.vision.images import read_batches
from sneaker_assets.vision.settings import HeadConfig
from sneaker_assets.vision.weights import WeightsError

logger = logging.getLogger(__name__)

CODE_VERSION = "1"
"""Raise it when the same inputs would give another model."""


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
        head = PriceHead(config["n_features"], config["head"]["hidden"], config["head"]["dropout"])
        head.load_state_dict(load((folder / "model.safetensors").read_bytes()))
        return cls(folder, head.eval(), config)

    @property
    def backbone(self) -> str:
        """Name of the backbone whose features it takes."""
        return str(self.config["backbone"])

    @property
    def weights(self) -> str:
        """Where the backbone's weights come from, in plain words."""
        return str(self.config["weights"])

    @property
    def train_mean(self) -> float:
        """Mean of the training prices, US dollars: the baseline."""
        return float(self.head.price_mean)

    def history(self) -> pd.DataFrame:
        """One row an epoch, as :class:`heads.TrainedHead` describes it."""
        return lake.read_table(self.folder / "history.parquet")

    def metrics(self) -> dict[str, float]:
        """``best_epoch``, and its ``train_rmse`` and ``validation_rmse`` in US dollars."""
        return lake.read_json(self.folder / "metrics.json")

    @torch.inference_mode()
    def price(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Features float32 [N, D] to prices float64 [N], US dollars."""
        prices: NDArray[np.float64] = self.head(torch.from_numpy(features)).double().numpy()
        return prices


def train_price_model(
    models_folder: UPath, store: FeatureStore, splits: pd.DataFrame, config: HeadConfig
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
        TrainingError: the rows cannot be trained on.
    """
    folder = models_folder / _fingerprint(store, splits, config)
    if folder.exists():
        logger.info("model %s is already there", folder.name)
        return PriceModel.load(folder), False
    features = store.gather(splits["sha256"].tolist())
    trained = train_head(features, splits["price"].to_numpy(), splits["split"].to_numpy(dtype=str), config)
    _save(folder, trained, store, splits, config)
    return PriceModel.load(folder), True


def _fingerprint(store: FeatureStore, splits: pd.DataFrame, config: HeadConfig) -> str:
    rows = splits.sort_values(["site", "product_id"], ignore_index=True)
    digest = hashlib.sha256(json.dumps([CODE_VERSION, store.folder.name, config.as_dict()]).encode())
    digest.update(pd.util.hash_pandas_object(rows[["sha256", "price", "split"]]).to_numpy().tobytes())
    return digest.hexdigest()[:12]


def _save(folder: UPath, trained: TrainedHead, store: FeatureStore, splits: pd.DataFrame, config: HeadConfig) -> None:
    manifest = lake.read_json(store.folder / "manifest.json")
    best = trained.history[trained.history["epoch"] == trained.best_epoch].to_dict("records")[0]
    settings = {
        "backbone": manifest["backbone"],
        "weights": manifest["weights"],
        "backbone_fingerprint": manifest["fingerprint"],
        "features": store.folder.name,
        "n_features": trained.head.feature_mean.numel(),
        "head": config.as_dict(),
        "rows": {str(split): int(n) for split, n in splits["split"].value_counts().items()},
    }
    metrics = {
        "best_epoch": trained.best_epoch,
        "train_rmse": float(best["train_mse"]) ** 0.5,
        "validation_rmse": float(best["validation_mse"]) ** 0.5,
    }
    with lake.new_folder(folder) as scratch:
        save_file(trained.head.state_dict(), scratch / "model.safetensors")
        trained.history.to_parquet(scratch / "history.parquet", index=False)
        (scratch / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
        (scratch / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        (scratch / "card.md").write_text(_card(settings, metrics))


def _card(settings: dict[str, Any], metrics: dict[str, float]) -> str:
    rows = settings["rows"]
    return (
        f"# Price model on {settings['backbone']}\n\n"
        f"Weights of the backbone: {settings['weights']}.\n\n"
        f"Prices a shoe in US dollars from one product picture. Rows: {rows}. Best epoch {metrics['best_epoch']}: "
        f"validation RMSE ${metrics['validation_rmse']:.0f}, training RMSE ${metrics['train_rmse']:.0f}.\n\n"
        "It has seen product shots on white and knows nothing of size, condition or demand.\n"
    )


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
    backbone = _same_backbone(model, weights_folder)
    frame = backbone.architecture
    batches = read_batches(images, 32, frame.height, frame.width)
    features = [batch.cpu().numpy() for batch in extract(backbone, batches, device)]
    return model.price(np.concatenate(features))


def _same_backbone(model: PriceModel, weights_folder: Path | None) -> Backbone:
    backbone = load_backbone(model.backbone, "none" if model.weights.startswith("random") else "auto", weights_folder)
    if backbone.fingerprint != model.config["backbone_fingerprint"]:
        raise WeightsError(
            f"the model {model.folder} was trained on {model.backbone} with weights {model.weights}, and these are "
            f"{backbone.weights} with other values: set SNEAKER_WEIGHTS to the folder it was trained with"
        )
    return backbone
