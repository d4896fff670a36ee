"""Hyperparameter search for heads on precomputed features, evaluated on the validation rows.

A study is stored in an append-only journal file, from which an interrupted search resumes. Median pruning stops trials
that are worse than the median of the other trials at the same epoch.

Optuna: https://optuna.readthedocs.io  Sampler: Bergstra, Bardenet, Bengio and Kégl, "Algorithms for Hyper-Parameter
Optimization", NIPS 2011.
"""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import optuna
import pandas as pd
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from sneaker_assets.errors import SneakerError
from sneaker_assets.progress import Progress
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.heads.distinct_rows import DistinctRows
from sneaker_assets.vision.heads.kernel_ridge import KernelRidge
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.heads.training_rows import check_finite, mean_over_views, split_rows
from sneaker_assets.vision.settings import HeadSettings, TunedKind, TuningSettings
from sneaker_assets.vision.types import Features

logger = logging.getLogger(__name__)

TUNED = ("target", "learning_rate", "hidden", "dropout", "weight_decay", "batch_size", "gamma", "alpha")
"""The hyperparameters searched, fields of ``settings.HeadSettings``; each kind of head has a subset of them."""

_UNTUNED = HeadSettings()

DEFAULTS: dict[TunedKind, dict[str, Any]] = {
    "pooled": {
        "target": _UNTUNED.target, "learning_rate": _UNTUNED.learning_rate, "hidden": _UNTUNED.hidden,
        "dropout": _UNTUNED.dropout, "weight_decay": 1e-6, "batch_size": _UNTUNED.batch_size,
    },
    "kernel_ridge": {"target": _UNTUNED.target, "gamma": 0.4, "alpha": 0.3},
}  # fmt: skip
"""First trial of each kind of head: its default hyperparameters."""

KERNEL_SHARE = 0.3
"""Maximum share of the search time spent on kernel ridge."""

WARM_UP = 2
"""Epochs before a trial can be pruned."""


