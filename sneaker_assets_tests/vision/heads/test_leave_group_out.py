import numpy as np
import pytest
import torch

from sneaker_assets.vision.heads import leave_group_out
from sneaker_assets.vision.heads.leave_group_out import leave_group_out_predictions
from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.heads.training_rows import split_rows
from sneaker_assets.vision.settings import HeadKind, HeadSettings, Target

SIDES = np.array(["train"] * 40 + ["validation"] * 20)
GROUPS = np.array([f"{number // 3}" for number in range(60)])


@pytest.mark.parametrize(
    ("kind", "width", "target"),
    [("kernel_ridge", 12, "dollars"), ("kernel_ridge", 12, "log"), ("ridge", 12, "dollars"), ("ridge", 80, "dollars")],
)
@pytest.mark.parametrize("block", [1, 60, 2**22])
def test_predictions_equal_those_of_a_model_refitted_without_the_group(
    kind: HeadKind, width: int, target: Target, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leave_group_out, "_BLOCK", block)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1, 60, width)).astype(np.float32)
    features[0, 1] = features[0, 0]
    prices = 500 + 100 * features[0, :, 0].astype(float) + rng.normal(0, 50, 60)
    trained = train_head(features, prices, SIDES, HeadSettings(kind=kind, target=target))
    best = trained.history.iloc[trained.best]
    x = torch.from_numpy(features[0])
    predicted = leave_group_out_predictions(trained.head, best["alpha"], x, split_rows(prices, SIDES), GROUPS)

    head = trained.head
    standardized = ((x - head.feature_mean) / head.feature_deviation).double().numpy()
    y = head.standardize(torch.tensor(prices)).double().numpy()
    distances = ((standardized[:, None] - standardized[None]) ** 2).mean(-1)
    kernel = np.exp(-best["gamma"] * distances) if kind == "kernel_ridge" else standardized @ standardized.T
    for group in ("0", "5", "13"):
        own = np.flatnonzero(GROUPS[:40] == group)
        others = np.flatnonzero(GROUPS[:40] != group)
        coefficients = np.linalg.solve(kernel[np.ix_(others, others)] + best["alpha"] * np.eye(len(others)), y[others])
        expected = head.to_dollars(torch.from_numpy(kernel[np.ix_(own, others)] @ coefficients)).numpy()
        assert predicted[own] == pytest.approx(expected, rel=1e-4)


def test_predictions_do_not_memorize_duplicates_of_the_same_group() -> None:
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(1, 20, 30)), 3, axis=1).astype(np.float32)
    prices = np.repeat(rng.uniform(100, 900, 20), 3)
    config = HeadSettings(kind="kernel_ridge", gamma=1.0, alpha=0.01)
    trained = train_head(features, prices, SIDES, config)
    x, rows = torch.from_numpy(features[0]), split_rows(prices, SIDES)
    with torch.inference_mode():
        in_sample = trained.head(x).numpy()[:40]
    assert np.abs(in_sample - prices[:40]).max() < 20
    out_of_sample = leave_group_out_predictions(trained.head, 0.01, x, rows, GROUPS)
    assert np.abs(out_of_sample - prices[:40]).mean() > 150
