"""A small lake with an ensemble of two networks with random weights, three heads and two frames."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from upath import UPath

from sneaker_assets.lake import Lake
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.pricing.ensemble import train_ensemble
from sneaker_assets.vision.pricing.ensemble_model import ENSEMBLE, EnsembleModel
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.pricing.training import train_price_model
from sneaker_assets.vision.settings import EnsembleSettings, FeatureSettings, HeadSettings
from sneaker_assets_tests.builders import listings, store_pictures

CPU = torch.device("cpu")
ANY_GAIN = EnsembleSettings(min_share=0.0, min_gain=0.0)
SMALL = FeatureSettings(height=32, width=48)
SQUASHED = FeatureSettings(height=40, width=40, fit="squash", mirrored=True)
MEMBERS = (
    ("resnet18", SMALL, HeadSettings(kind="ridge")),
    ("resnet18", SMALL, HeadSettings(kind="kernel_ridge", target="log", gamma=0.3, alpha=0.3)),
    ("mobilenet_v2", SQUASHED, HeadSettings(kind="ridge")),
)


@dataclass(frozen=True)
class Ensembles:
    """The lake and its content."""

    lake: Lake
    splits: pd.DataFrame
    candidates: list[PriceModel]
    model: EnsembleModel

    @property
    def folder(self) -> UPath:
        return self.lake.folder("models", ENSEMBLE)


def lake_with_ensemble(root: Path) -> Ensembles:
    lake = Lake.at(root)
    lake.root.mkdir(parents=True)
    brightness = store_pictures(lake, 90)
    rng = np.random.default_rng(0)
    prices = [1000 * value + float(rng.normal(0, 60)) for value in brightness.values()]
    table = listings([max(50.0, price) for price in prices]).assign(
        sha256=list(brightness), twin_group=list(brightness)
    )
    splits = assign_splits(table)
    candidates = [train(lake, splits, *member) for member in MEMBERS]
    model, _ = train_ensemble(lake.folder("models", ENSEMBLE), candidates, splits, ANY_GAIN)
    assert isinstance(model, EnsembleModel)
    return Ensembles(lake, splits, candidates, model)


def train(lake: Lake, splits: pd.DataFrame, name: str, settings: FeatureSettings, head: HeadSettings) -> PriceModel:
    backbone = load_backbone(name, "none")
    store = open_store(lake.folder("features"), backbone, settings)
    images = {sha256: lake.image(sha256) for sha256 in splits["sha256"]}
    update_store(store, backbone, images, CPU, settings=settings)
    return train_price_model(lake.folder("models", name), store, splits, head)[0]
