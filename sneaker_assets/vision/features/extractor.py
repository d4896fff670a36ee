"""Extracts features of images with a frozen backbone and adds them to a feature store."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from upath import UPath

from sneaker_assets.progress import Progress
from sneaker_assets.torch_utils.device import keep_freed_memory
from sneaker_assets.vision.backbones.backbone import Backbone, pool, pool_roots, pool_with_deviation, signed_roots
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.imaging.crops import MARGIN, TOLERANCE
from sneaker_assets.vision.imaging.decoding import Frame, Pixels, read_batches
from sneaker_assets.vision.settings import FeatureSettings, Keep, View

logger = logging.getLogger(__name__)

PART_SIZE = 512
"""Images per part of a store; an interrupted pass recomputes at most this many."""

MAP_SIDE = 7
"""Height and width of the feature map that VGG's classifier takes, whatever the frame."""

SCALES = 3
"""Number of stages, the last ones, whose feature maps ``scales`` pools."""

GRID = (2, 4)
"""Rows and columns of cells in which ``grid`` averages the last map but one."""


def frame_of(backbone: Backbone, settings: FeatureSettings) -> Frame:
    """The frame that images are fitted into.

    Args:
        backbone: The network.
        settings: Size in pixels and fit; a size that is not set is that of the backbone's input.
    """
    return Frame(settings.height or backbone.input.height, settings.width or backbone.input.width, settings.fit)


def open_store(features_folder: UPath, backbone: Backbone, settings: FeatureSettings | None = None) -> FeatureStore:
    """The store of one combination of backbone, weights and preprocessing, created if it does not exist.

    Args:
        features_folder: The folder of all stores.
        backbone: The network.
        settings: Preprocessing and pooling; the defaults where None.

    Raises:
        LakeError: The folder cannot be written.
    """
    settings = settings or FeatureSettings()
    return FeatureStore.create(features_folder, describe(backbone, settings), settings.views)


def describe(backbone: Backbone, settings: FeatureSettings) -> dict[str, object]:
    """The manifest of a feature store, without its code version.

    Args:
        backbone: The network.
        settings: Preprocessing and pooling.

    Returns:
        backbone (name), weights (provenance), fingerprint, frame (height and width in pixels), fit, border (tolerance
        and margin of trimming, or None), keep, blocks (widths of the groups of features that are weighted alike).
    """
    frame = frame_of(backbone, settings)
    return {
        "backbone": backbone.architecture.name,
        "weights": backbone.weights.as_dict(),
        "fingerprint": backbone.fingerprint,
        "frame": [frame.height, frame.width],
        "fit": frame.fit,
        "border": [TOLERANCE, MARGIN] if frame.fit == "trim" else None,
        "keep": settings.keep,
        "blocks": _blocks(backbone, settings.keep),
    }


def _blocks(backbone: Backbone, keep: Keep) -> list[int]:
    """Widths of the groups of features that are weighted alike, the last map last; empty if only one map is kept."""
    if keep == "scales":
        return [3 * channels for channels in backbone.channels[-SCALES:]]
    if keep == "grid":
        before, last = ([*backbone.channels] * 2)[-2:]  # the only map twice, where there is one
        rows, columns = GRID
        return [2 * before, *[columns * before] * rows, 2 * last]
    return []


class FeatureExtractor:
    """Computes the features of batches of images.

    The network runs channels last, with batch norms folded, and in bfloat16 where device and architecture support it:
    together about twice as fast on a CPU as the published network, at a relative error of the features below 1 %.

    Args:
        backbone: The network.
        device: Where to compute.
        keep: How feature maps are reduced; decides D below.
        views: The views of each image to compute.
    """

    def __init__(
        self, backbone: Backbone, device: torch.device, keep: Keep = "pooled", views: Sequence[View] = ("plain",)
    ) -> None:
        keep_freed_memory()
        self.device, self.keep, self.views = device, keep, tuple(views)
        self._precision = backbone.precision(device)
        self._stages = backbone.ready(device, self._precision)
        self._normalise = Normalise(backbone).to(device)

    @torch.inference_mode()
    def __call__(self, batch: Pixels) -> Tensor:
        """Compute the features of a batch.

        Args:
            batch: uint8 [n, height, width, 3], RGB.

        Returns:
            float32 [views, n, D] on the device, where D is 2C for ``pooled``, 49C for ``map``, 3C + 3C' + 3C'' for
            ``scales``, and 2C + 10C' for ``grid``, with C the channels of the last feature map and C', C'' those of the
            stages before it.
        """
        pixels = torch.from_numpy(batch).to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        images = self._normalise(pixels).to(self._precision)
        return torch.stack(
            [
                summarise(feature_maps(self._stages, _as_view(images, view)), self.keep, mirrored=view == "mirrored")
                for view in self.views
            ]
        )


def _as_view(images: Tensor, view: View) -> Tensor:
    return images.flip(3).contiguous(memory_format=torch.channels_last) if view == "mirrored" else images


