"""Training of heads: AdamW with learning rate reduction on plateau, early stopping and checkpoints for networks.

Closed-form heads and ensembles are fitted through the same function, :func:`train_head`.
"""

import io
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from upath import UPath

from sneaker_assets import lake
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.heads.ensemble import combine_heads
from sneaker_assets.vision.heads.kernel_ridge import ALPHAS, GAMMAS, fit_kernel_ridge
from sneaker_assets.vision.heads.networks import PriceHead, build_head
from sneaker_assets.vision.heads.ridge import fit_ridge
from sneaker_assets.vision.heads.training_rows import (
    FeatureSource,
    InMemoryFeatures,
    TrainingRows,
    check_finite,
    mean_over_views,
    split_rows,
)
from sneaker_assets.vision.settings import CLOSED_FORMS, HeadSettings

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_CHECKPOINTS = 30.0

AfterEpoch = Callable[[dict[str, float]], None]
"""Callback that receives the newest row of the history; an exception it raises aborts the training."""


@dataclass(frozen=True)
class TrainedHead:
    """A head with the weights of its best epoch, or of the best point of its regularization path.

    Attributes:
        head: The head, in evaluation mode.
        history: One row for each epoch or point of the path, with ``train_mse`` and ``validation_mse`` (US dollars
            squared) and either ``epoch`` and ``learning_rate`` or ``alpha`` (and ``gamma``).
        best: Number of the best row of the history, from 0.
        seconds: Training time, including that before an interruption.
        closed_form: Whether the head is the exact solution of its equations, as ``leave_group_out_predictions``
            requires.
        scores: Scores of an ensemble, as :func:`ensemble.combine_heads` returns them; empty for other heads. The
            history of an ensemble is that of its network.
    """

    head: PriceHead
    history: pd.DataFrame
    best: int
    seconds: float
    closed_form: bool = False
    scores: dict[str, float] = field(default_factory=dict)


def train_head(
    features: NDArray[np.float32],
    prices: NDArray[np.float64],
    splits: NDArray[np.str_],
    config: HeadSettings,
    checkpoint: UPath | None = None,
    *,
    blocks: Sequence[int] = (),
    after_epoch: AfterEpoch | None = None,
) -> TrainedHead:
    """Train a head on the training rows and select the epoch or hyperparameters on the validation rows.

    Args:
        features: float32 [views, N, D], raw.
        prices: float64 [N], US dollars, positive.
        splits: [N], each of ``tables.SPLITS``.
        config: Kind of head and its hyperparameters.
        checkpoint: File from which the training of a network resumes and to which it is saved; None saves nothing.
        blocks: Widths of adjacent groups of features, D in total, that are scaled to the same total variance; empty
            for one group.
        after_epoch: Called after each epoch of a network.

    Returns:
        The trained head with its history.

    Raises:
        TrainingError: There are too few rows, a feature is not finite, or the loss diverges.
    """
    rows = split_rows(prices, splits)
    x = torch.from_numpy(features)
    check_finite(x)
    if config.kind == "mixed":
        network = train_head(
            features,
            prices,
            splits,
            config.with_changes(kind="pooled"),
            checkpoint,
            blocks=blocks,
            after_epoch=after_epoch,
        )
        return add_kernel_ridge(network, features, prices, splits, config, blocks=blocks)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        head = build_head(config, n_features=x.shape[2], n_support=len(rows.train))
        if config.kind in CLOSED_FORMS:
            return _fit_closed_form(head, mean_over_views(x), rows, config, blocks)
        head.fit_scales(mean_over_views(x)[rows.train], rows.prices[rows.train], blocks)
        return train_network(head, InMemoryFeatures(x), rows, config, checkpoint, after_epoch=after_epoch)


def add_kernel_ridge(
    network: TrainedHead,
    features: NDArray[np.float32],
    prices: NDArray[np.float64],
    splits: NDArray[np.str_],
    config: HeadSettings,
    *,
    blocks: Sequence[int] = (),
    columns: slice = slice(None),
) -> TrainedHead:
    """Ensemble of a trained network and a kernel ridge fitted to the same rows.

    Args:
        network: The trained network.
        features: float32 [views, N, D], raw.
        prices: float64 [N], US dollars, positive.
        splits: [N], each of ``tables.SPLITS``.
        config: Target, gamma and alpha of the kernel ridge.
        blocks: As for :func:`train_head`.
        columns: The columns of the features that are the network's input.

    Returns:
        The ensemble, with the history of the network.

    Raises:
        TrainingError: There are too few rows, or a feature is not finite.
    """
    kernel = train_head(features, prices, splits, config.with_changes(kind="kernel_ridge"), blocks=blocks)
    means, rows = mean_over_views(torch.from_numpy(features)), split_rows(prices, splits)
    head, scores = combine_heads(network.head, kernel.head, means, rows, columns)
    return replace(network, head=head, scores=scores, seconds=network.seconds + kernel.seconds)


def _fit_closed_form(
    head: PriceHead, features: Tensor, rows: TrainingRows, config: HeadSettings, blocks: Sequence[int]
) -> TrainedHead:
    started = time.monotonic()
    head.fit_scales(features[rows.train], rows.prices[rows.train], blocks)
    if config.kind == "ridge":
        history, best = fit_ridge(head, features, rows)
        exact = True
    else:
        history, best, exact = fit_kernel_ridge(
            head,
            features,
            rows,
            gammas=GAMMAS if config.gamma is None else (config.gamma,),
            alphas=ALPHAS if config.alpha is None else (config.alpha,),
            landmarks=config.landmarks,
            seed=config.seed,
        )
    return TrainedHead(head.eval(), history, best, time.monotonic() - started, closed_form=exact)


