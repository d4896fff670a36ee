import numpy as np
import pytest
import torch

from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.heads import networks, nystrom
from sneaker_assets.vision.heads.distinct_rows import DistinctRows
from sneaker_assets.vision.heads.kernel_ridge import ALPHAS, GAMMAS, fit_kernel_ridge
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.heads.nystrom import squared_distances
from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.heads.training_rows import split_rows
from sneaker_assets.vision.settings import HeadSettings

SIDES = np.array(["train"] * 40 + ["validation"] * 20)


def linear_rows(width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1, 60, width)).astype(np.float32)
    return features, 500 + 100 * features[0, :, 0].astype(float) + rng.normal(0, 50, 60)


def test_kernel_ridge_grid_has_one_row_per_point_and_the_best_is_the_head() -> None:
    features, prices = linear_rows()
    x, rows = torch.from_numpy(features[0]), split_rows(prices, SIDES)
    head = build_head(HeadSettings(kind="kernel_ridge"), 40, len(rows.train))
    head.fit_scales(x[rows.train], rows.prices[rows.train])
    grid, best, exact = fit_kernel_ridge(head, x, rows, landmarks=40)
    assert exact
    assert len(grid.drop_duplicates(["gamma", "alpha"])) == len(GAMMAS) * len(ALPHAS)
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


def smooth_rows(n: int, n_train: int, seed: int = 0) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Features of low rank, prices that depend smoothly on them, and splits."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, 6))
    features = (factors @ rng.normal(size=(6, 24)) + 0.1 * rng.normal(size=(n, 24))).astype(np.float32)
    prices = 400 + 120 * np.tanh(factors[:, 0] + factors[:, 1]) + rng.normal(0, 10, n)
    return torch.from_numpy(features), prices, np.array(["train"] * n_train + ["validation"] * (n - n_train))


def test_landmarks_come_close_to_the_exact_solution_of_all_rows() -> None:
    features, prices, sides = smooth_rows(900, 700)
    config = HeadSettings(kind="kernel_ridge", gamma=0.2)
    exact = train_head(features.numpy()[None], prices, sides, config)
    few = train_head(features.numpy()[None], prices, sides, config.with_changes(landmarks=250))
    assert len(few.head.state_dict()["body.support"]) == 250
    assert (exact.closed_form, few.closed_form) == (True, False)
    assert few.history["validation_mse"].min() < 1.1 * exact.history["validation_mse"].min()
    alone = train_head(features.numpy()[None, -450:], prices[-450:], sides[-450:], config)
    assert few.history["validation_mse"].min() < alone.history["validation_mse"].min()


def test_all_rows_as_landmarks_give_the_exact_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nystrom, "_ROWS", 7)
    features, prices, sides = smooth_rows(60, 40)
    features[1] = features[0]
    rows = split_rows(prices, sides)
    head = build_head(HeadSettings(kind="kernel_ridge"), 24)
    head.fit_scales(features[rows.train], rows.prices[rows.train])
    exact, _, _ = fit_kernel_ridge(head, features, rows, gammas=[0.4], landmarks=40)
    distinct = DistinctRows.from_features(features, rows.train)
    path, best = nystrom.fit_nystrom(head, features, rows, distinct, landmarks=39, gamma=0.4, alphas=ALPHAS)
    assert len(distinct) == 39
    assert path["validation_mse"].to_numpy() == pytest.approx(exact["validation_mse"].to_numpy(), rel=1e-3)
    assert path["train_mse"].to_numpy() == pytest.approx(exact["train_mse"].to_numpy(), rel=1e-2)
    with torch.inference_mode():
        mse = float((head(features)[rows.validation] - rows.prices[rows.validation]).square().mean())
    assert mse == pytest.approx(path["validation_mse"].iloc[best], rel=1e-3)


@pytest.mark.parametrize("landmarks", [7, 1000])
def test_result_does_not_depend_on_the_order_of_the_rows(landmarks: int) -> None:
    features, prices, sides = smooth_rows(60, 40)
    config = HeadSettings(kind="kernel_ridge", landmarks=landmarks)
    order = np.random.default_rng(1).permutation(60)
    first = train_head(features.numpy()[None], prices, sides, config).head
    again = train_head(features.numpy()[None, order], prices[order], sides[order], config).head
    other = train_head(features.numpy()[None], prices, sides, config.with_changes(seed=1)).head
    supports = [head.state_dict()["body.support"] for head in (first, again, other)]
    assert torch.allclose(supports[0], supports[1], atol=1e-5)
    with torch.inference_mode():
        assert torch.allclose(first(features), again(features), rtol=1e-3)
    assert not torch.allclose(supports[0], supports[2], atol=1e-5)


@pytest.mark.parametrize("landmarks", [1, 3, 4])
def test_few_or_constant_rows_are_fitted(landmarks: int) -> None:
    features, _, _ = smooth_rows(6, 4)
    sides = np.array(["train"] * 4 + ["validation"] * 2)
    config = HeadSettings(kind="kernel_ridge", landmarks=landmarks)
    for values in (features, torch.ones_like(features)):
        trained = train_head(values.numpy()[None], np.full(6, 200.0), sides, config)
        with torch.inference_mode():
            assert trained.head(values).numpy() == pytest.approx(np.full(6, 200.0))


def test_training_on_landmarks_fails_on_non_finite_features() -> None:
    features, prices, sides = smooth_rows(60, 40)
    features[3, 2] = torch.nan
    config = HeadSettings(kind="kernel_ridge", landmarks=10)
    with pytest.raises(TrainingError, match="the features of 1 of 60 listings are not finite numbers"):
        train_head(features.numpy()[None], prices, sides, config)


def test_body_predicts_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    features, prices, sides = smooth_rows(80, 60)
    head = train_head(features.numpy()[None], prices, sides, HeadSettings(kind="kernel_ridge")).head
    with torch.inference_mode():
        whole = head(features)
        monkeypatch.setattr(networks, "_BLOCK", 7 * 60)
        assert torch.allclose(head(features), whole, rtol=1e-5)
        assert head(features[:0]).shape == (0,)
