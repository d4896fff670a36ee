"""Every kind of head on rows, features, prices and settings at the edge of what can be learned, and beyond it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sneaker_assets.vision.errors import FeatureError, TrainingError
from sneaker_assets.vision.heads import nystrom
from sneaker_assets.vision.heads.conformal import conformal_interval
from sneaker_assets.vision.heads.distinct_rows import DistinctRows
from sneaker_assets.vision.heads.leave_group_out import leave_group_out_predictions
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.heads.training import TrainedHead, train_head
from sneaker_assets.vision.heads.training_rows import split_rows
from sneaker_assets.vision.heads.tuning import TuningRows, tune
from sneaker_assets.vision.pricing.price_model import price_rows
from sneaker_assets.vision.settings import HeadKind, HeadSettings, TuningSettings

KINDS: tuple[HeadKind, ...] = ("pooled", "ridge", "kernel_ridge", "mixed")
USUAL = ["normal", "constant", "duplicates", "one image"]
EXTREME = ["large", "small", "NaN", "infinite"]


@st.composite
def rows(draw: st.DrawFn, values: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [views, N, D] of a kind in ``values``, prices, and splits with at least two training rows."""
    n_train, n_validation = draw(st.integers(2, 9)), draw(st.integers(1, 3))
    n, kind = n_train + n_validation + 1, draw(st.sampled_from(values))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.normal(size=(draw(st.integers(1, 2)), n, draw(st.integers(1, 4)))).astype(np.float32)
    if kind == "constant":
        x[..., 0] = 3
    elif kind == "duplicates":
        x[:, 1::2] = x[:, :1]
    elif kind == "one image":
        x[:] = x[:, :1]
    elif kind in ("large", "small"):
        x *= np.float32(10.0 ** draw(st.integers(3, 37)) if kind == "large" else 10.0 ** -draw(st.integers(3, 44)))
        x[:, -2] = 1
    elif kind in ("NaN", "infinite"):
        x[0, draw(st.integers(0, n - 1)), 0] = np.nan if kind == "NaN" else np.inf
    prices = np.full(n, 200.0) if draw(st.booleans()) else rng.uniform(50, 900, n)
    return x, prices, np.array(["train"] * n_train + ["validation"] * n_validation + ["test"])


@st.composite
def heads(draw: st.DrawFn, *, extreme: bool) -> HeadSettings:
    strengths = st.sampled_from([None, 1e-300, 1e-12, 1.0, 1e6] if extreme else [None, 0.1])
    return HeadSettings(
        kind=draw(st.sampled_from(KINDS)),
        target=draw(st.sampled_from(["dollars", "log"])),
        landmarks=draw(st.integers(1, 12)),
        gamma=draw(strengths),
        alpha=draw(strengths),
        epochs=2,
        hidden=4,
    )


def assert_usable(trained: TrainedHead, x: np.ndarray, prices: np.ndarray, sides: np.ndarray) -> None:
    """The head prices every image within the range of the training prices, with an interval around each price."""
    low, high = prices[sides == "train"].min(), prices[sides == "train"].max()
    predicted = price_rows(trained.head, x)
    assert (predicted >= low * (1 - 1e-6)).all()
    assert (predicted <= high * (1 + 1e-6)).all()
    actual, calibrating = prices[sides == "validation"], predicted[sides == "validation"]
    if trained.closed_form:
        means, groups = torch.from_numpy(x).mean(0), np.unique(x.mean(0), axis=0, return_inverse=True)[1].astype(str)
        alpha = float(trained.history["alpha"].iloc[trained.best])
        left_out = leave_group_out_predictions(trained.head, alpha, means, split_rows(prices, sides), groups)
        actual = np.concatenate([actual, prices[sides == "train"]])
        calibrating = np.concatenate([calibrating, left_out])
    bounds = conformal_interval(actual, calibrating).bounds(predicted)
    assert np.isfinite(bounds).all()
    assert (bounds[0] <= predicted).all()
    assert (predicted <= bounds[1]).all()


