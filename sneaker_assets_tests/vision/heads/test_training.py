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
from sneaker_assets.vision.heads.training_rows import FeatureSource, KeptFeatures, split_rows
from sneaker_assets.vision.settings import HeadKind, HeadSettings

CPU = torch.device("cpu")
SIDES = np.array(["train"] * 40 + ["validation"] * 20)


def rows(views: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(views, 60, 40)).astype(np.float32)
    return features, 500 + 100 * features[0, :, 0].astype(float) + rng.normal(0, 50, 60)


class LiveFeatures:
    """Features computed by the network whenever they are asked for."""

    n_views = 1

    def __init__(self, backbone: Backbone, pixels: np.ndarray) -> None:
        self.backbone, self.pixels = backbone, pixels

    def take(self, rows: Tensor, views: Tensor) -> Tensor:
        del views
        return FeatureExtractor(self.backbone, CPU)(self.pixels[rows.numpy()])[0].clone()


def test_cached_and_live_training_give_the_same_to_the_last_bit() -> None:
    backbone = load_backbone("resnet18", "none")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    splits = split_rows(rng.uniform(100, 900, 12), np.array(["train"] * 8 + ["validation"] * 4))
    live = LiveFeatures(backbone, pixels)
    kept = KeptFeatures(torch.cat([live.take(batch, batch) for batch in torch.split(torch.arange(12), 4)])[None])
    config = HeadSettings(epochs=3, batch_size=4, hidden=8)

    def trained(source: FeatureSource) -> dict[str, Tensor]:
        torch.manual_seed(0)
        head = build_head(config, 1024)
        head.fit_scales(kept.features[0, splits.train], splits.prices[splits.train])
        return train_network(head, source, splits, config).head.state_dict()

    from_disk, from_pictures = trained(kept), trained(live)
    assert all(torch.equal(from_disk[name], from_pictures[name]) for name in from_disk)


def test_the_best_epoch_is_the_one_that_is_kept_and_training_ends_early() -> None:
    features, prices = rows()
    trained = train_head(features, prices, SIDES, HeadSettings(epochs=200, dropout=0.0, patience=5))
    assert trained.best == trained.history["validation_mse"].argmin()
    assert len(trained.history) - (trained.best + 1) == 6
    assert len(trained.history) < 200


def test_a_killed_training_goes_on_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    features, prices = rows(views=2)
    whole = train_head(features, prices, SIDES, HeadSettings(epochs=6))
    checkpoint = UPath(tmp_path / "unfinished")
    train_head(features, prices, SIDES, HeadSettings(epochs=3), checkpoint)
    resumed = train_head(features, prices, SIDES, HeadSettings(epochs=6), checkpoint)
    assert resumed.history.equals(whole.history)
    state = whole.head.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in resumed.head.state_dict().items())


def test_ridge_is_that_of_the_normal_equations() -> None:
    features, prices = rows()
    trained = train_head(features, prices, SIDES, HeadSettings(kind="ridge"))
    alpha = trained.history["alpha"].iloc[trained.best]
    x, y = features[0, :40].astype(float), prices[:40]
    scaled, centred = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    weights = np.linalg.solve(scaled.T @ scaled + alpha * np.eye(40), scaled.T @ centred)
    expected = ((features[0] - x.mean(0)) / x.std(0)) @ weights * y.std() + y.mean()
    with torch.inference_mode():
        assert trained.head(torch.from_numpy(features[0])).numpy() == pytest.approx(expected, rel=1e-4)


def test_a_kernel_solves_for_equal_rows_as_for_their_mean() -> None:
    features, prices = rows()
    features[0, 1] = features[0, 0]
    trained = train_head(features, prices, SIDES, HeadSettings(kind="kernel_ridge"))
    kept = trained.history.iloc[trained.best]
    x = ((features[0, :40] - features[0, :40].mean(0)) / features[0, :40].std(0)).astype(float)
    y = (prices[:40] - prices[:40].mean()) / prices[:40].std()
    kernel = np.exp(-kept["gamma"] * ((x[:, None] - x[None]) ** 2).mean(-1))
    expected = kernel @ np.linalg.solve(kernel + kept["alpha"] * np.eye(40), y) * prices[:40].std() + prices[:40].mean()
    with torch.inference_mode():
        assert trained.head(torch.from_numpy(features[0, :40])).numpy() == pytest.approx(expected, rel=1e-3)


def test_blocks_of_features_count_alike_whatever_their_width() -> None:
    features, prices = rows()
    head = build_head(HeadSettings(kind="ridge"), 40)
    head.fit_scales(torch.from_numpy(features[0]), torch.from_numpy(prices), (4, 36))
    scaled = (torch.from_numpy(features[0]) - head.feature_mean) / head.feature_deviation
    narrow, wide = (float(part.square().sum(1).mean()) for part in (scaled[:, :4], scaled[:, 4:]))
    assert narrow == pytest.approx(20, rel=1e-4)
    assert wide == pytest.approx(20, rel=1e-4)


def test_constant_prices_are_learned_as_they_are() -> None:
    features, _ = rows()
    for kind in get_args(HeadKind):
        trained = train_head(features, np.full(60, 200.0), SIDES, HeadSettings(kind=kind, epochs=3, batch_size=40))
        assert trained.history["validation_mse"].iloc[trained.best] < 200


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        (["train", "test"], "1 training and 0 validation listings are too few"),
        (["train", "train"], "2 training and 0 validation"),
    ],
)
def test_too_few_rows_are_an_error_that_says_so(sides: list[str], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        train_head(np.zeros((1, 2, 2), np.float32), np.ones(2), np.array(sides), HeadSettings())


def test_features_that_are_no_numbers_stop_the_training() -> None:
    features = np.full((1, 10, 2), np.nan, np.float32)
    sides = np.array(["train", "validation"] * 5)
    for kind in get_args(HeadKind):
        with pytest.raises(TrainingError, match="some features are no numbers: materialize image_features again"):
            train_head(features, np.ones(10), sides, HeadSettings(kind=kind))


def test_a_loss_that_is_no_longer_a_number_stops_the_training() -> None:
    features, prices = rows()
    with pytest.raises(
        TrainingError, match=r"no longer a number in epoch \d+: lower the learning rate \(it is 1e\+30\)"
    ):
        train_head(features, prices, SIDES, HeadSettings(learning_rate=1e30))