def feature_maps(stages: Iterable[nn.Module], images: Tensor) -> list[Tensor]:
    """The feature map that each stage ends with.

    Args:
        stages: Stages of ``Backbone.ready``.
        images: Normalised images, float [N, 3, height, width].

    Returns:
        One float tensor [N, C, h, w] per stage, in order.
    """
    maps = [images]
    for stage in stages:
        maps.append(stage(maps[-1]))
    return maps[1:]


def summarise(maps: Sequence[Tensor], keep: Keep, *, mirrored: bool = False) -> Tensor:
    """Reduce feature maps to one vector per image.

    Args:
        maps: Each stage's last feature map, [N, C, h, w].
        keep: ``pooled``: average and maximum of the last map; ``scales``: average, maximum and standard deviation of
            each of the last :data:`SCALES` maps, the smallest map last; ``grid``: signed square roots of average and
            standard deviation of the last map but one, of its averages in each row of cells of :data:`GRID`, and of
            average and standard deviation of the last map; ``map``: the last map, resized to 7x7.
        mirrored: Whether the maps are those of mirrored images, whose cells are put back in the order of the original.

    Returns:
        float32 [N, D].
    """
    if keep == "scales":
        return torch.cat([pool_with_deviation(feature_map.float()) for feature_map in maps[-SCALES:]], dim=1)
    if keep == "grid":
        before, last = (feature_map.float() for feature_map in ([*maps] * 2)[-2:])
        return torch.cat([pool_roots(before), _root_cells(before, mirrored=mirrored), pool_roots(last)], dim=1)
    last = maps[-1].float()
    return pool(last) if keep == "pooled" else functional.adaptive_avg_pool2d(last, MAP_SIDE).flatten(1)


def _root_cells(feature_map: Tensor, *, mirrored: bool) -> Tensor:
    """Signed square roots [N, cells * C] of the averages in the cells of a grid, row after row.

    Product shots are trimmed and face one way, so that a cell shows the same part of most shoes.

    Source: Lazebnik, Schmid and Ponce, "Beyond Bags of Features: Spatial Pyramid Matching for Recognizing Natural Scene
    Categories", CVPR 2006.
    """
    cells = functional.adaptive_avg_pool2d(feature_map, GRID)
    return signed_roots((cells.flip(3) if mirrored else cells).transpose(1, 2).flatten(1))


class Normalise(nn.Module):
    """Normalises pixels (0 to 255) by the mean and standard deviation that the backbone's weights expect."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        shape = (1, 3, 1, 1)
        self.register_buffer("mean", torch.tensor(backbone.input.mean).reshape(shape) * 255)
        self.register_buffer("deviation", torch.tensor(backbone.input.deviation).reshape(shape) * 255)

    def forward(self, images: Tensor) -> Tensor:
        """Normalise images.

        Args:
            images: [N, 3, height, width] of any type, 0 to 255.

        Returns:
            float32 of the same shape and memory format.
        """
        return (images.float() - self.mean) / self.deviation


def update_store(
    store: FeatureStore,
    backbone: Backbone,
    images: Mapping[str, UPath],
    device: torch.device,
    *,
    batch_size: int = 32,
    settings: FeatureSettings | None = None,
) -> int:
    """Compute the features of the images that are not in the store yet.

    Args:
        store: The backbone's store.
        backbone: The network.
        images: sha256 to path.
        device: Where to compute.
        batch_size: Images per forward pass.
        settings: Settings the store was opened with; the defaults where None.

    Returns:
        Number of images computed.

    Raises:
        StoreError: The store belongs to other weights or settings, or cannot be written.
        UnreadableImageError: An image does not decode; the parts written before it are kept.
    """
    settings = settings or FeatureSettings()
    store.check({key: value for key, value in describe(backbone, settings).items() if key != "weights"})
    missing = _missing(store, images, settings.views)
    new = sum(map(len, missing.values()))
    logger.info("%s: features of %d images known, %d new", backbone.architecture.name, len(images) - new, new)
    progress = Progress(logger, f"{backbone.architecture.name} features", of=new)
    for views, hashes in missing.items():
        extract = FeatureExtractor(backbone, device, settings.keep, views)
        for start in range(0, len(hashes), PART_SIZE):
            part = hashes[start : start + PART_SIZE]
            began = time.monotonic()
            features = []
            for batch in read_batches([images[sha256] for sha256 in part], batch_size, frame_of(backbone, settings)):
                features.append(extract(batch).cpu())
                progress.add(len(batch))
            seconds = (time.monotonic() - began) / len(views)
            for view, of_view in zip(views, torch.cat(features, dim=1), strict=True):
                store.append(part, np.asarray(of_view), view, seconds=seconds)
    return new


def _missing(
    store: FeatureStore, images: Mapping[str, UPath], views: Sequence[View]
) -> dict[tuple[View, ...], list[str]]:
    """The images without features, grouped by the views they lack, so that each image is decoded once."""
    known = {view: set(store.index(view)["sha256"]) for view in views}
    missing: dict[tuple[View, ...], list[str]] = {}
    for sha256 in images:
        of_image = tuple(view for view in views if sha256 not in known[view])
        if of_image:
            missing.setdefault(of_image, []).append(sha256)
    return missing