@settings(max_examples=20, deadline=None)
@given(rows(USUAL), heads(extreme=False))
def test_few_constant_and_repeated_rows_are_learned(
    data: tuple[np.ndarray, np.ndarray, np.ndarray], config: HeadSettings
) -> None:
    assert_usable(train_head(*data, config), *data)


@settings(max_examples=30, deadline=None)
@given(rows(USUAL + EXTREME), heads(extreme=True))
def test_extreme_features_and_settings_are_learned_or_refused_in_one_line(
    data: tuple[np.ndarray, np.ndarray, np.ndarray], config: HeadSettings
) -> None:
    message = "problem: remedy"
    try:
        assert_usable(train_head(*data, config), *data)
    except (TrainingError, FeatureError) as error:
        message = str(error)
    assert ": " in message
    assert "\n" not in message


def test_log_prediction_far_outside_the_training_rows_is_clipped() -> None:
    x = np.array([[[1e-9, -1e-9], [6e-9, 1e-9], [1.0, 1.0], [1e-8, 9e-9]]], np.float32)
    prices, sides = np.array([512.0, 844.0, 743.0, 52.0]), np.array(["train", "train", "validation", "test"])
    assert_usable(train_head(x, prices, sides, HeadSettings(kind="ridge", target="log")), x, prices, sides)


@given(
    st.sampled_from(KINDS),
    st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -5.0, 1e300, 1e-300]), min_size=1, max_size=3),
    st.sampled_from(["train", "validation"]),
)
@settings(max_examples=30, deadline=None)
def test_prices_that_are_not_positive_are_refused(kind: HeadKind, invalid: list[float], split: str) -> None:
    sides = np.array(["train"] * 5 + ["validation"] * 5 + ["test"])
    prices = np.full(11, 100.0)
    prices[-1] = np.nan
    first = 0 if split == "train" else 5
    prices[first : first + len(invalid)] = invalid
    with pytest.raises(
        TrainingError, match=rf"^{len(invalid)} of 10 training and validation .*\(the first is row {first} with "
    ):
        train_head(np.ones((1, 11, 2), np.float32), prices, sides, HeadSettings(kind=kind))


@pytest.mark.parametrize(("n_train", "n_validation"), [(0, 0), (0, 5), (1, 5), (5, 0)])
@pytest.mark.parametrize("kind", KINDS)
def test_too_few_rows_are_counted(kind: HeadKind, n_train: int, n_validation: int) -> None:
    sides = np.array(["train"] * n_train + ["validation"] * n_validation + ["test"] * 3)
    x, prices = np.ones((1, len(sides), 2), np.float32), np.full(len(sides), 100.0)
    expected = f"^{n_train} training and {n_validation} validation listings are too few to train on: crawl more pages"
    with pytest.raises(TrainingError, match=expected):
        train_head(x, prices, sides, HeadSettings(kind=kind))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_tuning_refuses_features_that_are_not_finite(tmp_path: Path, value: float) -> None:
    x = np.ones((2, 6, 3), np.float32)
    x[1, [2, 4], 0] = value
    data = TuningRows(x, np.full(6, 100.0), np.array(["train", "validation"] * 3))
    with pytest.raises(TrainingError, match=r"the features of 2 of 6 listings .* \(the first is row 2\)"):
        tune(data, TuningSettings(network_trials=1, kernel_trials=1), tmp_path / "journal")


