"""What the trained blocks of a backbone are given: kept outputs of the frozen blocks below, or fresh ones each epoch.

On a CPU the frozen blocks cost more than those above: a few augmented copies of each picture go through them once, into
float16 memory maps. On a GPU, and where the whole network is trained, each epoch augments the pictures anew.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from upath import UPath

from sneaker_assets import lake
from sneaker_assets.progress import Progress
from sneaker_assets.torch_utils.device import keep_freed_memory
from sneaker_assets.vision.backbones.backbone import Backbone
from sneaker_assets.vision.backbones.blocks import SplitBackbone
from sneaker_assets.vision.features.extractor import Normalise
from sneaker_assets.vision.finetuning.decoded_cache import Frames
from sneaker_assets.vision.imaging.augmentation import augment, draw
from sneaker_assets.vision.settings import FinetuneSettings

logger = logging.getLogger(__name__)

_BATCH = 32
_COPIES = 2**31
"""Where the kept copies' randomness begins, far from that of any epoch."""

Indices = NDArray[np.int64]


class Inputs(Protocol):
    """Inputs of the trained blocks, row by row."""

    @property
    def name(self) -> str:
        """A hash of what they are."""

    def plain(self, rows: Indices) -> Tensor:
        """[n, C, h, w] of ``rows`` as they are, on the device."""

    def varied(self, rows: Indices, epoch: int) -> Tensor:
        """[n, C, h, w] of ``rows`` as this epoch sees them, on the device."""


@dataclass(frozen=True)
class LiveInputs:
    """Pictures through the frozen blocks whenever they are asked for; ``picture`` says which one a row shows."""

    frames: Frames
    picture: Indices
    lower: nn.Module
    normalise: nn.Module
    settings: FinetuneSettings
    device: torch.device
    precision: torch.dtype

    @property
    def name(self) -> str:
        """A hash of what they are."""
        return self.frames.name

    def plain(self, rows: Indices) -> Tensor:
        """See :class:`Inputs`."""
        return self._through(self._pixels(rows))

    def varied(self, rows: Indices, epoch: int) -> Tensor:
        """See :class:`Inputs`."""
        drawn = draw(self.settings, epoch, len(self.picture))[rows]
        return self._through(augment(self._pixels(rows), drawn, self.settings))

    def _pixels(self, rows: Indices) -> Tensor:
        # Gathering with numpy is several times as fast as torch's own indexing of a memory map.
        return torch.from_numpy(self.frames.pixels[self.picture[rows]]).permute(0, 3, 1, 2)

    @torch.no_grad()
    def _through(self, pixels: Tensor) -> Tensor:
        images = self.normalise(pixels.to(self.device)).to(self.precision)
        through: Tensor = self.lower(images.contiguous(memory_format=torch.channels_last))
        return through


@dataclass(frozen=True)
class KeptInputs:
    """What left the frozen blocks, a copy a map: float16 [N pictures, C, h, w].

    The first copy is the picture as it is; ``picture`` says which one a row shows.
    """

    name: str
    copies: Sequence[NDArray[np.float16]]
    picture: Indices
    seed: int
    device: torch.device

    def plain(self, rows: Indices) -> Tensor:
        """See :class:`Inputs`."""
        return self._tensor(self.copies[0][self.picture[rows]])

    def varied(self, rows: Indices, epoch: int) -> Tensor:
        """See :class:`Inputs`; a copy is drawn for each row."""
        drawn = np.random.default_rng((self.seed, epoch)).integers(len(self.copies), size=len(self.picture))[rows]
        picture = self.picture[rows]
        out = np.empty((len(rows), *self.copies[0].shape[1:]), np.float16)
        for number in np.unique(drawn):
            out[drawn == number] = self.copies[number][picture[drawn == number]]
        return self._tensor(out)

    def _tensor(self, kept: NDArray[np.float16]) -> Tensor:
        held = torch.from_numpy(kept).to(self.device).float()
        return held.contiguous(memory_format=torch.channels_last)


def prepare_inputs(
    frames: Frames,
    hashes: Sequence[str],
    backbone: Backbone,
    split: SplitBackbone,
    settings: FinetuneSettings,
    *,
    folder: Path,
    device: torch.device,
) -> Inputs:
    """The inputs of the blocks above ``split``.

    Args:
        frames: The decoded pictures.
        hashes: Which picture each row shows.
        backbone: Whole.
        split: It taken apart.
        settings: ``copies`` decides whether the outputs of the frozen blocks are kept.
        folder: A local folder for them.
        device: Where to compute.
    """
    keep_freed_memory()
    picture = np.array([frames.row[sha256] for sha256 in hashes], dtype=np.int64)
    precision = backbone.precision(device, allow_bfloat16=settings.bfloat16)
    lower = split.lower.to(device, precision, memory_format=torch.channels_last)  # type: ignore[call-overload]
    live = LiveInputs(frames, picture, lower, Normalise(backbone).to(device), settings, device, precision)
    if not settings.copies or not list(split.lower.children()):
        return live
    drawn = [settings.unfreeze_from, settings.flip, settings.rotation, settings.colour, settings.seed]
    said = json.dumps([frames.name, backbone.fingerprint, str(precision), drawn])
    name = hashlib.sha256(said.encode()).hexdigest()[:12]
    paths = [folder / f"activations-{name}-{copy}.npy" for copy in range(settings.copies)]
    every = LiveInputs(frames, np.arange(len(frames.pixels)), lower, live.normalise, settings, device, precision)
    for copy, path in enumerate(paths):
        if not path.exists():
            _keep_copy(path, every, copy)
    return KeptInputs(name, [np.load(path, mmap_mode="r") for path in paths], picture, settings.seed, device)


def _keep_copy(path: Path, inputs: LiveInputs, copy: int) -> None:
    """Send every picture through the frozen blocks: as it is for copy 0, changed a little for the others."""
    progress = Progress(logger, f"frozen blocks, copy {copy + 1}", of=len(inputs.picture))
    with lake.new_file(UPath(path)) as file:
        kept: np.memmap[Any, np.dtype[np.float16]] | None = None
        for start in range(0, len(inputs.picture), _BATCH):
            rows = inputs.picture[start : start + _BATCH]
            given = inputs.varied(rows, _COPIES + copy) if copy else inputs.plain(rows)
            outputs = given.to("cpu", torch.float16).contiguous().numpy()
            if kept is None:
                shape = (len(inputs.picture), *outputs.shape[1:])
                kept = np.lib.format.open_memmap(file, "w+", np.float16, shape)
            kept[start : start + len(rows)] = outputs
            progress.add(len(rows))
        assert kept is not None
        kept.flush()
    progress.finish()
