"""A training's state as a folder that is there whole or not at all.

``epoch-0012/`` holds ``model.safetensors`` (every tensor by name) and ``state.json`` (the rest, and the tensors'
sha256). No pickle. What the tensors mean is ``state``'s concern.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as tensors_from
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.lake import new_folder, read_json

logger = logging.getLogger(__name__)

KEPT = 2
"""Checkpoints that stay beside the best: the newest, and the one before it should the newest be damaged."""


class CheckpointError(SneakerError, ValueError):
    """A checkpoint cannot be read; the message names its folder and what is wrong."""


@dataclass(frozen=True)
class Checkpoint:
    """What a training needs in order to go on.

    Attributes:
        epoch: epochs done.
        step: training steps done.
        tensors: weights, optimizers and random states by name; contiguous, on the CPU.
        history: one row an epoch, as numbers by name.
        known: what else is known of the run, as JSON: its settings and its images.
    """

    epoch: int
    step: int
    tensors: dict[str, Tensor]
    history: list[dict[str, float]]
    known: dict[str, Any]


def save(folder: UPath, checkpoint: Checkpoint, best: int | None = None) -> UPath:
    """Write a checkpoint into ``folder``, then drop all but the last two and that of the ``best`` epoch.

    Raises:
        OSError: the folder cannot be written or the disk is full; the checkpoints before it stay.
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
    for old in list(_newest_first(folder))[KEPT:]:
        if best is None or old != path_of(folder, best):
            old.fs.rm(old.path, recursive=True)
    return path


def path_of(folder: UPath, epoch: int) -> UPath:
    """Where the checkpoint of an epoch lies."""
    return folder / f"epoch-{epoch:04d}"


def load(path: UPath) -> Checkpoint:
    """Read a checkpoint's folder.

    Raises:
        CheckpointError: a file is missing, cut short or altered.
    """
    try:
        state = read_json(path / "state.json")
        data = (path / "model.safetensors").read_bytes()
        if hashlib.sha256(data).hexdigest() != state.pop("sha256"):
            raise CheckpointError(f"{path}: model.safetensors is not what was written")
        return Checkpoint(
            epoch=state.pop("epoch"),
            step=state.pop("step"),
            tensors=tensors_from(data),
            history=state.pop("history"),
            known=state,
        )
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged ({error})") from error


def latest(folder: UPath) -> Checkpoint | None:
    """The newest readable checkpoint in ``folder``, or None; a damaged one is named in a warning and passed over."""
    for path in _newest_first(folder):
        try:
            return load(path)
        except CheckpointError as error:
            logger.warning("%s; the checkpoint before it is used", error)
    return None


def _newest_first(folder: UPath) -> Iterator[UPath]:
    if folder.exists():
        yield from sorted(folder.glob("epoch-*"), key=lambda path: path.name, reverse=True)