@pytest.mark.parametrize("width", [1, 2, 4, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_features_of_another_width_are_refused(kind: HeadKind, width: int) -> None:
    head = build_head(HeadSettings(kind=kind, hidden=4), 3, 2)
    assert len(price_rows(head, np.ones((2, 5, 3), np.float32))) == 5
    with pytest.raises(FeatureError, match=rf"takes 3 features of each image and got {width}: materialize price_model"):
        price_rows(head, np.ones((2, 5, width), np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_images_without_a_finite_price_are_counted(kind: HeadKind) -> None:
    head = build_head(HeadSettings(kind=kind, hidden=4), 3, 2).eval()
    x = np.ones((2, 5, 3), np.float32)
    x[0, 1, 0] = x[1, 4, 2] = np.nan
    with pytest.raises(FeatureError, match=r"^2 of 5 images have no finite price.*the first is number 1\)"):
        price_rows(head, x)


def test_a_grid_point_that_cannot_be_solved_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sneaker_assets.vision.heads.training.ALPHAS", (1e-300, 0.1))
    monkeypatch.setattr("sneaker_assets.vision.heads.training.GAMMAS", (1e-300,))
    x = np.random.default_rng(0).normal(size=(1, 30, 3)).astype(np.float32)
    prices, sides = 300 + 100 * x[0, :, 0].astype(float), np.array(["train"] * 20 + ["validation"] * 10)
    trained = train_head(x, prices, sides, HeadSettings(kind="kernel_ridge"))
    assert trained.history["validation_mse"].isna().tolist() == [True, False]
    assert trained.history["alpha"].iloc[trained.best] == 0.1


@pytest.mark.parametrize("landmarks", [5, 100])
def test_equations_that_cannot_be_solved_name_what_to_change(landmarks: int) -> None:
    x = np.random.default_rng(0).normal(size=(1, 30, 3)).astype(np.float32)
    prices, sides = 300 + 100 * x[0, :, 0].astype(float), np.array(["train"] * 20 + ["validation"] * 10)
    config = HeadSettings(kind="kernel_ridge", landmarks=landmarks, gamma=1e-300, alpha=1e-300)
    with pytest.raises(
        TrainingError, match=r"^none of 1 combinations .*: raise alpha, or leave alpha and gamma unset$"
    ):
        train_head(x, prices, sides, config)


def test_more_landmarks_than_rows_are_all_rows() -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32))
    known = split_rows(np.arange(1.0, 13), np.array(["train"] * 8 + ["validation"] * 4))
    supports = []
    for landmarks in (8, 1000):
        head = build_head(HeadSettings(kind="kernel_ridge"), 3)
        head.fit_scales(x[known.train], known.prices[known.train])
        options: dict[str, Any] = {"landmarks": landmarks, "gamma": 0.4, "alphas": (0.1,)}
        nystrom.fit_nystrom(head, x, known, DistinctRows.from_features(x, known.train), **options)
        supports.append(head.state_dict()["body.support"])
    assert torch.equal(*supports)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(1, 3), st.integers(0, 9))
def test_intervals_of_few_or_tied_predictions_are_finite(n: int, n_values: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    predicted, actual = rng.choice([100.0, 200.0, 300.0][:n_values], n), rng.uniform(20, 900, n)
    interval = conformal_interval(actual, predicted)
    assert len(interval.low) == len(interval.high) == len(interval.edges) + 1 <= n_values
    assert np.isfinite(interval.bounds(predicted)).all()
    assert interval.covers(actual, predicted).mean() >= min(0.85, 1 - 1 / n)


@pytest.mark.parametrize(
    ("actual", "predicted", "message"),
    [
        ([], [], r"^there is no listing to calibrate prediction intervals on: crawl more pages"),
        ([100, np.nan], [100, 100], r"^1 of 2 listings cannot .*row 1 with the price nan and the prediction 100\)"),
        ([0, 100, -5], [100, 100, 100], r"^2 of 3 listings cannot .*row 0 with the price 0 and"),
        ([100], [np.inf], r"^1 of 1 listings cannot .*the prediction inf\)"),
    ],
)
def test_intervals_are_not_calibrated_on_invalid_rows(
    actual: list[float], predicted: list[float], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        conformal_interval(np.array(actual, float), np.array(predicted, float))