class StudyError(SneakerError, RuntimeError):
    """A study cannot be opened; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class TuningRows:
    """Rows on which hyperparameters are searched.

    Attributes:
        features: float32 [views, N, D], raw.
        prices: float64 [N], US dollars, positive.
        sides: [N], the split of each row, of ``tables.SPLITS``.
        blocks: Widths of adjacent groups of features that are scaled to the same total variance, as
            ``FeatureStore.blocks`` returns them.
    """

    features: Features
    prices: NDArray[np.float64]
    sides: NDArray[np.str_]
    blocks: Sequence[int] = ()


def tune(rows: TuningRows, settings: TuningSettings, journal: Path) -> pd.DataFrame:
    """Search for the hyperparameters with the lowest validation error until the number of trials or the time limit.

    Args:
        rows: The rows; those of the test split are not used.
        settings: Number of trials, time limit, and epochs of each trial.
        journal: File of the study. Use another file for other rows or settings.

    Returns:
        ``tables.TunedHyperparameters`` without the column ``backbone``: one row for each finished trial, of which
        exactly one has ``chosen`` set.

    Raises:
        StudyError: Another process is using the study, or the journal is damaged.
        TrainingError: There are too few rows, a feature is not finite, or no trial finished with a finite error.
    """
    split_rows(rows.prices, rows.sides)
    check_finite(torch.from_numpy(rows.features))
    deadline = time.monotonic() + 60 * settings.minutes
    with _storage(journal) as storage:
        kernel = _open_study(storage, "kernel_ridge", settings)
        _search(kernel, _KernelTrial(rows), settings.kernel_trials, KERNEL_SHARE * 60 * settings.minutes)
        network = _open_study(storage, "pooled", settings)
        _search(network, _NetworkTrial(rows, settings), settings.network_trials, deadline - time.monotonic())
        studies: dict[TunedKind, optuna.Study] = {"pooled": network, "kernel_ridge": kernel}
        return _trials_table(studies)


def tuned_settings(trials: pd.DataFrame, base: HeadSettings) -> HeadSettings:
    """Head settings with the hyperparameters of the chosen trial.

    Args:
        trials: What :func:`tune` returns.
        base: Settings of everything that was not searched.

    Returns:
        ``base`` with the kind and the hyperparameters of the chosen trial.
    """
    chosen = trials[trials["chosen"]].iloc[0]
    found = {name: chosen[name] for name in TUNED if pd.notna(chosen[name])}
    whole = {name: int(found[name]) for name in ("hidden", "batch_size") if name in found}
    real = {name: float(value) for name, value in found.items() if name not in (*whole, "target")}
    return base.with_changes(kind=str(chosen["kind"]), target=str(chosen["target"]), **whole, **real)


@contextmanager
def _storage(journal: Path) -> Iterator[JournalStorage]:
    journal.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(journal.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StudyError(f"another process is using the study {journal}: wait until it has finished") from None
    try:
        _drop_partial_line(journal)
        yield JournalStorage(JournalFileBackend(str(journal)))
    except ValueError as error:
        raise StudyError(f"the study {journal} is damaged ({error}): delete it and start again") from error
    finally:
        lock.release()


def _drop_partial_line(journal: Path) -> None:
    """Truncate an incomplete last line left by a killed process; a record appended to it would be lost."""
    if journal.exists() and not (data := journal.read_bytes()).endswith(b"\n"):
        with journal.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)


def _open_study(storage: JournalStorage, kind: TunedKind, settings: TuningSettings) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage,
        study_name=kind,
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=WARM_UP),
    )
    # The sampler's random state is not stored: a resumed study must not repeat its first suggestions.
    study.sampler = optuna.samplers.TPESampler(seed=settings.seed + len(study.trials))
    for interrupted in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(interrupted.number, state=TrialState.FAIL)
        study.enqueue_trial(interrupted.params, skip_if_exists=True)
    if not study.trials:
        study.enqueue_trial(DEFAULTS[kind])
    return study


class _NetworkTrial:
    """Objective: validation RMSE of a network in US dollars, reported after each epoch for pruning."""

    def __init__(self, rows: TuningRows, settings: TuningSettings) -> None:
        self._rows = rows
        self._base = HeadSettings(epochs=settings.epochs, patience=settings.patience, seed=settings.seed)

    def __call__(self, trial: Trial) -> float:
        config = self._base.with_changes(
            target=trial.suggest_categorical("target", ["dollars", "log"]),
            learning_rate=trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True),
            hidden=trial.suggest_categorical("hidden", [32, 64, 128, 256, 512]),
            dropout=trial.suggest_float("dropout", 0.0, 0.8),
            weight_decay=trial.suggest_float("weight_decay", 1e-6, 1.0, log=True),
            batch_size=trial.suggest_categorical("batch_size", [32, 64, 128, 256]),
        )

        def after_epoch(row: dict[str, float]) -> None:
            trial.report(math.sqrt(row["validation_mse"]), int(row["epoch"]))
            if trial.should_prune():
                raise optuna.TrialPruned

        trained = train_head(
            self._rows.features,
            self._rows.prices,
            self._rows.sides,
            config,
            blocks=self._rows.blocks,
            after_epoch=after_epoch,
        )
        return math.sqrt(trained.history["validation_mse"].min())


class _KernelTrial:
    """Objective: validation RMSE of a kernel ridge in US dollars; all trials share the computed distances.

    If there are more distinct training rows than landmarks, the kernel ridge is fitted to the landmarks alone.
    """

    def __init__(self, rows: TuningRows) -> None:
        self._rows, self._blocks = split_rows(rows.prices, rows.sides), rows.blocks
        self._features = mean_over_views(torch.from_numpy(rows.features))
        self._equations: KernelRidge | None = None

    def __call__(self, trial: Trial) -> float:
        target: Any = trial.suggest_categorical("target", ["dollars", "log"])
        gamma = trial.suggest_float("gamma", 0.02, 5.0, log=True)
        alpha = trial.suggest_float("alpha", 0.001, 10.0, log=True)
        config = HeadSettings(kind="kernel_ridge", target=target, gamma=gamma, alpha=alpha)
        head = build_head(config, self._features.shape[1], len(self._rows.train))
        head.fit_scales(self._features[self._rows.train], self._rows.prices[self._rows.train], self._blocks)
        if self._equations is None:
            distinct = DistinctRows.from_features(self._features, self._rows.train)
            self._equations = KernelRidge.from_rows(head, self._features, self._rows, distinct, config.landmarks)
        history, best = self._equations.fit(head, [gamma], [alpha])
        return math.sqrt(history["validation_mse"].iloc[best])


def _search(study: optuna.Study, objective: _NetworkTrial | _KernelTrial, n_trials: int, seconds: float) -> None:
    """Run trials until ``n_trials`` have finished in total, or for ``seconds``.

    Raises:
        TrainingError: No trial finished with a finite error.
    """
    n_finished = len(_finished(study))
    if n_finished >= n_trials:
        logger.info("%s: %d trials have already finished", study.study_name, n_finished)
        return
    progress = Progress(logger, f"{study.study_name} trials", of=n_trials - n_finished)
    study.optimize(
        objective,
        n_trials=n_trials - n_finished,
        # Enough for the first trial, with the default hyperparameters, after the deadline too.
        timeout=max(seconds, 1.0),
        catch=(TrainingError,),
        callbacks=[lambda _study, _trial: progress.add()],
    )
    progress.finish()
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        raise TrainingError(f"none of {len(study.trials)} {study.study_name} trials finished with a finite error")


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))


def _trials_table(studies: dict[TunedKind, optuna.Study]) -> pd.DataFrame:
    rows = [
        {
            "kind": kind,
            "trial": trial.number,
            "state": trial.state.name.lower(),
            **{name: trial.params.get(name) for name in TUNED},
            "epochs": len(trial.intermediate_values),
            "validation_rmse": trial.value if trial.state is TrialState.COMPLETE else _min_reported(trial),
            "seconds": trial.duration.total_seconds() if trial.duration else 0.0,
        }
        for kind in get_args(TunedKind)
        for trial in _finished(studies[kind])
    ]
    trials = pd.DataFrame(rows)
    best = trials.loc[trials["state"] == "complete", "validation_rmse"].astype(float).idxmin()
    return trials.assign(chosen=trials.index == best)


def _min_reported(trial: FrozenTrial) -> float | None:
    return min(trial.intermediate_values.values(), default=None)
