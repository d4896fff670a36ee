"""A lake with everything that pricing needs; the price of an image is proportional to its brightness."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from sneaker_assets.lake import Lake, write_json, write_table
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.evaluation.evaluate import evaluate, predict_listings
from sneaker_assets.vision.evaluation.leaderboard import rank_models
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.pricing.pricer import Pricer, champion_index
from sneaker_assets.vision.pricing.similarity_index import build_similarity_index
from sneaker_assets.vision.pricing.training import train_price_model
from sneaker_assets.vision.settings import HeadSettings
from sneaker_assets_tests.builders import NOON, listings, store_pictures

CPU = torch.device("cpu")
RIDGE = HeadSettings(kind="ridge")


@dataclass(frozen=True)
class Champion:
    """The lake and its content."""

    lake: Lake
    backbone: Backbone
    store: FeatureStore
    listings: pd.DataFrame
    splits: pd.DataFrame
    model: PriceModel

    @property
    def pricer(self) -> Pricer:
        return Pricer.load(self.model.folder, None, CPU, champion_index(self.lake))

    def train(self, config: HeadSettings) -> tuple[PriceModel, pd.DataFrame]:
        """Train a model on these rows; returns it with its evaluation metrics."""
        return train(self.lake, self.store, self.splits, config)


def train(
    lake: Lake, store: FeatureStore, splits: pd.DataFrame, config: HeadSettings
) -> tuple[PriceModel, pd.DataFrame]:
    model, _ = train_price_model(lake.folder("models", "mobilenet_v2"), store, splits, config)
    name = model.folder.relative_to(lake.root).as_posix()
    return model, evaluate(model, predict_listings(model, splits), name)


def lake_with_champion(root: Path) -> Champion:
    lake = Lake.at(root)
    lake.root.mkdir(parents=True, exist_ok=True)
    brightness = store_pictures(lake, 80)
    names = list(brightness)
    backbone = load_backbone("mobilenet_v2", "none")
    store = open_store(lake.folder("features"), backbone)
    update_store(store, backbone, {sha256: lake.image(sha256) for sha256 in names}, CPU)
    table = listings([1000 * value for value in brightness.values()]).assign(sha256=names, twin_group=names)
    splits = assign_splits(table)
    model, metrics = train(lake, store, splits, RIDGE)
    index = build_similarity_index(lake.folder("similarity_index", "mobilenet_v2"), model, store, table)
    write_json(lake.reference("similarity_index"), {"folder": index.folder.relative_to(lake.root).as_posix()})
    board = rank_models(lake, metrics, splits, previous=None, margin=0.02, now=NOON)
    write_table(lake.table("model_leaderboard"), board)
    return Champion(lake, backbone, store, table, splits, model)
