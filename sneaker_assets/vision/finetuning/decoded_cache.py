"""Cache of decoded images: uint8 pixels in one memory-mapped file, so that no epoch decodes an image again."""

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
class DecodedCache:
    """Memory-mapped pixels of decoded images.

    Attributes:
        name: Twelve hex digits, a hash of the images and their frame.
        pixels: uint8 [N, height, width, 3], RGB.
        index: Position in ``pixels`` of each image, by sha256.
    """

    name: str
    pixels: Pixels
    index: Mapping[str, int]


def build_decoded_cache(folder: Path, images: Mapping[str, UPath], frame: Frame) -> DecodedCache:
    """Decoded images in a frame, from the cache file if it exists, which is written otherwise.

    Args:
        folder: A local folder for the file of ``len(images) * height * width * 3`` bytes.
        images: Path of each image, by sha256.
        frame: The frame the images are fitted into.

    Returns:
        The cache, opened for reading.

    Raises:
        UnreadableImageError: An image cannot be decoded.
        LakeError: The folder cannot be written.
    """
    hashes = sorted(images)
    path = folder / f"frames-{_name(hashes, frame)}.npy"
    if not path.exists():
        progress = Progress(logger, "images decoded", of=len(hashes))
        with lake.new_file(UPath(path)) as file:
            pixels = np.lib.format.open_memmap(file, "w+", np.uint8, (len(hashes), frame.height, frame.width, 3))
            done = 0
            for batch in read_batches([images[sha256] for sha256 in hashes], _BATCH, frame):
                pixels[done : done + len(batch)] = batch
                done += len(batch)
                progress.add(len(batch))
            pixels.flush()
        progress.finish()
    return open_decoded_cache(folder, hashes, frame)


def open_decoded_cache(folder: Path, hashes: Iterable[str], frame: Frame) -> DecodedCache:
    """Cache written by :func:`build_decoded_cache`.

    Args:
        folder: The folder it was written to.
        hashes: sha256 of each image; order and duplicates do not matter.
        frame: The frame the images were fitted into.

    Returns:
        The cache, opened for reading.

    Raises:
        FileNotFoundError: There is no cache of exactly these images in this frame.
    """
    distinct = sorted(set(hashes))
    name = _name(distinct, frame)
    pixels = np.load(folder / f"frames-{name}.npy", mmap_mode="r")
    return DecodedCache(name, pixels, {sha256: position for position, sha256 in enumerate(distinct)})


def _name(hashes: list[str], frame: Frame) -> str:
    content = json.dumps([frame.height, frame.width, frame.fit, hashes])
    return hashlib.sha256(content.encode()).hexdigest()[:12]
