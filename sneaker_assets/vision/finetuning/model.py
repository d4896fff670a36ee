"""Fine-tuned price models: price models whose folder also stores the fine-tuned part of the backbone.

The features of the fine-tuned backbone are kept in a feature store of their own, so that everything that takes a price
model takes a fine-tuned one.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from upath import UPath

from sneaker_assets import code_versions, lake
from sneaker_assets.torch_utils.distributed import Ranks
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.backbones.blocks import default_unfreeze_from, split_at, trained_names, with_weights
from sneaker_assets.vision.backbones.weights_source import HEAD
from sneaker_assets.vision.features.extractor import frame_of, open_store, update_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.finetuning.activation_cache import Inputs, prepare_inputs
from sneaker_assets.vision.finetuning.decoded_cache import build_decoded_cache, open_decoded_cache
from sneaker_assets.vision.finetuning.finetune import Finetuner, autocast, run_id, trainable_network
from sneaker_assets.vision.finetuning.state import Pooling, PriceNetwork, pooling_of
from sneaker_assets.vision.heads.conformal import conformal_interval
from sneaker_assets.vision.heads.networks import PriceHead, build_head
from sneaker_assets.vision.heads.training import TrainedHead, add_kernel_ridge, train_head
from sneaker_assets.vision.heads.training_rows import TrainingRows, split_rows
from sneaker_assets.vision.pricing.price_model import PriceModel, price_rows
from sneaker_assets.vision.pricing.training import fingerprint, save_price_model
from sneaker_assets.vision.settings import FinetuneSettings, HeadSettings, WeightsChoice

logger = logging.getLogger(__name__)

_BATCH = 128


@dataclass(frozen=True)
class FinetuneJob:
    """Fine-tuning as plain values, which can be passed to another process.

    Attributes:
        backbone: Name of the backbone.
        weights: Where its pretrained weights come from.
        weights_folder: Folder of weight files, or None.
        device: Name of the torch device.
        splits: Path of a Parquet file of ``tables.Splits``.
        scratch: Local folder of the caches of decoded images and activations, and of the initial head.
        checkpoints: Folder in which each training has a folder of checkpoints.
        settings: Hyperparameters.
        rank_timeout: Seconds to wait for the other ranks.
    """

    backbone: str
    weights: WeightsChoice
    weights_folder: str | None
    device: str
    splits: str
    scratch: str
    checkpoints: str
    settings: FinetuneSettings
    rank_timeout: float = 120.0

    def write(self, path: Path) -> None:
        """Write the job to a JSON file."""
        lake.write_json(UPath(path), {**asdict(self), "settings": self.settings.model_dump()})

    @classmethod
    def read(cls, path: Path) -> "FinetuneJob":
        """Job in a file written by :meth:`write`."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**values, "settings": FinetuneSettings(**values["settings"])})

    def open_backbone(self) -> Backbone:
        """Backbone with its pretrained weights.

        Raises:
            WeightsError: The weights are not available.
        """
        return load_backbone(self.backbone, self.weights, Path(self.weights_folder) if self.weights_folder else None)

    def create_finetuner(self, ranks: Ranks | None = None) -> tuple[Finetuner, str]:
        """Trainer of this job, with its inputs and its fitted initial head, and the identifier of the training.

        Missing activations and the initial head are computed and stored in ``scratch``.

        Args:
            ranks: This process's rank in its group; None for a single process.

        Returns:
            The trainer, and the identifier as :func:`finetune.run_id` returns it.

        Raises:
            FileNotFoundError: The images have not been decoded into ``scratch``.
            WeightsError: The pretrained weights are not available.
            TrainingError: The backbone has no block of that name, or there are too few rows.
        """
        device, scratch, backbone = torch.device(self.device), Path(self.scratch), self.open_backbone()
        settings, splits = resolve_settings(self.settings, backbone), lake.read_table(UPath(self.splits))
        rows = split_rows(splits["price"].to_numpy(dtype=float), splits["split"].to_numpy(dtype=str))
        decoded = open_decoded_cache(scratch, splits["sha256"], frame_of(backbone, settings.features))
        split = split_at(backbone, settings.unfreeze_from or "")
        inputs = prepare_inputs(
            decoded, splits["sha256"].tolist(), backbone, split, settings, folder=scratch, device=device
        )
        run = run_id(inputs, rows, settings, {"backbone": backbone.fingerprint})
        upper = split.upper.to(device)
        precision = backbone.precision(device, allow_bfloat16=settings.bfloat16)
        pooling = pooling_of(settings)
        initial = scratch / f"head-{run}.safetensors"
        if not initial.exists():
            features = _frozen_features(
                lambda batch: pooling(upper.eval()(batch).float()), inputs, len(splits), device, precision
            )
            lake.write_bytes(UPath(initial), save(_initial_head(features, rows, settings).state_dict()))
        head = build_head(head_config(settings), len(load(initial.read_bytes())["feature_mean"]))
        head.load_state_dict(load(initial.read_bytes()))
        head.price_range = rows.price_range
        network = trainable_network(upper, head, device, pooling)
        return Finetuner(inputs, rows, network, settings, device=device, precision=precision, ranks=ranks), run


