"""Fixtures for fine-tuning a small backbone with random weights on images whose price is their brightness."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from upath import UPath

from sneaker_assets.lake import Lake
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone, pool
from sneaker_assets.vision.backbones.blocks import split_at
from sneaker_assets.vision.finetuning.activation_cache import Inputs, prepare_inputs
from sneaker_assets.vision.finetuning.decoded_cache import DecodedCache, build_decoded_cache
from sneaker_assets.vision.finetuning.finetune import Finetuner, FinetuneResult, run_id, trainable_network
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.heads.training_rows import TrainingRows, split_rows
from sneaker_assets.vision.imaging.decoding import Frame
from sneaker_assets.vision.settings import FinetuneSettings, HeadSettings
from sneaker_assets_tests.builders import store_pictures

CPU = torch.device("cpu")
SIDES = np.array(["train"] * 40 + ["validation"] * 14)


def finetune_settings(**changes: Any) -> FinetuneSettings:
    """Settings small enough for tests."""
    small: dict[str, Any] = {
        "unfreeze_from": "features.17", "height": 32, "width": 48, "copies": 2, "hidden": 16, "epochs": 3,
        "batch_size": 16, "micro_batch": 16, "learning_rate": 1e-4, "head_learning_rate": 3e-4, "rotation": 3.0,
        "ema_decay": 0.5,
    }  # fmt: skip
    return FinetuneSettings(**{**small, **changes})


@dataclass(frozen=True)
class Images:
    """Decoded images, the image of each row, and the rows; ``scratch`` is a local folder."""

    scratch: Path
    decoded: DecodedCache
    hashes: list[str]
    rows: TrainingRows


@dataclass
class Setup:
    """A training that can be started repeatedly from the same network."""

    backbone: Backbone
    images: Images
    folder: UPath

    def inputs(self, settings: FinetuneSettings) -> Inputs:
        split = split_at(self.backbone, settings.unfreeze_from or "")
        return prepare_inputs(
            self.images.decoded,
            self.images.hashes,
            self.backbone,
            split,
            settings,
            folder=self.images.scratch,
            device=CPU,
        )

    def finetuner(self, settings: FinetuneSettings) -> Finetuner:
        rows, upper = self.images.rows, split_at(self.backbone, settings.unfreeze_from or "").upper
        inputs = self.inputs(settings)
        torch.manual_seed(0)
        head = build_head(HeadSettings(hidden=settings.hidden, dropout=settings.dropout), 2560)
        with torch.inference_mode():
            features = pool(upper.eval()(inputs.plain(np.arange(len(SIDES))).float()))
        head.fit_scales(features[: len(rows.train)].clone(), rows.prices[rows.train])
        return Finetuner(inputs, rows, trainable_network(upper, head, CPU), settings, device=CPU)

    def run(self, settings: FinetuneSettings) -> FinetuneResult:
        finetuner = self.finetuner(settings)
        return finetuner.run(self.folder, run_id(finetuner.inputs, self.images.rows, settings, {}))


@pytest.fixture(scope="package")
def backbone() -> Backbone:
    return load_backbone("mobilenet_v2", "none")


@pytest.fixture(scope="package")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    folder = tmp_path_factory.mktemp("finetune")
    lake = Lake.at(folder)
    brightness = store_pictures(lake, len(SIDES))
    decoded = build_decoded_cache(folder, {sha256: lake.image(sha256) for sha256 in brightness}, Frame(32, 48))
    prices = np.array([1000 * value for value in brightness.values()])
    return Images(folder, decoded, list(brightness), split_rows(prices, SIDES))


@pytest.fixture
def setup(backbone: Backbone, images: Images, tmp_path: Path) -> Setup:
    return Setup(backbone, images, UPath(tmp_path))
