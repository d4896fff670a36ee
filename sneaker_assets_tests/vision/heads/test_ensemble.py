import numpy as np
import pytest
import torch

from sneaker_assets.vision.heads.ensemble import SHARES, combine_heads
from sneaker_assets.vision.heads.training import TrainedHead, train_head
from sneaker_assets.vision.heads.training_rows import split_rows
from sneaker_assets.vision.settings import HeadSettings, Target

SIDES = np.array(["train"] * 60 + ["validation"] * 40)


def nonlinear_rows() -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [1, 100, 20], the last of which is constant, and prices that depend nonlinearly on them."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1, 100, 20)).astype(np.float32)
    features[..., -1] = 3.0
    return features, 500 + 100 * features[0, :, 0].astype(float) + 60 * np.sin(2 * features[0, :, 12])


def fit(features: np.ndarray, prices: np.ndarray, config: HeadSettings) -> TrainedHead:
    return train_head(features, prices, SIDES, config)


@pytest.mark.parametrize("target", ["dollars", "log"])
def test_ensemble_is_the_weighted_mean_of_its_members_with_the_best_validation_share(target: Target) -> None:
    features, prices = nonlinear_rows()
    network = fit(features[..., 5:15], prices, HeadSettings(target=target, epochs=20, hidden=16, batch_size=16))
    kernel = fit(features, prices, HeadSettings(kind="kernel_ridge", target=target))
    x, rows = torch.from_numpy(features[0]), split_rows(prices, SIDES)
    head, scores = combine_heads(network.head, kernel.head, x, rows, slice(5, 15))
    with torch.no_grad():
        by_network = network.head.predict_standardized(x[:, 5:15])
        by_kernel = kernel.head.predict_standardized(x)
        share = scores["network_share"]
        expected = share * by_network + (1 - share) * by_kernel
        assert head.predict_standardized(x).numpy() == pytest.approx(expected, abs=1e-4)
        errors = [
            float((head.to_dollars(torch.lerp(by_kernel, by_network, other)) - rows.prices).square()[60:].mean())
            for other in SHARES
        ]
    assert min(errors) == pytest.approx(scores["validation_mse"], rel=0.01)
    assert scores["network_rmse"] ** 2 == pytest.approx(network.history["validation_mse"].min(), rel=1e-3)
    assert scores["kernel_rmse"] ** 2 == pytest.approx(kernel.history["validation_mse"].min(), rel=1e-3)
    assert scores["validation_mse"] <= min(scores["network_rmse"], scores["kernel_rmse"]) ** 2 * (1 + 1e-6)


def test_ensemble_gives_an_untrained_network_almost_no_weight() -> None:
    features, prices = nonlinear_rows()
    kernel = fit(features, prices, HeadSettings(kind="kernel_ridge"))
    untrained = fit(features, prices, HeadSettings(epochs=1, hidden=16, learning_rate=1.0))
    _, scores = combine_heads(untrained.head, kernel.head, torch.from_numpy(features[0]), split_rows(prices, SIDES))
    assert scores["network_share"] < 0.1
    assert scores["validation_mse"] <= scores["kernel_rmse"] ** 2 * (1 + 1e-6)