@torch.inference_mode()
def _frozen_features(
    pooled: Pooling, inputs: Inputs, n: int, device: torch.device, precision: torch.dtype
) -> NDArray[np.float32]:
    """Features float32 [n, 2C] of the blocks before fine-tuning."""
    batches = np.array_split(np.arange(n), max(1, n // _BATCH))
    with autocast(device, precision):
        features = torch.cat([pooled(inputs.plain(batch)).cpu() for batch in batches])
    return np.asarray(features)


def _initial_head(features: NDArray[np.float32], rows: TrainingRows, settings: FinetuneSettings) -> PriceHead:
    """Head fitted to the features [n, D] before fine-tuning."""
    sides = np.full(len(features), "test", dtype="<U10")
    sides[rows.train], sides[rows.validation] = "train", "validation"
    config = head_config(settings).with_changes(epochs=10, batch_size=128, learning_rate=3e-4, patience=3)
    return train_head(features[None], rows.prices.double().numpy(), sides, config).head


def head_config(settings: FinetuneSettings) -> HeadSettings:
    """Settings of the head that is fine-tuned, as a price model stores them."""
    return HeadSettings(
        target=settings.target,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.head_learning_rate,
        hidden=settings.hidden,
        dropout=settings.dropout,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
    )


def resolve_settings(settings: FinetuneSettings, backbone: Backbone) -> FinetuneSettings:
    """The settings with the block to fine-tune from filled in.

    Args:
        settings: The settings; ``unfreeze_from`` may be None.
        backbone: The network, whose default block is used for None.
    """
    if settings.unfreeze_from is not None:
        return settings
    return settings.with_changes(unfreeze_from=default_unfreeze_from(backbone))


def finetune_price_model(
    models_folder: UPath,
    frozen: FeatureStore,
    splits: pd.DataFrame,
    images: Mapping[str, UPath],
    job: FinetuneJob,
    *,
    launch: Callable[[FinetuneJob], None] | None = None,
) -> tuple[PriceModel, bool]:
    """Fine-tuned price model, loaded if it exists and trained otherwise.

    Args:
        models_folder: Folder of the backbone's models.
        frozen: Features of the pretrained backbone, which identify its weights.
        splits: ``tables.Splits``, equal to the table in ``job.splits``.
        images: Path of each image of ``splits``, by sha256.
        job: The fine-tuning.
        launch: Trains the job to the end in other processes; None trains it in this one.

    Returns:
        The model, and whether it was trained by this call.

    Raises:
        StoreError: The frozen features were computed with other weights.
        WeightsError: The pretrained weights are not available.
        TrainingError: There are too few rows, the loss diverges, or the device has too little memory.
        UnreadableImageError: An image cannot be decoded.
        LakeError: A folder cannot be written.
    """
    backbone, device = job.open_backbone(), torch.device(job.device)
    settings = resolve_settings(job.settings, backbone)
    folder = models_folder / model_name(frozen, splits, settings)
    if folder.exists():
        logger.info("model %s already exists", folder.name)
        return PriceModel.load(folder), False
    frozen.check({"fingerprint": backbone.fingerprint})
    build_decoded_cache(Path(job.scratch), images, frame_of(backbone, settings.features))
    finetuner, run = job.create_finetuner()
    if launch is not None:
        launch(job)
    # Where other processes have trained the job, this resumes from their last checkpoint, with no epoch left.
    result = finetuner.run(UPath(job.checkpoints) / run, run)
    tuned, weights = _finetuned_backbone(backbone, settings, result.network)
    store = open_store(frozen.folder.parent.parent, tuned, settings.features)
    update_store(store, tuned, images, device, settings=settings.features)
    trained, config = result.head, head_config(settings)
    if settings.mixed:
        config = config.with_changes(kind="mixed")
        trained = _add_kernel_ridge(trained, store, splits, config)
    validation = splits[splits["split"] == "validation"]
    predicted = price_rows(trained.head, store.gather_views(validation["sha256"].tolist()))
    interval = conformal_interval(validation["price"].to_numpy(), predicted)
    save_price_model(folder, trained, store, splits, config, interval=interval, backbone=weights)
    return PriceModel.load(folder), True


def model_name(frozen: FeatureStore, splits: pd.DataFrame, settings: FinetuneSettings) -> str:
    """Name of the fine-tuned model of these features, rows and settings: twelve hexadecimal digits.

    Args:
        frozen: Features of the pretrained backbone.
        splits: ``tables.Splits``.
        settings: Hyperparameters; ``micro_batch`` is ignored.
    """
    shaped = {name: value for name, value in settings.model_dump().items() if name != "micro_batch"}
    version = code_versions.changed(code_version=code_versions.FINETUNING)
    return fingerprint(frozen, splits, {"finetune": shaped, **version})


def _add_kernel_ridge(
    network: TrainedHead, store: FeatureStore, splits: pd.DataFrame, config: HeadSettings
) -> TrainedHead:
    """Ensemble of the fine-tuned head and a kernel ridge on more of the fine-tuned backbone's features."""
    features = store.gather_views(splits["sha256"].tolist())
    # The head was trained on the statistics of the last map.
    columns = slice(sum(store.blocks[:-1]), sum(store.blocks))
    prices, sides = splits["price"].to_numpy(dtype=float), splits["split"].to_numpy(dtype=str)
    return add_kernel_ridge(network, features, prices, sides, config, blocks=store.blocks, columns=columns)


def _finetuned_backbone(
    backbone: Backbone, settings: FinetuneSettings, network: PriceNetwork
) -> tuple[Backbone, dict[str, torch.Tensor]]:
    """Backbone with the fine-tuned weights, and these weights alone by their names in its state dict."""
    names = trained_names(backbone, settings.unfreeze_from or "")
    trained = {names[name]: tensor.detach().cpu().contiguous() for name, tensor in network.upper.state_dict().items()}
    source = replace(backbone.weights, fine_tuned_from=settings.unfreeze_from or HEAD)
    return with_weights(backbone, trained, source), trained
