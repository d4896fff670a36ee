"""A network and a kernel ridge as one head."""

import numpy as np
import pytest
import torch

from sneaker_assets.vision.heads.ensemble import SHARES, mix
from sneaker_assets.vision.heads.training import TrainedHead, train_head
from sneaker_assets.vision.heads.training_rows import split_rows
from sneaker_assets.vision.settings import HeadSettings, Target

SIDES = np.array(["train"] * 60 + ["validation"] * 40)


def rows() -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [1, 100, 20], the last of which never varies, and prices that bend over some of them."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1, 100, 20)).astype(np.float32)
    features[..., -1] = 3.0
    return features, 500 + 100 * features[0, :, 0].astype(float) + 60 * np.sin(2 * features[0, :, 12])


def fitted(features: np.ndarray, prices: np.ndarray, config: HeadSettings) -> TrainedHead:
    return train_head(features, prices, SIDES, config)


@pytest.mark.parametrize("target", ["dollars", "log"])
def test_the_parts_price_as_they_did_alone_and_the_share_is_the_best_on_validation(target: Target) -> None:
    features, prices = rows()
    network = fitted(features[..., 5:15], prices, HeadSettings(target=target, epochs=20, hidden=16, batch_size=16))
    kernel = fitted(features, prices, HeadSettings(kind="kernel_ridge", target=target))
    x, known = torch.from_numpy(features[0]), split_rows(prices, SIDES)
    head, scores = mix(network.head, kernel.head, x, known, slice(5, 15))
    with torch.no_grad():
        alone = network.head.expect(x[:, 5:15]), kernel.head.expect(x)
        share = scores["network_share"]
        assert head.expect(x).numpy() == pytest.approx(share * alone[0] + (1 - share) * alone[1], abs=1e-4)
        errors = [
            float((head.dollars(torch.lerp(alone[1], alone[0], other)) - known.prices).square()[60:].mean())
            for other in SHARES
        ]
    assert min(errors) == pytest.approx(scores["validation_mse"], rel=0.01)
    assert scores["network_rmse"] ** 2 == pytest.approx(network.history["validation_mse"].min(), rel=1e-3)
    assert scores["kernel_rmse"] ** 2 == pytest.approx(kernel.history["validation_mse"].min(), rel=1e-3)
    assert scores["validation_mse"] <= min(scores["network_rmse"], scores["kernel_rmse"]) ** 2


def test_of_a_network_that_knows_nothing_nothing_is_taken() -> None:
    features, prices = rows()
    kernel = fitted(features, prices, HeadSettings(kind="kernel_ridge"))
    ignorant = fitted(features, prices, HeadSettings(epochs=1, hidden=16, learning_rate=1.0))
    _, scores = mix(ignorant.head, kernel.head, torch.from_numpy(features[0]), split_rows(prices, SIDES))
    assert scores["network_share"] < 0.1
    assert scores["validation_mse"] <= scores["kernel_rmse"] ** 2
