"""A run's folder: what a training leaves there, the best of it, and its name.

``checkpoints/`` is what the training goes on from; ``generator/`` what others draw with: ``model.safetensors`` (the
averaged generator), ``config.json``, ``history.parquet`` and ``samples/epoch-0012.png``, grids from fixed noise. What
is in a checkpoint is ``state``'s concern.
"""

import hashlib
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor
from upath import UPath

from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.sampling import image_grid, sample
from sneaker_assets.gan.settings import GanSettings
from sneaker_assets.gan.state import GanState
from sneaker_assets.lake import LakeError, read_json, write_bytes, write_json, write_table
from sneaker_assets.torch_utils import checkpoint
from sneaker_assets.torch_utils.checkpoint import Checkpoint, CheckpointError

if TYPE_CHECKING:
    from sneaker_assets.gan.quality import Judge

logger = logging.getLogger(__name__)

SEED_OF_JUDGED = 1
"""Of the noise whose pictures are judged; the fixed noise of the grids is the training's own."""


@dataclass(frozen=True)
class GanRun:
    """What a training left behind.

    Attributes:
        generator: the folder for ``sampling.load_generator``.
        samples: the newest grid of samples (PNG).
        history: one row an epoch: epoch, step, generator_loss, discriminator_loss, seconds; where samples were judged,
            ``kid`` and the other fields of ``quality.Quality``.
        epochs: epochs trained in total.
        epoch: the one that the generator is of: the best by KID, or the last where none was judged.
        trained: epochs trained by this call; 0 where all were there already.
    """

    generator: UPath
    samples: UPath
    history: pd.DataFrame
    epochs: int
    epoch: int
    trained: int


def run_name(images: UInt8Array, config: GanSettings) -> str:
    """Sixteen hex digits that name a run: the same images and settings, however long it has been trained."""
    free = {"epochs", "checkpoint_every"}
    settings = {name: value for name, value in asdict(config).items() if name not in free}
    digest = hashlib.sha256(json.dumps([images.shape, settings]).encode())
    digest.update(images.tobytes())
    return digest.hexdigest()[:16]


def keep(state: GanState, known: dict[str, Any], folder: UPath, judge: "Judge | None") -> None:
    """A grid of samples, then the checkpoint: whoever finds the checkpoint finds its grid.

    Raises:
        LakeError: they cannot be written; the checkpoints before stay.
    """
    png = io.BytesIO()
    image_grid(state.samples(), columns=8).save(png, "PNG")
    if judge is not None:
        quality = judge(sample(state.averaged, len(judge.real), SEED_OF_JUDGED, state.device))
        state.history[-1] |= quality
        logger.info("epoch %d: KID %.4f, its deviation %.4f", state.epoch, quality["kid"], quality["kid_deviation"])
    kept = Checkpoint(state.epoch, state.step, state.tensors(), state.history, known)
    with _or_no_room(folder):
        write_bytes(grid_of(folder / "generator", state.epoch), png.getvalue())
        checkpoint.save(folder / "checkpoints", kept, best=best_epoch(state.history))


def best_epoch(history: Sequence[Mapping[str, float]]) -> int | None:
    """The epoch whose samples had the lowest KID, or None where none was judged."""
    judged = [row for row in history if "kid" in row]
    return int(min(judged, key=lambda row: row["kid"])["epoch"]) if judged else None


def is_published(generator: UPath, epoch: int) -> bool:
    """Whether the generator is that of a training of so many epochs."""
    config = generator / "config.json"
    return config.exists() and read_json(config)["trained"] == epoch


def publish(state: GanState, known: dict[str, Any], folder: UPath) -> None:
    """The finished generator; its ``config.json`` comes last and tells that the rest is there."""
    epoch, weights = _best_weights(state, folder / "checkpoints")
    generator = folder / "generator"
    with _or_no_room(folder):
        write_bytes(generator / "model.safetensors", tensors_to_bytes(weights))
        write_table(generator / "history.parquet", pd.DataFrame(state.history))
        config = {**known["config"], "run": known["run"], "trained": state.epoch, "epoch": epoch}
        write_json(generator / "config.json", config)


def _best_weights(state: GanState, checkpoints: UPath) -> tuple[int, dict[str, Tensor]]:
    """The epoch to draw with, and its averaged generator's weights, on the CPU."""
    best = best_epoch(state.history)
    if best not in (None, state.epoch):
        try:
            return best, state.averaged_of(checkpoint.load(checkpoint.path_of(checkpoints, best)).tensors)
        except CheckpointError as error:
            logger.warning("%s; the generator is that of the last epoch", error)
    return state.epoch, state.averaged_of(state.tensors())


def grid_of(generator: UPath, epoch: int) -> UPath:
    """Where the grid of an epoch's samples lies."""
    return generator / "samples" / f"epoch-{epoch:04d}.png"


@contextmanager
def _or_no_room(folder: UPath) -> Iterator[None]:
    """Say what to do where the disk is full."""
    try:
        yield
    except LakeError:
        raise
    except OSError as error:
        raise LakeError(
            f"what was trained cannot be written to {folder} ({error.strerror or error}); the checkpoints before stay: "
            "make room and train again, which goes on from them"
        ) from error
