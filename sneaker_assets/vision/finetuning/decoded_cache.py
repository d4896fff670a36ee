"""Decoded pictures, kept so that no epoch decodes: uint8 frames in one memory map, by sha256."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from upath import UPath

from sneaker_assets import lake
from sneaker_assets.progress import Progress
from sneaker_assets.vision.imaging.decoding import Frame, Pixels, read_batches

logger = logging.getLogger(__name__)

_BATCH = 64


@dataclass(frozen=True)
class Frames:
    """uint8 [N, height, width, 3] on disk, and the row of each picture; ``name`` is a hash of what they are of."""

    name: str
    pixels: Pixels
    row: Mapping[str, int]


def keep_frames(folder: Path, images: Mapping[str, UPath], frame: Frame) -> Frames:
    """The pictures in this frame, decoded now unless they are there already.

    Args:
        folder: A local folder, for a file of ``len(images) * height * width * 3`` bytes.
        images: sha256 to path.
        frame: What they are fitted into.

    Raises:
        UnreadableImageError: an image does not decode.
        LakeError: the folder cannot be written.
    """
    hashes = sorted(images)
    path = folder / f"frames-{_name(hashes, frame)}.npy"
    if not path.exists():
        progress = Progress(logger, "pictures decoded", of=len(hashes))
        with lake.new_file(UPath(path)) as file:
            pixels = np.lib.format.open_memmap(file, "w+", np.uint8, (len(hashes), frame.height, frame.width, 3))
            done = 0
            for batch in read_batches([images[sha256] for sha256 in hashes], _BATCH, frame):
                pixels[done : done + len(batch)] = batch
                done += len(batch)
                progress.add(len(batch))
            pixels.flush()
        progress.finish()
    return open_frames(folder, hashes, frame)


def open_frames(folder: Path, hashes: Iterable[str], frame: Frame) -> Frames:
    """The pictures that :func:`keep_frames` decoded.

    Raises:
        FileNotFoundError: it did not.
    """
    known = sorted(set(hashes))
    name = _name(known, frame)
    pixels = np.load(folder / f"frames-{name}.npy", mmap_mode="r")
    return Frames(name, pixels, {sha256: row for row, sha256 in enumerate(known)})


def _name(hashes: list[str], frame: Frame) -> str:
    said = json.dumps([frame.height, frame.width, frame.fit, hashes])
    return hashlib.sha256(said.encode()).hexdigest()[:12]
