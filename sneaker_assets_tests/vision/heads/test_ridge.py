import numpy as np
import pytest
import torch

from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.heads.ridge import (
    ALPHAS,
    KERNEL_ALPHAS,
    KERNEL_GAMMAS,
    KernelRidge,
    fit_ridge,
    squared_distances,
)
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
    expected = ((features[0] - x.mean(0)) / x.std(0)) @ weights * y.std() + y.mean()
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


def test_kernel_ridge_grid_has_one_row_per_point_and_the_best_is_the_head() -> None:
    features, prices = linear_rows()
    x, rows = torch.from_numpy(features[0]), split_rows(prices, SIDES)
    head = build_head(HeadSettings(kind="kernel_ridge"), 40, len(rows.train))
    head.fit_scales(x[rows.train], rows.prices[rows.train])
    grid, best = KernelRidge.from_rows(head, x, rows).fit(head, KERNEL_GAMMAS, KERNEL_ALPHAS)
    assert len(grid.drop_duplicates(["gamma", "alpha"])) == len(KERNEL_GAMMAS) * len(KERNEL_ALPHAS)
    assert best == grid["validation_mse"].argmin()
    with torch.inference_mode():
        mse = float((head(x)[rows.validation] - rows.prices[rows.validation]).square().mean())
    assert mse == pytest.approx(grid["validation_mse"].iloc[best], rel=1e-3)


def test_kernel_ridge_merges_equal_rows_without_changing_the_solution() -> None:
    features, prices = linear_rows()
    features[0, 1] = features[0, 0]
    trained = train_head(features, prices, SIDES, HeadSettings(kind="kernel_ridge"))
    best = trained.history.iloc[trained.best]
    x = ((features[0, :40] - features[0, :40].mean(0)) / features[0, :40].std(0)).astype(float)
    y = (prices[:40] - prices[:40].mean()) / prices[:40].std()
    kernel = np.exp(-best["gamma"] * ((x[:, None] - x[None]) ** 2).mean(-1))
    expected = kernel @ np.linalg.solve(kernel + best["alpha"] * np.eye(40), y) * prices[:40].std() + prices[:40].mean()
    with torch.inference_mode():
        assert trained.head(torch.from_numpy(features[0, :40])).numpy() == pytest.approx(expected, rel=1e-3)
    assert len(trained.head.state_dict()["body.support"]) == 39


def test_squared_distances_are_mean_squared_differences() -> None:
    rng = np.random.default_rng(0)
    rows, others = (torch.from_numpy(rng.normal(size=(n, 7))) for n in (4, 5))
    expected = (rows[:, None] - others[None]).square().mean(-1)
    assert torch.allclose(squared_distances(rows, others), expected)
    assert (squared_distances(rows, rows) >= 0).all()
