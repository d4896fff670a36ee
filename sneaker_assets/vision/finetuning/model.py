"""A fine-tuned price model as it lies in the lake: a price model like any other, on a backbone of its own.

Whatever takes a price model takes this one: its folder holds the part of the backbone that was trained, and the
features of that backbone are kept in a store of their own. How it is trained is ``finetune``'s concern.
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
from torch import nn
from upath import UPath

from sneaker_assets import lake
from sneaker_assets.torch_utils.distributed import Ranks
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone, pool
from sneaker_assets.vision.backbones.blocks import default_unfreeze_from, split_at, trained_names, with_weights
from sneaker_assets.vision.backbones.weights_source import HEAD
from sneaker_assets.vision.features.extractor import frame_of, open_store, update_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.finetuning.activation_cache import Inputs, prepare_inputs
from sneaker_assets.vision.finetuning.decoded_cache import keep_frames, open_frames
from sneaker_assets.vision.finetuning.finetune import Finetuning, autocast, begin_network, run_name
from sneaker_assets.vision.finetuning.state import PriceNetwork
from sneaker_assets.vision.heads.conformal import conformal_interval
from sneaker_assets.vision.heads.networks import PriceHead, build_head
from sneaker_assets.vision.heads.training import TrainedHead, train_head, with_kernel
from sneaker_assets.vision.heads.training_rows import Rows, split_rows
from sneaker_assets.vision.pricing.price_model import PriceModel, fingerprint, price_rows, save_price_model
from sneaker_assets.vision.settings import FinetuneSettings, HeadSettings, WeightsChoice

logger = logging.getLogger(__name__)

_BATCH = 128


@dataclass(frozen=True)
class FinetuneJob:
    """One fine-tuning as plain values, so that another process can take part in it.

    ``splits`` is a Parquet file of ``tables.Splits``; ``scratch`` a local folder for decoded pictures and kept
    activations; ``checkpoints`` where the training is written down; ``patience`` the seconds to wait for other ranks.
    """

    backbone: str
    weights: WeightsChoice
    weights_folder: str | None
    device: str
    splits: str
    scratch: str
    checkpoints: str
    settings: FinetuneSettings
    patience: float = 120.0

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        lake.write_json(UPath(path), asdict(self))

    @classmethod
    def read(cls, path: Path) -> "FinetuneJob":
        """Read what :meth:`write` wrote."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**values, "settings": FinetuneSettings(**values["settings"])})

    def open_backbone(self) -> Backbone:
        """The backbone as it was before."""
        return load_backbone(self.backbone, self.weights, Path(self.weights_folder) if self.weights_folder else None)

    def begin(self, ranks: Ranks | None = None) -> tuple[Finetuning, str]:
        """The training, and the name of this very one; what is computed beforehand is kept in ``scratch``.

        Raises:
            FileNotFoundError: the pictures were not decoded into ``scratch``.
            TrainingError: there is no such block, or too few rows.
        """
        device, scratch, backbone = torch.device(self.device), Path(self.scratch), self.open_backbone()
        settings, splits = resolve_settings(self.settings, backbone), lake.read_table(UPath(self.splits))
        rows = split_rows(splits["price"].to_numpy(dtype=float), splits["split"].to_numpy(dtype=str))
        frames = open_frames(scratch, splits["sha256"], frame_of(backbone, settings.features))
        split = split_at(backbone, settings.unfreeze_from or "")
        inputs = prepare_inputs(
            frames, splits["sha256"].tolist(), backbone, split, settings, folder=scratch, device=device
        )
        name = run_name(inputs, rows, settings, {"backbone": backbone.fingerprint})
        upper = split.upper.to(device)
        precision = backbone.precision(device, allow_bfloat16=settings.bfloat16)
        ready = scratch / f"head-{name}.safetensors"
        if not ready.exists():
            features = _plain_features(upper.eval(), inputs, len(splits), device, precision)
            lake.write_bytes(UPath(ready), save(_first_head(features, rows, settings).state_dict()))
        head = build_head(head_config(settings), len(load(ready.read_bytes())["feature_mean"]))
        head.load_state_dict(load(ready.read_bytes()))
        network = begin_network(upper, head, device)
        return Finetuning(inputs, rows, network, settings, device=device, precision=precision, ranks=ranks), name


