"""Features of pictures for every member of a model: what several members have in common is computed once."""

from pathlib import Path

import numpy as np
import torch

from sneaker_assets.vision.backbones.backbone import Backbone
from sneaker_assets.vision.backbones.weights import WeightsError
from sneaker_assets.vision.features.extractor import FeatureExtractor
from sneaker_assets.vision.imaging.decoding import Frame, Pixels
from sneaker_assets.vision.pricing.ensemble_model import Model
from sneaker_assets.vision.pricing.price_model import PriceModel, load_backbone_of
from sneaker_assets.vision.settings import VIEWS
from sneaker_assets.vision.types import Features

FramedPixels = tuple[Pixels, ...]
"""A picture, or a batch of pictures, in each of the frames of a model: uint8 [..., height, width, 3], RGB."""


def frames_of(model: Model) -> tuple[Frame, ...]:
    """The distinct frames that a model's pictures are fitted into, that of the member with the highest share first."""
    return tuple(dict.fromkeys(member.frame for member in model.members))


def load_backbones(model: Model, weights_folder: Path | None) -> tuple[Backbone, ...]:
    """Load the backbone of each member of a model, equal ones once.

    Args:
        model: The model.
        weights_folder: Folder of weight files, for members that were trained with one.

    Raises:
        WeightsError: The weights of a member are not available; the message names the member.
    """
    loaded: dict[str, Backbone] = {}
    for member in model.members:
        fingerprint = member.config["features"]["fingerprint"]
        try:
            loaded[fingerprint] = loaded.get(fingerprint) or load_backbone_of(member, weights_folder)
        except WeightsError as error:
            if model is member:
                raise
            raise WeightsError(f"the ensemble {model.folder} needs the model {member.name}: {error}") from error
    return tuple(loaded[member.config["features"]["fingerprint"]] for member in model.members)


class MemberFeatures:
    """Computes the features that each member of a model takes.

    Members whose features are in the same store share backbone, frame and pooling, and their features are computed
    together.

    Args:
        model: The model.
        backbones: The backbone of each member.
        device: Where to compute.
    """

    def __init__(self, model: Model, backbones: tuple[Backbone, ...], device: torch.device) -> None:
        self._members, self._frames = model.members, frames_of(model)
        self._extractors: dict[str, tuple[Frame, FeatureExtractor]] = {}
        for member, backbone in zip(model.members, backbones, strict=True):
            if _store(member) not in self._extractors:
                taken = {view for other in model.members if _store(other) == _store(member) for view in other.views}
                views, keep = [view for view in VIEWS if view in taken], member.config["features"]["keep"]
                extractor = FeatureExtractor(backbone, device, keep, views)
                self._extractors[_store(member)] = member.frame, extractor

    def __call__(self, pixels: FramedPixels) -> list[Features]:
        """Compute the features of a batch.

        Args:
            pixels: One uint8 [n, height, width, 3] for each frame of :func:`frames_of`, RGB.

        Returns:
            float32 [views, n, D] for each member.
        """
        framed = dict(zip(self._frames, pixels, strict=True))
        computed = {
            store: dict(zip(extractor.views, np.asarray(extractor(framed[frame]).cpu()), strict=True))
            for store, (frame, extractor) in self._extractors.items()
        }
        return [np.stack([computed[_store(member)][view] for view in member.views]) for member in self._members]


def _store(member: PriceModel) -> str:
    """Name of the store of the features that a model takes."""
    return str(member.config["features"]["store"])
