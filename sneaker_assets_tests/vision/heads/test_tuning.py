from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from sneaker_assets.tables import TunedHyperparameters
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.heads.tuning import StudyError, TuningRows, tune, tuned_settings
from sneaker_assets.vision.settings import HeadSettings, TuningSettings

FEW = TuningSettings(network_trials=12, kernel_trials=6, epochs=6, patience=3)


def tuning_rows(test_price: float = 100.0) -> TuningRows:
    """Rows with prices that are a nonlinear function of two features; test rows all cost ``test_price``."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1, 140, 12)).astype(np.float32)
    sides = np.array(["train"] * 80 + ["validation"] * 40 + ["test"] * 20)
    prices = 300 + 100 * np.tanh(features[0, :, 0] + features[0, :, 1]).astype(float) + rng.normal(0, 10, 140)
    return TuningRows(features, np.where(sides == "test", test_price, prices), sides)


def without_timings(trials: pd.DataFrame) -> pd.DataFrame:
    return trials.drop(columns="seconds")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    journal = tmp_path_factory.mktemp("studies") / "one.journal"
    return journal, tune(tuning_rows(), FEW, journal)


def test_search_prunes_trials_and_beats_the_default_hyperparameters(searched: tuple[Path, pd.DataFrame]) -> None:
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


def test_search_does_not_depend_on_test_rows(searched: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    other = tune(tuning_rows(test_price=9_999.0), FEW, tmp_path / "other.journal")
    assert without_timings(other).equals(without_timings(searched[1]))


def test_interrupted_search_resumes_from_its_journal(searched: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    journal = tmp_path / "cut.journal"
    lines = searched[0].read_bytes().splitlines(keepends=True)
    # The process was killed while writing a line, with a trial unfinished.
    journal.write_bytes(b"".join(lines[: len(lines) * 2 // 3]) + lines[-1][:20])
    before = without_timings(searched[1])
    resumed = without_timings(tune(tuning_rows(), FEW, journal))
    assert len(resumed) == len(before)
    kernel = before["kind"] == "kernel_ridge"
    assert resumed[kernel].drop(columns="chosen").equals(before[kernel].drop(columns="chosen"))
    assert not resumed.duplicated(["kind", "trial"]).any()
    again = tune(tuning_rows(), FEW, journal)
    assert without_timings(again).equals(resumed)


def test_search_past_its_deadline_still_tries_the_default_hyperparameters(tmp_path: Path) -> None:
    no_time = TuningSettings(network_trials=12, kernel_trials=6, epochs=6, patience=3, minutes=1e-9)
    trials = tune(tuning_rows(), no_time, tmp_path / "short.journal")
    assert trials.groupby("kind").size().min() >= 1
    assert trials["trial"].eq(0).sum() == 2
    assert trials["chosen"].sum() == 1


def test_study_in_use_by_another_process_is_rejected(tmp_path: Path) -> None:
    journal = tmp_path / "taken.journal"
    with (
        FileLock(journal.with_suffix(".lock")),
        pytest.raises(StudyError, match=r"another process is using the study \S+taken.journal: wait"),
    ):
        tune(tuning_rows(), FEW, journal)


def test_damaged_study_is_rejected_by_name(tmp_path: Path) -> None:
    journal = tmp_path / "damaged.journal"
    journal.write_text("no json\n")
    with pytest.raises(StudyError, match=r"damaged.journal is damaged .* delete it"):
        tune(tuning_rows(), FEW, journal)


def test_search_fails_on_non_finite_features(tmp_path: Path) -> None:
    rows = tuning_rows()
    rows.features[:] = np.nan
    with pytest.raises(TrainingError, match="the features of 140 of 140 listings are not finite numbers"):
        tune(rows, FEW, tmp_path / "nan.journal")


def test_tuned_settings_take_the_hyperparameters_of_the_chosen_trial(searched: tuple[Path, pd.DataFrame]) -> None:
    trials = searched[1]
    for kind in ("pooled", "kernel_ridge"):
        first = trials[trials["kind"] == kind].index[0]
        config = tuned_settings(trials.assign(chosen=trials.index == first), HeadSettings(epochs=7))
        row = trials.loc[first]
        assert (config.kind, config.target, config.epochs) == (kind, row["target"], 7)
        assert config.learning_rate == (row["learning_rate"] if kind == "pooled" else HeadSettings().learning_rate)
        assert config.alpha == (None if kind == "pooled" else row["alpha"])
        assert isinstance(config.hidden, int)
