"""Inputs of the trained blocks: outputs of the frozen blocks, cached on disk or computed in every epoch.

On a CPU the frozen blocks are more expensive than the trained ones: a few augmented copies of each image pass through
them once and are stored as float16 memory maps. On a GPU, or where the whole network is trained, images are augmented
anew in every epoch.
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
from sneaker_assets.vision.finetuning.decoded_cache import DecodedCache
from sneaker_assets.vision.imaging.augmentation import augment, draw
from sneaker_assets.vision.settings import FinetuneSettings

logger = logging.getLogger(__name__)

_BATCH = 32
_COPIES = 2**31
"""Offset of the cached copies' random seeds from those of the epochs."""

Indices = NDArray[np.int64]


class Inputs(Protocol):
    """Inputs of the trained blocks, by row."""

    @property
    def name(self) -> str:
        """Hash of everything that determines the inputs."""

    def plain(self, rows: Indices) -> Tensor:
        """Inputs of images that are not augmented.

        Args:
            rows: int64 [n], row numbers.

        Returns:
            [n, C, h, w] on the device.
        """

    def augmented(self, rows: Indices, epoch: int) -> Tensor:
        """Inputs of images as augmented for an epoch.

        Args:
            rows: int64 [n], row numbers.
            epoch: Number of the epoch, which seeds the augmentation.

        Returns:
            [n, C, h, w] on the device.
        """


@dataclass(frozen=True)
class LiveInputs:
    """Inputs computed on demand by passing images through the frozen blocks.

    Attributes:
        decoded: The decoded images.
        image_index: int64 [rows], position of each row's image in ``decoded``.
        lower: The frozen blocks, on the device.
        normalise: Normalization of the pixels, on the device.
        settings: Augmentation and its seed.
        device: Where to compute.
        precision: Data type of the computation.
    """

    decoded: DecodedCache
    image_index: Indices
    lower: nn.Module
    normalise: nn.Module
    settings: FinetuneSettings
    device: torch.device
    precision: torch.dtype

    @property
    def name(self) -> str:
        """Hash of everything that determines the inputs."""
        return self.decoded.name

    def plain(self, rows: Indices) -> Tensor:
        """See :meth:`Inputs.plain`."""
        return self._forward(self._pixels(rows))

    def augmented(self, rows: Indices, epoch: int) -> Tensor:
        """See :meth:`Inputs.augmented`."""
        draws = draw(self.settings, epoch, len(self.image_index))[rows]
        return self._forward(augment(self._pixels(rows), draws, self.settings))

    def _pixels(self, rows: Indices) -> Tensor:
        # numpy gathers from a memory map several times as fast as torch.
        return torch.from_numpy(self.decoded.pixels[self.image_index[rows]]).permute(0, 3, 1, 2)

    @torch.no_grad()
    def _forward(self, pixels: Tensor) -> Tensor:
        images = self.normalise(pixels.to(self.device)).to(self.precision)
        outputs: Tensor = self.lower(images.contiguous(memory_format=torch.channels_last))
        return outputs


@dataclass(frozen=True)
class CachedInputs:
    """Inputs read from memory maps that hold the outputs of the frozen blocks.

    Attributes:
        name: Hash of everything that determines the inputs.
        copies: float16 [images, C, h, w] each; the first copy is not augmented.
        image_index: int64 [rows], position of each row's image in the copies.
        seed: Seed of the copy drawn for each row and epoch.
        device: Where the inputs are needed.
    """

    name: str
    copies: Sequence[NDArray[np.float16]]
    image_index: Indices
    seed: int
    device: torch.device

    def plain(self, rows: Indices) -> Tensor:
        """See :meth:`Inputs.plain`."""
        return self._to_device(self.copies[0][self.image_index[rows]])

    def augmented(self, rows: Indices, epoch: int) -> Tensor:
        """See :meth:`Inputs.augmented`; each row takes a randomly drawn copy."""
        rng = np.random.default_rng((self.seed, epoch))
        drawn = rng.integers(len(self.copies), size=len(self.image_index))[rows]
        images = self.image_index[rows]
        outputs = np.empty((len(rows), *self.copies[0].shape[1:]), np.float16)
        for copy in np.unique(drawn):
            outputs[drawn == copy] = self.copies[copy][images[drawn == copy]]
        return self._to_device(outputs)

    def _to_device(self, outputs: NDArray[np.float16]) -> Tensor:
        moved = torch.from_numpy(outputs).to(self.device).float()
        return moved.contiguous(memory_format=torch.channels_last)


def prepare_inputs(
    decoded: DecodedCache,
    hashes: Sequence[str],
    backbone: Backbone,
    split: SplitBackbone,
    settings: FinetuneSettings,
    *,
    folder: Path,
    device: torch.device,
) -> Inputs:
    """Inputs of the trained blocks, from a cache on disk where the settings ask for one.

    Args:
        decoded: The decoded images.
        hashes: sha256 of each row's image.
        backbone: The whole backbone.
        split: Its frozen and trained blocks.
        settings: ``copies`` is the number of cached copies; 0 computes the inputs on demand.
        folder: A local folder for the cache.
        device: Where to compute.

    Returns:
        The inputs of all rows; cached ones have been written if they did not exist.

    Raises:
        LakeError: The folder cannot be written.
    """
    keep_freed_memory()
    image_index = np.array([decoded.index[sha256] for sha256 in hashes], dtype=np.int64)
    precision = backbone.precision(device, allow_bfloat16=settings.bfloat16)
    lower = split.lower.to(device, precision, memory_format=torch.channels_last)  # type: ignore[call-overload]
    live = LiveInputs(decoded, image_index, lower, Normalise(backbone).to(device), settings, device, precision)
    if not settings.copies or not list(split.lower.children()):
        return live
    augmentation = [settings.unfreeze_from, settings.flip, settings.rotation, settings.colour, settings.seed]
    content = json.dumps([decoded.name, backbone.fingerprint, str(precision), augmentation])
    name = hashlib.sha256(content.encode()).hexdigest()[:12]
    paths = [folder / f"activations-{name}-{copy}.npy" for copy in range(settings.copies)]
    all_images = LiveInputs(decoded, np.arange(len(decoded.pixels)), lower, live.normalise, settings, device, precision)
    for copy, path in enumerate(paths):
        if not path.exists():
            _write_copy(path, all_images, copy)
    return CachedInputs(name, [np.load(path, mmap_mode="r") for path in paths], image_index, settings.seed, device)


def _write_copy(path: Path, inputs: LiveInputs, copy: int) -> None:
    """Write the outputs of the frozen blocks for all images: not augmented for copy 0, augmented for the others."""
    n_images = len(inputs.image_index)
    progress = Progress(logger, f"frozen blocks, copy {copy + 1}", of=n_images)
    with lake.new_file(UPath(path)) as file:
        written: np.memmap[Any, np.dtype[np.float16]] | None = None
        for start in range(0, n_images, _BATCH):
            rows = inputs.image_index[start : start + _BATCH]
            batch = inputs.augmented(rows, _COPIES + copy) if copy else inputs.plain(rows)
            outputs = batch.to("cpu", torch.float16).contiguous().numpy()
            if written is None:
                written = np.lib.format.open_memmap(file, "w+", np.float16, (n_images, *outputs.shape[1:]))
            written[start : start + len(rows)] = outputs
            progress.add(len(rows))
        assert written is not None
        written.flush()
    progress.finish()
