import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sneaker_assets.market.backtest import score_backtest
from sneaker_assets.tables import ReleaseReplay
from sneaker_assets.vision.evaluation.replay import MIN_KNOWN_PRICES, replay
from sneaker_assets_tests.builders import digest

START = pd.Timestamp("2020-09-24", tz="UTC")


def year(n_known: int = 200, n_asked: int = 30) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    """Shoes on sale from the start and releases of one year, with log prices linear in their features."""
    rng = np.random.default_rng(0)
    n = n_known + n_asked
    features = rng.normal(size=(1, n, 6)).astype(np.float32)
    prices = np.exp(6 + features[0] @ np.array([0.4, 0.3, 0.2, 0.1, 0.0, 0.0]) + rng.normal(0, 0.05, n))
    asked = START + pd.to_timedelta(np.linspace(0, 365, n_asked).round(), unit="D")
    shoes = pd.DataFrame(
        {
            "release": [f"stockx--{i}" for i in range(n)],
            "site": "stockx",
            "product_id": [str(i) for i in range(n)],
            "sha256": [digest(str(i)) for i in range(n)],
            "price": prices,
            "label_kind": "average_sale",
            "asked_at": [pd.NaT] * n_known + list(asked),
            "known_at": [START - pd.Timedelta(days=1)] * n_known + list(asked + pd.Timedelta(days=20)),
        }
    )
    times = {"asked_at": "datetime64[us, UTC]", "known_at": "datetime64[us, UTC]"}
    return shoes.astype(times), features


def test_every_release_is_predicted_from_a_growing_number_of_known_prices() -> None:
    shoes, features = year()
    table = ReleaseReplay.validate(replay(shoes, features))
    assert len(table) == 30
    assert table["known"].iloc[0] == 200
    assert table["known"].is_monotonic_increasing
    assert table["known"].iloc[-1] > 220
    assert (table["horizon"] == 20).all()
    overall = score_backtest(table).iloc[0]
    assert overall["median_ape"] < 10
    assert 0.8 <= overall["coverage"] <= 1


def test_predictions_do_not_depend_on_the_future() -> None:
    shoes, features = year()
    original = replay(shoes, features)
    day = START + pd.Timedelta(days=180)
    future = (shoes["known_at"] > day).to_numpy()
    changed, changed_features = shoes.copy(), features.copy()
    changed.loc[future, "price"] = 9e6
    not_asked_yet = future & ~(shoes["asked_at"] <= day).to_numpy()
    changed_features[:, not_asked_yet] = 1e3
    again = replay(changed, changed_features)
    before = original["predicted_at"] <= day
    assert 10 < before.sum() < 20
    columns = ["release", "predicted_price", "price_low", "price_high", "known"]
    pd.testing.assert_frame_equal(again.loc[before, columns], original.loc[before, columns])
    assert (again.loc[~before, "predicted_price"] != original.loc[~before, "predicted_price"]).any(), (
        "later predictions do change"
    )


def test_prices_are_used_only_once_they_are_known() -> None:
    shoes, features = year(n_known=200, n_asked=1)
    soon = shoes.assign(known_at=shoes["known_at"].mask(shoes.index < 50, START + pd.Timedelta(seconds=1)))
    assert replay(soon, features)["known"].tolist() == [150]


def test_replay_is_empty_when_too_few_prices_are_known_or_nothing_was_announced() -> None:
    shoes, features = year(n_known=MIN_KNOWN_PRICES - 1, n_asked=1)
    assert ReleaseReplay.validate(replay(shoes, features)).empty
    unannounced = shoes.assign(asked_at=shoes["asked_at"].where(shoes["site"] == "nowhere"))
    assert ReleaseReplay.validate(replay(unannounced, features)).empty


def test_head_is_refitted_at_the_given_interval() -> None:
    table = replay(*year(), every_days=60)
    assert len(table) == 30
    assert table["model"].nunique() == 7
