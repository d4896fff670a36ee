"""Training checkpoints as folders of safetensors and JSON, written as a whole and without pickle.

``epoch-0012/`` holds ``model.safetensors`` (every tensor by name) and ``state.json`` (everything else, and the sha256
of the tensors).
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.lake import new_folder, read_json

logger = logging.getLogger(__name__)

N_RECENT = 2
"""Number of checkpoints kept beside the best one: the newest, and one to fall back on if that is damaged."""


class CheckpointError(SneakerError, ValueError):
    """A checkpoint cannot be read or belongs to another training; the message names its folder."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training at the end of an epoch.

    Attributes:
        epoch: Number of epochs trained.
        step: Number of training steps.
        tensors: Weights, optimizer state and random state by name; contiguous, on the CPU.
        history: One row per epoch: numbers by name.
        known: Further JSON values that describe the run, such as its settings.
    """

    epoch: int
    step: int
    tensors: dict[str, Tensor]
    history: list[dict[str, float]]
    known: dict[str, Any]


def save(folder: UPath, checkpoint: Checkpoint, best: int | None = None) -> UPath:
    """Write a checkpoint, then delete all but the newest :data:`N_RECENT` and that of the best epoch.

    Args:
        folder: The training's folder of checkpoints.
        checkpoint: What to write.
        best: The epoch whose checkpoint is kept in any case.

    Returns:
        The checkpoint's own folder.

    Raises:
        LakeError: The folder cannot be written; earlier checkpoints are kept.
    """
    path = path_of(folder, checkpoint.epoch)
    tensors = tensors_to_bytes(checkpoint.tensors)
    state = {
        "epoch": checkpoint.epoch,
        "step": checkpoint.step,
        "sha256": hashlib.sha256(tensors).hexdigest(),
        **checkpoint.known,
        "history": checkpoint.history,
    }
    with new_folder(path) as new:
        (new / "model.safetensors").write_bytes(tensors)
        (new / "state.json").write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    for old in list(_newest_first(folder))[N_RECENT:]:
        if best is None or old != path_of(folder, best):
            old.fs.rm(old.path, recursive=True)
    return path


def path_of(folder: UPath, epoch: int) -> UPath:
    """The folder of an epoch's checkpoint.

    Args:
        folder: Folder of all checkpoints.
        epoch: Number of the epoch.
    """
    return folder / f"epoch-{epoch:04d}"


def load(path: UPath) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: The checkpoint's own folder.

    Returns:
        What :func:`save` wrote.

    Raises:
        CheckpointError: A file is missing, truncated or altered.
    """
    try:
        state = read_json(path / "state.json")
        data = _read_verified(path / "model.safetensors", state.pop("sha256"))
        return Checkpoint(
            epoch=state.pop("epoch"),
            step=state.pop("step"),
            tensors=load_tensors(data),
            history=state.pop("history"),
            known=state,
        )
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged ({error})") from error


def _read_verified(file: UPath, sha256: str) -> bytes:
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{file.name} does not match its sha256")
    return data


def latest(folder: UPath, run: str | None = None) -> Checkpoint | None:
    """The newest checkpoint that can be read, or None; the others are skipped with a warning.

    Args:
        folder: The training's folder of checkpoints; it need not exist.
        run: Skip checkpoints whose ``known["run"]`` differs; None accepts those of any run.
    """
    for path in _newest_first(folder):
        try:
            checkpoint = load(path)
            _check_run(path, checkpoint, run)
        except CheckpointError as error:
            logger.warning("%s; trying the checkpoint before it", error)
        else:
            return checkpoint
    return None


def _check_run(path: UPath, checkpoint: Checkpoint, run: str | None) -> None:
    if run is not None and checkpoint.known.get("run") != run:
        raise CheckpointError(f"{path} belongs to another network, other rows or other settings")


def _newest_first(folder: UPath) -> Iterator[UPath]:
    if folder.exists():
        yield from sorted(folder.glob("epoch-*"), key=lambda path: path.name, reverse=True)
