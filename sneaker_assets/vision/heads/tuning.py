"""The search for a head's settings on kept features, judged on validation rows alone.

A study is a journal file that grows by a line whatever happens, so a search that is killed goes on where it was. Trials
that do worse than the median of the others after as many epochs are ended early. What a head is trained with otherwise
is ``training``'s concern.

Optuna: https://optuna.readthedocs.io  Its sampler: Bergstra and others, "Algorithms for Hyper-Parameter Optimization",
NIPS 2011.
"""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.heads.ridge import KernelRidge
from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.heads.training_rows import check_numbers, split_rows
from sneaker_assets.vision.settings import HeadSettings, TunedKind, TuningSettings
from sneaker_assets.vision.types import Features

logger = logging.getLogger(__name__)

TUNED = ("target", "learning_rate", "hidden", "dropout", "weight_decay", "batch_size", "gamma", "alpha")
"""The settings that are looked for, by their names in ``settings.HeadSettings``; a kind has only some of them."""

DEFAULTS: dict[TunedKind, dict[str, Any]] = {
    "pooled": {
        "target": HeadSettings.target, "learning_rate": HeadSettings.learning_rate, "hidden": HeadSettings.hidden,
        "dropout": HeadSettings.dropout, "weight_decay": 1e-6, "batch_size": HeadSettings.batch_size,
    },
    "kernel_ridge": {"target": HeadSettings.target, "gamma": 0.4, "alpha": 0.3},
}  # fmt: skip
"""Each kind's first trial: what it would be trained with untuned."""

KERNEL_SHARE = 0.3
"""Of the minutes, what kernels may take."""

WARM_UP = 2
"""Epochs that every trial is given."""


class StudyError(SneakerError, RuntimeError):
    """The study cannot be worked on; the message says why and what to do."""


@dataclass(frozen=True)
class TuningRows:
    """What is searched on: features float32 [views, N, D], prices float64 [N] in US dollars, side of the split [N].

    ``blocks`` are the widths of the groups of features that count alike, as ``FeatureStore.blocks`` has them.
    """

    features: Features
    prices: NDArray[np.float64]
    sides: NDArray[np.str_]
    blocks: Sequence[int] = ()


def tune(known: TuningRows, settings: TuningSettings, journal: Path) -> pd.DataFrame:
    """Search until there are as many trials as asked for, or the time is up.

    Args:
        known: The rows; those of the test side are not looked at.
        settings: How long to search.
        journal: Where the study is kept; one of other rows, features or settings is another file.

    Returns:
        One row a trial that ended, as ``tables.TunedHyperparameters`` has it but for ``backbone``.

    Raises:
        StudyError: another process works on this study, or the journal is damaged.
        TrainingError: the rows cannot be trained on.
    """
    split_rows(known.prices, known.sides)
    ends = time.monotonic() + 60 * settings.minutes
    with _storage(journal) as storage:
        kernel = _study(storage, "kernel_ridge", settings)
        _search(kernel, _KernelTrial(known), settings.kernel_trials, KERNEL_SHARE * 60 * settings.minutes)
        network = _study(storage, "pooled", settings)
        _search(network, _NetworkTrial(known, settings), settings.network_trials, ends - time.monotonic())
        studies: dict[TunedKind, optuna.Study] = {"pooled": network, "kernel_ridge": kernel}
        return _trials(studies)


def tuned_config(trials: pd.DataFrame, base: HeadSettings) -> HeadSettings:
    """The settings chosen, and ``base`` for whatever was not looked for."""
    chosen = trials[trials["chosen"]].iloc[0]
    found = {name: chosen[name] for name in TUNED if pd.notna(chosen[name])}
    whole = {name: int(found[name]) for name in ("hidden", "batch_size") if name in found}
    real = {name: float(value) for name, value in found.items() if name not in (*whole, "target")}
    return replace(base, kind=str(chosen["kind"]), target=str(chosen["target"]), **whole, **real)  # type: ignore[arg-type]


@contextmanager
def _storage(journal: Path) -> Iterator[JournalStorage]:
    journal.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(journal.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StudyError(f"another process works on the study in {journal}: wait for its end") from None
    try:
        _mend(journal)
        yield JournalStorage(JournalFileBackend(str(journal)))
    except ValueError as error:
        raise StudyError(f"the study in {journal} is damaged ({error}): delete it and start again") from error
    finally:
        lock.release()


def _mend(journal: Path) -> None:
    """Cut the line off that a killed search had begun: what is appended to it would be lost too."""
    if journal.exists() and not (data := journal.read_bytes()).endswith(b"\n"):
        with journal.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)