@dataclass
class _Run:
    """State of a training between two epochs, as stored in a checkpoint."""

    head: PriceHead
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.ReduceLROnPlateau
    history: list[dict[str, float]] = field(default_factory=list)
    best: int = 0
    seconds: float = 0.0
    best_state: dict[str, Tensor] = field(default_factory=dict)

    def save(self, path: UPath) -> None:
        file = io.BytesIO()
        torch.save(
            {
                "head": self.head.state_dict(),
                "optimiser": self.optimizer.state_dict(),
                "scheduler": self.scheduler.state_dict(),
                "history": self.history,
                "best": self.best,
                "seconds": self.seconds,
                "best_state": self.best_state,
                "rng": torch.get_rng_state(),
            },
            file,
        )
        lake.write_bytes(path, file.getvalue())

    def resume(self, path: UPath) -> None:
        saved: dict[str, Any] = torch.load(io.BytesIO(path.read_bytes()), weights_only=True)
        self.head.load_state_dict(saved["head"])
        self.optimizer.load_state_dict(saved["optimiser"])
        self.scheduler.load_state_dict(saved["scheduler"])
        self.history, self.best, self.best_state = saved["history"], saved["best"], saved["best_state"]
        self.seconds = saved["seconds"]
        torch.set_rng_state(saved["rng"])


def train_network(
    head: PriceHead,
    source: FeatureSource,
    rows: TrainingRows,
    config: HeadSettings,
    checkpoint: UPath | None = None,
    *,
    after_epoch: AfterEpoch | None = None,
) -> TrainedHead:
    """Train a network with AdamW until the last epoch or early stopping.

    Each epoch visits every training row once, in a randomly drawn view; validation averages over the views. Random
    numbers come from torch's global generator.

    Args:
        head: A head with fitted scales; trained in place.
        source: Features of all rows.
        rows: Training and validation rows.
        config: Epochs, batch size, learning rate and its schedule, patience and weight decay.
        checkpoint: As for :func:`train_head`.
        after_epoch: As for :func:`train_head`.

    Returns:
        The head with the weights of its best epoch.

    Raises:
        TrainingError: The loss diverges.
    """
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, patience=config.plateau_patience, factor=config.plateau_factor
    )
    run = _Run(head, optimizer, scheduler)
    if checkpoint is not None and checkpoint.exists():
        run.resume(checkpoint)
        logger.info("head: resuming after epoch %d", len(run.history))
    saved = time.monotonic()
    while len(run.history) < config.epochs and len(run.history) - run.best <= config.patience:
        started = time.monotonic()
        _run_epoch(run, source, rows, config)
        run.seconds += time.monotonic() - started
        if after_epoch is not None:
            after_epoch(run.history[-1])
        if checkpoint is not None and time.monotonic() - saved >= SECONDS_BETWEEN_CHECKPOINTS:
            run.save(checkpoint)
            saved = time.monotonic()
    head.load_state_dict(run.best_state)
    history = pd.DataFrame(run.history)
    best = int(history["validation_mse"].argmin())
    rmse = math.sqrt(history["validation_mse"].iloc[best])
    logger.debug("head: %d epochs, best %d, validation RMSE $%.0f", len(history), best + 1, rmse)
    return TrainedHead(head.eval(), history, best, run.seconds)


def _run_epoch(run: _Run, source: FeatureSource, rows: TrainingRows, config: HeadSettings) -> None:
    learning_rate = run.optimizer.param_groups[0]["lr"]
    epoch = len(run.history) + 1
    train_mse = _train_epoch(run, source, rows, config.batch_size)
    validation_mse = _validate(run.head, source, rows, config.batch_size)
    if not math.isfinite(train_mse + validation_mse):
        raise TrainingError(
            f"the loss is not a finite number in epoch {epoch}: lower the learning rate (it is {learning_rate:g})"
        )
    run.scheduler.step(validation_mse)
    if not run.best_state or validation_mse < min(row["validation_mse"] for row in run.history):
        run.best, run.best_state = epoch, {name: tensor.clone() for name, tensor in run.head.state_dict().items()}
    run.history.append(
        {"epoch": epoch, "learning_rate": learning_rate, "train_mse": train_mse, "validation_mse": validation_mse}
    )


def _train_epoch(run: _Run, source: FeatureSource, rows: TrainingRows, batch_size: int) -> float:
    """Mean squared training error in US dollars squared, measured during the epoch."""
    run.head.train()
    squared_error = 0.0
    for batch in torch.split(rows.train[torch.randperm(len(rows.train))], batch_size):
        views = torch.randint(source.n_views, (len(batch),)) if source.n_views > 1 else torch.zeros_like(batch)
        standardized = run.head.predict_standardized(source.take(batch, views))
        # The loss is standardized so that the learning rate does not depend on the price range.
        loss = functional.mse_loss(standardized, run.head.standardize(rows.prices[batch]))
        run.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        run.optimizer.step()
        with torch.inference_mode():
            squared_error += float((run.head.to_dollars(standardized) - rows.prices[batch]).square().sum())
    return squared_error / len(rows.train)


@torch.inference_mode()
def _validate(head: PriceHead, source: FeatureSource, rows: TrainingRows, batch_size: int) -> float:
    """Mean squared validation error in US dollars squared; fits the smearing factor to the validation rows."""
    head.eval()
    views = range(source.n_views)
    batches = [
        torch.stack([source.take(batch, torch.full_like(batch, view)) for view in views])
        for batch in torch.split(rows.validation, batch_size)
    ]
    standardized = torch.cat([head.predict_standardized_views(batch) for batch in batches])
    prices = rows.prices[rows.validation]
    head.fit_smearing(standardized, prices)
    return float(functional.mse_loss(head.to_dollars(standardized), prices))
