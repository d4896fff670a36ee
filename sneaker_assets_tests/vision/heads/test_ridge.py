import numpy as np
import pytest
import torch

from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.heads.ridge import ALPHAS, fit_ridge
from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.heads.training_rows import split_rows
from sneaker_assets.vision.settings import HeadSettings

SIDES = np.array(["train"] * 40 + ["validation"] * 20)


def linear_rows(width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1, 60, width)).astype(np.float32)
    return features, 500 + 100 * features[0, :, 0].astype(float) + rng.normal(0, 50, 60)


@pytest.mark.parametrize("width", [10, 40, 70])
def test_ridge_solves_the_normal_equations(width: int) -> None:
    features, prices = linear_rows(width)
    trained = train_head(features, prices, SIDES, HeadSettings(kind="ridge"))
    alpha = trained.history["alpha"].iloc[trained.best]
    x, y = features[0, :40].astype(float), prices[:40]
    scaled, centred = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    weights = np.linalg.solve(scaled.T @ scaled + alpha * np.eye(width), scaled.T @ centred)
    unclipped = ((features[0] - x.mean(0)) / x.std(0)) @ weights * y.std() + y.mean()
    expected = unclipped.clip(y.min(), y.max())
    with torch.inference_mode():
        assert trained.head(torch.from_numpy(features[0])).numpy() == pytest.approx(expected, rel=1e-4)


def test_ridge_path_has_one_row_per_penalty_and_the_best_is_the_head() -> None:
    features, prices = linear_rows()
    x, rows = torch.from_numpy(features[0]), split_rows(prices, SIDES)
    head = build_head(HeadSettings(kind="ridge"), 40)
    head.fit_scales(x[rows.train], rows.prices[rows.train])
    path, best = fit_ridge(head, x, rows)
    assert path["alpha"].tolist() == ALPHAS.tolist()
    assert best == path["validation_mse"].argmin()
    with torch.inference_mode():
        mse = float((head(x)[rows.validation] - rows.prices[rows.validation]).square().mean())
    assert mse == pytest.approx(path["validation_mse"].iloc[best], rel=1e-4)