def _study(storage: JournalStorage, kind: TunedKind, settings: TuningSettings) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage,
        study_name=kind,
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=WARM_UP),
    )
    # The sampler's own randomness is not kept: one that goes on must not repeat its first guesses.
    study.sampler = optuna.samplers.TPESampler(seed=settings.seed + len(study.trials))
    for cut_off in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(cut_off.number, state=TrialState.FAIL)
        study.enqueue_trial(cut_off.params, skip_if_exists=True)
    if not study.trials:
        study.enqueue_trial(DEFAULTS[kind])
    return study


class _NetworkTrial:
    """One network, given up where it does worse than the median after as many epochs."""

    def __init__(self, known: TuningRows, settings: TuningSettings) -> None:
        self._known = known
        self._base = HeadSettings(epochs=settings.epochs, patience=settings.patience, seed=settings.seed)

    def __call__(self, trial: Trial) -> float:
        config = replace(
            self._base,
            target=trial.suggest_categorical("target", ["dollars", "log"]),  # type: ignore[arg-type]
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
            self._known.features,
            self._known.prices,
            self._known.sides,
            config,
            blocks=self._known.blocks,
            after_epoch=after_epoch,
        )
        return math.sqrt(trained.history["validation_mse"].min())


class _KernelTrial:
    """One kernel ridge; the distances of all trials are computed once."""

    def __init__(self, known: TuningRows) -> None:
        self._rows, self._blocks = split_rows(known.prices, known.sides), known.blocks
        self._features = torch.from_numpy(known.features).mean(0)
        self._equations: KernelRidge | None = None

    def __call__(self, trial: Trial) -> float:
        target: Any = trial.suggest_categorical("target", ["dollars", "log"])
        gamma = trial.suggest_float("gamma", 0.02, 5.0, log=True)
        alpha = trial.suggest_float("alpha", 0.001, 10.0, log=True)
        config = HeadSettings(kind="kernel_ridge", target=target, gamma=gamma, alpha=alpha)
        head = build_head(config, self._features.shape[1], len(self._rows.train))
        head.fit_scales(self._features[self._rows.train], self._rows.prices[self._rows.train], self._blocks)
        if self._equations is None:
            check_numbers(self._features)
            self._equations = KernelRidge.of(head, self._features, self._rows)
        history, best = self._equations.fit(head, [gamma], [alpha])
        return math.sqrt(history["validation_mse"].iloc[best])


def _search(study: optuna.Study, trial: _NetworkTrial | _KernelTrial, wanted: int, seconds: float) -> None:
    ended = len(_ended(study))
    if ended >= wanted:
        logger.info("%s: %d trials are there already", study.study_name, ended)
        return
    progress = Progress(logger, f"{study.study_name} trials", of=wanted - ended)
    heads = logging.getLogger("sneaker_assets.vision")
    level = heads.level
    # A line for each trained head would be hundreds.
    heads.setLevel(logging.WARNING)
    try:
        study.optimize(
            trial,
            n_trials=wanted - ended,
            # The first trial, of the default settings, is made even where the time is up.
            timeout=max(seconds, 1.0),
            catch=(TrainingError,),
            callbacks=[lambda _study, _trial: progress.add()],
        )
    finally:
        heads.setLevel(level)
    progress.finish()
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        raise TrainingError(f"none of {len(study.trials)} {study.study_name} trials came to an end with a number")


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))


def _trials(studies: dict[TunedKind, optuna.Study]) -> pd.DataFrame:
    rows = [
        {
            "kind": kind,
            "trial": trial.number,
            "state": trial.state.name.lower(),
            **{name: trial.params.get(name) for name in TUNED},
            "epochs": len(trial.intermediate_values),
            "validation_rmse": trial.value if trial.state is TrialState.COMPLETE else _least(trial),
            "seconds": trial.duration.total_seconds() if trial.duration else 0.0,
        }
        for kind in get_args(TunedKind)
        for trial in _ended(studies[kind])
    ]
    trials = pd.DataFrame(rows)
    best = trials.loc[trials["state"] == "complete", "validation_rmse"].astype(float).idxmin()
    return trials.assign(chosen=trials.index == best)


def _least(trial: FrozenTrial) -> float | None:
    return min(trial.intermediate_values.values(), default=None)