@torch.inference_mode()
def _plain_features(
    upper: nn.Module, inputs: Inputs, n: int, device: torch.device, precision: torch.dtype
) -> NDArray[np.float32]:
    """Features float32 [n, 2C] as they are before the training."""
    batches = np.array_split(np.arange(n), max(1, n // _BATCH))
    with autocast(device, precision):
        features = torch.cat([pool(upper(inputs.plain(batch)).float()).cpu() for batch in batches])
    return np.asarray(features)


def _first_head(features: NDArray[np.float32], rows: Rows, settings: FinetuneSettings) -> PriceHead:
    """A head fitted to them, from which the training begins."""
    sides = np.full(len(features), "test", dtype="<U10")
    sides[rows.train], sides[rows.validation] = "train", "validation"
    config = replace(head_config(settings), epochs=10, batch_size=128, learning_rate=3e-4, patience=3)
    return train_head(features[None], rows.prices.double().numpy(), sides, config).head


def resolve_settings(settings: FinetuneSettings, backbone: Backbone) -> FinetuneSettings:
    """The settings with the architecture's default block where they name none."""
    if settings.unfreeze_from is not None:
        return settings
    return FinetuneSettings(**{**settings.as_dict(), "unfreeze_from": default_unfreeze_from(backbone)})


def head_config(settings: FinetuneSettings) -> HeadSettings:
    """The head that is trained along, as a price model's settings have it."""
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


def finetune_price_model(
    models_folder: UPath,
    frozen: FeatureStore,
    splits: pd.DataFrame,
    images: Mapping[str, UPath],
    job: FinetuneJob,
    *,
    launch: Callable[[FinetuneJob], None] | None = None,
) -> tuple[PriceModel, bool]:
    """The model of this backbone trained further, unless it is already there.

    Args:
        models_folder: Where the models of this backbone lie.
        frozen: Features of the backbone as it was: says which one it is.
        splits: ``tables.Splits``, the same as the job's.
        images: sha256 to path, of all images of ``splits``.
        job: What to train.
        launch: Trains the job in other processes, to its end; None trains it here.

    Returns:
        The model, and whether it was trained now.

    Raises:
        StoreError: the frozen features are of other weights.
        TrainingError: it cannot be trained.
        UnreadableImageError: an image does not decode.
    """
    backbone, device = job.open_backbone(), torch.device(job.device)
    settings = resolve_settings(job.settings, backbone)
    shaped = {name: value for name, value in settings.as_dict().items() if name != "micro_batch"}
    folder = models_folder / fingerprint(frozen, splits, {"finetune": shaped})
    if folder.exists():
        logger.info("model %s is already there", folder.name)
        return PriceModel.load(folder), False
    frozen.check({"fingerprint": backbone.fingerprint})
    keep_frames(Path(job.scratch), images, frame_of(backbone, settings.features))
    training, name = job.begin()
    if launch is not None:
        launch(job)
    # What other processes trained is in their last checkpoint, and goes on from there: it is at its end.
    done = training.run(UPath(job.checkpoints) / name, name)
    tuned, weights = _tuned_backbone(backbone, settings, done.network)
    store = open_store(frozen.folder.parent.parent, tuned, settings.features)
    update_store(store, tuned, images, device, settings=settings.features)
    trained, config = done.head, head_config(settings)
    if settings.mixed:
        config = replace(config, kind="mixed")
        trained = _with_its_kernel(trained, store, splits, config)
    validation = splits[splits["split"] == "validation"]
    priced = price_rows(trained.head, store.gather_views(validation["sha256"].tolist()))
    interval = conformal_interval(validation["price"].to_numpy(), priced)
    save_price_model(folder, trained, store, splits, config, interval=interval, backbone=weights)
    return PriceModel.load(folder), True


def _with_its_kernel(
    network: TrainedHead, store: FeatureStore, splits: pd.DataFrame, config: HeadSettings
) -> TrainedHead:
    """The head that was trained along, mixed with a kernel ridge on the trained network's maps of three sizes."""
    features = store.gather_views(splits["sha256"].tolist())
    *earlier, last = store.blocks
    start = sum(earlier)
    # Average and maximum of the last map, as it was trained on; the deviation lies behind them.
    columns = slice(start, start + 2 * last // 3)
    prices, sides = splits["price"].to_numpy(dtype=float), splits["split"].to_numpy(dtype=str)
    return with_kernel(network, features, prices, sides, config, blocks=store.blocks, columns=columns)


def _tuned_backbone(
    backbone: Backbone, settings: FinetuneSettings, network: PriceNetwork
) -> tuple[Backbone, dict[str, torch.Tensor]]:
    """The backbone with what was trained put back into it, and that part alone by its names there."""
    names = trained_names(backbone, settings.unfreeze_from or "")
    trained = {names[name]: tensor.detach().cpu().contiguous() for name, tensor in network.upper.state_dict().items()}
    source = replace(backbone.weights, fine_tuned_from=settings.unfreeze_from or HEAD)
    return with_weights(backbone, trained, source), trained
