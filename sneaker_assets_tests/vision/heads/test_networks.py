import numpy as np
import pytest
import torch

from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.settings import HeadKind, HeadSettings, Target


def test_blocks_of_features_are_scaled_to_the_same_total_variance() -> None:
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(60, 40)).astype(np.float32))
    head = build_head(HeadSettings(kind="ridge"), 40)
    head.fit_scales(features, torch.rand(60), (4, 36))
    standardized = (features - head.feature_mean) / head.feature_deviation
    narrow, wide = (float(part.square().sum(1).mean()) for part in (standardized[:, :4], standardized[:, 4:]))
    assert narrow == pytest.approx(20, rel=1e-4)
    assert wide == pytest.approx(20, rel=1e-4)


def test_constant_features_and_prices_are_not_scaled() -> None:
    head = build_head(HeadSettings(), 2)
    head.fit_scales(torch.tensor([[1.0, 5.0], [3.0, 5.0]]), torch.full((2,), 200.0))
    assert head.feature_deviation.tolist() == [1.0, 1.0]
    assert float(head.target_deviation) == 1.0
    assert head.standardize(torch.tensor([200.0, 201.0])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("target", ["dollars", "log"])
def test_to_dollars_inverts_standardize(target: Target) -> None:
    prices = torch.tensor([90.0, 250.0, 1200.0])
    head = build_head(HeadSettings(target=target), 1)
    head.fit_scales(torch.rand(3, 1), prices)
    assert torch.allclose(head.to_dollars(head.standardize(prices)), prices, rtol=1e-4)


def test_smearing_factor_makes_mean_predictions_unbiased_on_the_log_scale() -> None:
    rng = np.random.default_rng(0)
    prices = torch.from_numpy(np.exp(rng.normal(6, 0.8, 4000)).astype(np.float32))
    head = build_head(HeadSettings(target="log"), 1)
    head.fit_scales(torch.rand(4000, 1), prices)
    mean_log = torch.zeros(4000)
    assert float(head.to_dollars(mean_log).mean()) < 0.8 * float(prices.mean())
    head.fit_smearing(mean_log, prices)
    assert float(head.to_dollars(mean_log).mean()) == pytest.approx(float(prices.mean()), rel=1e-3)


def test_networks_average_predictions_over_views_and_closed_forms_average_features() -> None:
    torch.manual_seed(0)
    views = torch.rand(2, 5, 3)
    network = build_head(HeadSettings(hidden=4), 3).eval()
    kernel = build_head(HeadSettings(kind="kernel_ridge"), 3, 2)
    kernel.load_state_dict(kernel.state_dict() | {"body.support": torch.rand(2, 3), "body.coefficients": torch.rand(2)})
    with torch.inference_mode():
        mean_prediction = (network.predict_standardized(views[0]) + network.predict_standardized(views[1])) / 2
        assert torch.allclose(network.predict_standardized_views(views), mean_prediction)
        mean_features = kernel.predict_standardized((views[0] + views[1]) / 2)
        assert torch.allclose(kernel.predict_standardized_views(views), mean_features)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("pooled", {"body.0.weight", "body.0.bias", "body.3.weight", "body.3.bias"}),
        ("kernel_ridge", {"body.support", "body.coefficients", "body.gamma"}),
        (
            "mixed",
            {"body.share", "body.kernel.support", "body.kernel.coefficients", "body.kernel.gamma"}
            | {f"body.network.{layer}.{name}" for layer in (0, 3) for name in ("weight", "bias")},
        ),
    ],
)
def test_tensor_names_match_those_of_stored_models(kind: HeadKind, names: set[str]) -> None:
    scales = {"feature_mean", "feature_deviation", "target_mean", "target_deviation", "price_mean", "smearing"}
    assert set(build_head(HeadSettings(kind=kind), 3, 2).state_dict()) == names | scales
