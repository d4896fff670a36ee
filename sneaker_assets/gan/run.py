"""Folder of a training run: its checkpoints, its best generator and its name.

Training resumes from ``checkpoints/``. ``generator/`` is the result: ``model.safetensors`` (the EMA generator),
``config.json``, ``history.parquet`` and ``samples/epoch-0012.png``, grids of samples from fixed noise.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor
from upath import UPath

from sneaker_assets import code_versions
from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.sampling import image_grid, sample
from sneaker_assets.gan.settings import GanSettings
from sneaker_assets.gan.state import GanState
from sneaker_assets.lake import LakeError, read_json, write_bytes, write_json, write_table
from sneaker_assets.torch_utils import checkpoint
from sneaker_assets.torch_utils.checkpoint import Checkpoint, CheckpointError
from sneaker_assets.vision.imaging.encoding import png_bytes

if TYPE_CHECKING:
    from sneaker_assets.gan.quality import QualityMonitor

logger = logging.getLogger(__name__)

_NAMED_BY = (
    "batch_size", "size", "latent", "generator_width", "discriminator_width", "generator_lr", "discriminator_lr",
    "betas", "ema_decay", "augment", "spectral_norm", "seed",
)  # fmt: skip
"""Settings that determine the name of a run, in the order in which they are hashed."""

_BEFORE = {"upsampling": "transposed", "convolutions": 1, "r1_weight": 0.0, "r1_every": 16}
"""Settings added since, hashed only where they are not what runs had before, so that those keep their names."""

_AUGMENT_BEFORE = {"": False, "translation": True}
"""Values of ``augment`` that runs had before."""

MONITOR_SEED = 1
"""Seed of the samples whose quality is measured during training."""


@dataclass(frozen=True)
class GanRun:
    """Result of a training run.

    Attributes:
        generator: Folder for ``sampling.load_generator``.
        samples: Newest grid of samples (PNG).
        history: One row per epoch: ``epoch``, ``step``, ``generator_loss`` and ``discriminator_loss`` (nats),
            ``seconds``; for epochs with a quality measurement also the finite fields of ``quality.Quality``.
        epochs: Epochs trained in total.
        epoch: Epoch of the generator: the one with the lowest KID, or the last without quality measurements.
        trained: Epochs trained by this call; 0 if the run was already complete.
        wanted: Epochs that the settings ask for.
    """

    generator: UPath
    samples: UPath
    history: pd.DataFrame
    epochs: int
    epoch: int
    trained: int
    wanted: int

    @property
    def finished(self) -> bool:
        """Whether all epochs are trained."""
        return self.epochs >= self.wanted

    @property
    def seconds_left(self) -> float:
        """Seconds that the remaining epochs take, each as long as the last ones did."""
        return max(0, self.wanted - self.epochs) * float(self.history["seconds"].tail(10).median())


def run_name(images: UInt8Array, config: GanSettings, labels: pd.DataFrame | None = None) -> str:
    """Name of a run: a hash of its images, their labels, and settings other than length and checkpoint interval.

    Args:
        images: Training images, uint8 RGB [N, size, size, 3].
        config: The settings.
        labels: Labels of the images, for a conditional generator.

    Returns:
        16 hex digits.
    """
    settings = {name: getattr(config, name) for name in _NAMED_BY}
    if config.augment in _AUGMENT_BEFORE:
        settings["augment"] = _AUGMENT_BEFORE[config.augment]
    added = {name: getattr(config, name) for name, before in _BEFORE.items() if getattr(config, name) != before}
    named = settings | added | code_versions.changed(code_version=code_versions.GAN)
    digest = hashlib.sha256(json.dumps([images.shape, named]).encode())
    digest.update(np.ascontiguousarray(images).data)
    if labels is not None:
        digest.update(labels.to_json(orient="split", index=False).encode())
    return digest.hexdigest()[:16]


def last_run(folder: UPath | None) -> tuple[str, GanSettings] | None:
    """Recipe and settings of an earlier training.

    Args:
        folder: Folder of its run; None if there was none.

    Returns:
        Both; None without a complete run, or if that was of another version with other settings, which is
        logged.
    """
    config = folder / "generator" / "config.json" if folder is not None else None
    if config is None or not config.exists():
        return None
    stored = read_json(config)
    missing = sorted(name for name in GanSettings.model_fields if name not in stored)
    if missing:
        logger.warning(
            "the last training, %s, is of an earlier version without the settings %s: a new one is started",
            folder,
            ", ".join(missing),
        )
        return None
    return stored.get("recipe", "default"), GanSettings(**{name: stored[name] for name in GanSettings.model_fields})


def save_checkpoint(state: GanState, known: dict[str, Any], folder: UPath, monitor: "QualityMonitor | None") -> None:
    """Write a grid of samples and then the checkpoint, so that every checkpoint has its grid.

    Args:
        state: The training; with a monitor, the quality is added to the last row of its history.
        known: Settings (``config``), name of the run (``run``) and other facts, stored with the checkpoint.
        folder: Folder of the run.
        monitor: Measures the quality of samples; None to skip it.

    Raises:
        LakeError: They cannot be written; earlier checkpoints are kept.
    """
    grid = png_bytes(image_grid(state.samples(), columns=8))
    if monitor is not None:
        count, rng = len(monitor.real), torch.Generator().manual_seed(MONITOR_SEED)
        condition = state.draw_conditions(count, rng)
        quality = monitor(sample(state.ema_generator, count, MONITOR_SEED, state.device, condition))
        state.history[-1] |= quality
        logger.info("epoch %d: KID %.4f (deviation %.4f)", state.epoch, quality["kid"], quality["kid_deviation"])
    content = Checkpoint(state.epoch, state.step, state.tensors(), state.history, known)
    with _as_lake_error(folder):
        write_bytes(grid_path(folder / "generator", state.epoch), grid)
        checkpoint.save(folder / "checkpoints", content, best=best_epoch(state.history))


def best_epoch(history: Sequence[Mapping[str, float]]) -> int | None:
    """Epoch with the lowest KID, or None if it was never measured."""
    measured = [row for row in history if "kid" in row]
    return int(min(measured, key=lambda row: row["kid"])["epoch"]) if measured else None


def is_published(generator: UPath, epoch: int) -> bool:
    """Whether a folder holds the result of a training of ``epoch`` epochs.

    Args:
        generator: Folder of the generator.
        epoch: Number of epochs trained.
    """
    config = generator / "config.json"
    return config.exists() and read_json(config)["trained"] == epoch


def publish(state: GanState, known: dict[str, Any], folder: UPath) -> None:
    """Write the generator of the best epoch; ``config.json`` is written last and marks it as complete.

    Args:
        state: The finished training.
        known: Settings and name of the run.
        folder: Folder of the run.

    Raises:
        LakeError: The generator cannot be written; the checkpoints are kept.
    """
    epoch, weights = _best_weights(state, folder / "checkpoints")
    generator = folder / "generator"
    with _as_lake_error(folder):
        write_bytes(generator / "model.safetensors", tensors_to_bytes(weights))
        write_table(generator / "history.parquet", pd.DataFrame(state.history))
        facts = {name: value for name, value in known.items() if name != "config"}
        config = {**known["config"], **facts, "trained": state.epoch, "epoch": epoch}
        write_json(generator / "config.json", config)


def _best_weights(state: GanState, checkpoints: UPath) -> tuple[int, dict[str, Tensor]]:
    """Best epoch and the weights of its EMA generator, on the CPU; the last epoch if that checkpoint is damaged."""
    best = best_epoch(state.history)
    if best not in (None, state.epoch):
        try:
            return best, state.ema_weights(checkpoint.load(checkpoint.path_of(checkpoints, best)).tensors)
        except CheckpointError as error:
            logger.warning("%s; using the generator of the last epoch", error)
    return state.epoch, state.ema_weights(state.tensors())


def grid_path(generator: UPath, epoch: int) -> UPath:
    """Path of the grid of samples of an epoch.

    Args:
        generator: Folder of the generator.
        epoch: Number of the epoch, from 1.
    """
    return generator / "samples" / f"epoch-{epoch:04d}.png"


@contextmanager
def _as_lake_error(folder: UPath) -> Iterator[None]:
    """Convert an ``OSError``, such as a full disk, to a ``LakeError`` that says what to do.

    Raises:
        LakeError: The block raised an ``OSError``.
    """
    try:
        yield
    except LakeError:
        raise
    except OSError as error:
        raise LakeError(
            f"the training cannot be written to {folder} ({error.strerror or error}); earlier checkpoints are kept: "
            "free disk space and train again to resume"
        ) from error
