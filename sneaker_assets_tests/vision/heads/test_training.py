from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor
from upath import UPath

from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.features.extractor import FeatureExtractor
from sneaker_assets.vision.heads import training
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.heads.training import train_head, train_network
from sneaker_assets.vision.heads.training_rows import FeatureSource, InMemoryFeatures, split_rows
from sneaker_assets.vision.settings import HeadKind, HeadSettings

CPU = torch.device("cpu")
SIDES = np.array(["train"] * 40 + ["validation"] * 20)


def linear_rows(views: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(views, 60, 40)).astype(np.float32)
    return features, 500 + 100 * features[0, :, 0].astype(float) + rng.normal(0, 50, 60)


class LiveFeatures:
    """Features computed by the backbone on demand."""

    n_views = 1

    def __init__(self, backbone: Backbone, pixels: np.ndarray) -> None:
        self.backbone, self.pixels = backbone, pixels

    def take(self, rows: Tensor, views: Tensor) -> Tensor:
        del views
        return FeatureExtractor(self.backbone, CPU)(self.pixels[rows.numpy()])[0].clone()


def test_training_on_cached_and_live_features_is_bit_identical() -> None:
    backbone = load_backbone("resnet18", "none")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    splits = split_rows(rng.uniform(100, 900, 12), np.array(["train"] * 8 + ["validation"] * 4))
    live = LiveFeatures(backbone, pixels)
    cached = InMemoryFeatures(torch.cat([live.take(batch, batch) for batch in torch.split(torch.arange(12), 4)])[None])
    config = HeadSettings(epochs=3, batch_size=4, hidden=8)

    def trained(source: FeatureSource) -> dict[str, Tensor]:
        torch.manual_seed(0)
        head = build_head(config, 1024)
        head.fit_scales(cached.features[0, splits.train], splits.prices[splits.train])
        return train_network(head, source, splits, config).head.state_dict()

    from_cache, from_images = trained(cached), trained(live)
    assert all(torch.equal(from_cache[name], from_images[name]) for name in from_cache)


def test_early_stopping_returns_the_best_epoch() -> None:
    features, prices = linear_rows()
    trained = train_head(features, prices, SIDES, HeadSettings(epochs=200, dropout=0.0, patience=5))
    assert trained.best == trained.history["validation_mse"].argmin()
    assert len(trained.history) - (trained.best + 1) == 6
    assert len(trained.history) < 200


def test_resumed_training_is_bit_identical_to_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    features, prices = linear_rows(views=2)
    whole = train_head(features, prices, SIDES, HeadSettings(epochs=6))
    checkpoint = UPath(tmp_path / "unfinished")
    train_head(features, prices, SIDES, HeadSettings(epochs=3), checkpoint)
    resumed = train_head(features, prices, SIDES, HeadSettings(epochs=6), checkpoint)
    assert resumed.history.equals(whole.history)
    state = whole.head.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in resumed.head.state_dict().items())


def test_every_head_learns_constant_prices() -> None:
    features, _ = linear_rows()
    for kind in get_args(HeadKind):
        trained = train_head(features, np.full(60, 200.0), SIDES, HeadSettings(kind=kind, epochs=3, batch_size=40))
        assert trained.history["validation_mse"].iloc[trained.best] < 200


def test_training_fails_on_too_few_rows() -> None:
    with pytest.raises(TrainingError, match="1 training and 0 validation listings are too few"):
        train_head(np.zeros((1, 2, 2), np.float32), np.ones(2), np.array(["train", "test"]), HeadSettings())


def test_training_fails_on_non_finite_features() -> None:
    features = np.full((1, 10, 2), np.nan, np.float32)
    sides = np.array(["train", "validation"] * 5)
    for kind in get_args(HeadKind):
        with pytest.raises(
            TrainingError,
            match=r"the features of 10 of 10 listings are not finite numbers .*: remove the feature store",
        ):
            train_head(features, np.ones(10), sides, HeadSettings(kind=kind))


def test_diverging_loss_fails_and_names_the_learning_rate() -> None:
    features, prices = linear_rows()
    with pytest.raises(
        TrainingError, match=r"not a finite number in epoch \d+: lower the learning rate \(it is 1e\+30\)"
    ):
        train_head(features, prices, SIDES, HeadSettings(learning_rate=1e30))
