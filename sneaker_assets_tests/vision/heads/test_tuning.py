from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from sneaker_assets.tables import TunedHyperparameters
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.heads.tuning import StudyError, TuningRows, tune, tuned_config
from sneaker_assets.vision.settings import HeadSettings, TuningSettings

FEW = TuningSettings(network_trials=12, kernel_trials=6, epochs=6, patience=3)


def known(test_price: float = 100.0) -> TuningRows:
    """Prices that are a bent function of a few of the features; the test rows' are what is asked for."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1, 140, 12)).astype(np.float32)
    sides = np.array(["train"] * 80 + ["validation"] * 40 + ["test"] * 20)
    prices = 300 + 100 * np.tanh(features[0, :, 0] + features[0, :, 1]).astype(float) + rng.normal(0, 10, 140)
    return TuningRows(features, np.where(sides == "test", test_price, prices), sides)


def settings_of(trials: pd.DataFrame) -> pd.DataFrame:
    return trials.drop(columns="seconds")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    journal = tmp_path_factory.mktemp("studies") / "one.journal"
    return journal, tune(known(), FEW, journal)


def test_a_search_ends_early_what_is_hopeless_and_beats_the_default(searched: tuple[Path, pd.DataFrame]) -> None:
    columns = list(TunedHyperparameters.to_schema().columns)
    trials = TunedHyperparameters.validate(searched[1].assign(backbone="vgg16")[columns])
    assert trials.groupby("kind").size().to_dict() == {"kernel_ridge": 6, "pooled": 12}
    pruned = trials[trials["state"] == "pruned"]
    assert len(pruned)
    assert (pruned["epochs"] < FEW.epochs).all()
    defaults = trials[trials["trial"] == 0]
    chosen = trials[trials["chosen"]]
    assert len(chosen) == 1
    assert chosen["validation_rmse"].iloc[0] < defaults["validation_rmse"].min()
    default = defaults[defaults["kind"] == "pooled"].iloc[0]
    assert (default["learning_rate"], default["hidden"]) == (HeadSettings().learning_rate, HeadSettings().hidden)


def test_the_test_rows_are_not_looked_at(searched: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    other = tune(known(test_price=9_999.0), FEW, tmp_path / "other.journal")
    assert settings_of(other).equals(settings_of(searched[1]))


def test_a_killed_search_goes_on_with_what_it_knows(searched: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    journal = tmp_path / "cut.journal"
    lines = searched[0].read_bytes().splitlines(keepends=True)
    # Killed in the middle of a line, with a trial of its own unfinished.
    journal.write_bytes(b"".join(lines[: len(lines) * 2 // 3]) + lines[-1][:20])
    before = settings_of(searched[1])
    resumed = settings_of(tune(known(), FEW, journal))
    assert len(resumed) == len(before)
    kernel = before["kind"] == "kernel_ridge"
    assert resumed[kernel].drop(columns="chosen").equals(before[kernel].drop(columns="chosen"))
    assert not resumed.duplicated(["kind", "trial"]).any()
    again = tune(known(), FEW, journal)
    assert settings_of(again).equals(resumed)


def test_where_the_time_is_up_the_default_settings_are_what_is_chosen_from(tmp_path: Path) -> None:
    trials = tune(known(), FEW.with_changes(minutes=1e-9), tmp_path / "short.journal")
    assert trials.groupby("kind").size().min() >= 1
    assert trials["trial"].eq(0).sum() == 2
    assert trials["chosen"].sum() == 1


def test_a_study_that_another_process_works_on_is_one_clear_line(tmp_path: Path) -> None:
    journal = tmp_path / "taken.journal"
    with (
        FileLock(journal.with_suffix(".lock")),
        pytest.raises(StudyError, match=r"another process .* \S+taken.journal"),
    ):
        tune(known(), FEW, journal)


def test_a_damaged_study_is_named(tmp_path: Path) -> None:
    journal = tmp_path / "damaged.journal"
    journal.write_text("no json\n")
    with pytest.raises(StudyError, match=r"damaged.journal is damaged .* delete it"):
        tune(known(), FEW, journal)


def test_features_that_are_no_numbers_end_the_search(tmp_path: Path) -> None:
    rows = known()
    rows.features[:] = np.nan
    with pytest.raises(TrainingError, match="none of 6 kernel_ridge trials came to an end"):
        tune(rows, FEW, tmp_path / "nan.journal")


def test_what_was_chosen_becomes_the_heads_settings(searched: tuple[Path, pd.DataFrame]) -> None:
    trials = searched[1]
    for kind in ("pooled", "kernel_ridge"):
        first = trials[trials["kind"] == kind].index[0]
        config = tuned_config(trials.assign(chosen=trials.index == first), HeadSettings(epochs=7))
        row = trials.loc[first]
        assert (config.kind, config.target, config.epochs) == (kind, row["target"], 7)
        assert config.learning_rate == (row["learning_rate"] if kind == "pooled" else HeadSettings().learning_rate)
        assert config.alpha == (None if kind == "pooled" else row["alpha"])
        assert isinstance(config.hidden, int)
