"""The training of a head that is a network: Adam, a plateau, the best epoch by validation, and a checkpoint.

Heads in closed form are ``ridge``'s concern.
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
from sneaker_assets.vision.heads.ensemble import mix
from sneaker_assets.vision.heads.networks import PriceHead, build_head
from sneaker_assets.vision.heads.ridge import KERNEL_ALPHAS, KERNEL_GAMMAS, KernelRidge, fit_ridge
from sneaker_assets.vision.heads.training_rows import FeatureSource, KeptFeatures, Rows, check_numbers, split_rows
from sneaker_assets.vision.settings import CLOSED_FORMS, HeadSettings

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_CHECKPOINTS = 30.0

AfterEpoch = Callable[[dict[str, float]], None]
"""Told the history's newest row; an error that it raises ends the training."""


@dataclass(frozen=True)
class TrainedHead:
    """A head with the weights of its best epoch, or of the best point of its regularisation path.

    ``history`` has one row an epoch or point with ``train_mse`` and ``validation_mse`` (US dollars squared), ``epoch``
    and ``learning_rate`` or ``alpha`` (and ``gamma``); ``best`` is the row that was kept. ``seconds`` is what the
    training took, before a kill too. ``scores`` are a mixed head's, as ``mixing.mix`` gives them, where the history is
    its network's alone.
    """

    head: PriceHead
    history: pd.DataFrame
    best: int
    seconds: float
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
    """Fit a head to the training rows and keep what is best on the validation rows.

    Args:
        features: float32 [views, N, D].
        prices: float64 [N], US dollars.
        splits: [N], of ``tables.SPLITS``.
        config: What to fit, and how.
        checkpoint: Where a network's training is written down, so that a killed one goes on.
        blocks: Widths of the groups of features that are to count alike, D in all; none: each feature counts alike.
        after_epoch: Called after each epoch of a network.

    Raises:
        TrainingError: there are too few rows, a feature is no number, or the loss is no longer one.
    """
    rows = split_rows(prices, splits)
    x = torch.from_numpy(features)
    check_numbers(x)
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
        return with_kernel(network, features, prices, splits, config, blocks=blocks)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        head = build_head(config, n_features=x.shape[2], n_support=len(rows.train))
        if config.kind in CLOSED_FORMS:
            return _in_closed_form(head, x.mean(0), rows, config, blocks)
        head.fit_scales(x.mean(0)[rows.train], rows.prices[rows.train], blocks)
        return train_network(head, KeptFeatures(x), rows, config, checkpoint, after_epoch=after_epoch)


def with_kernel(
    network: TrainedHead,
    features: NDArray[np.float32],
    prices: NDArray[np.float64],
    splits: NDArray[np.str_],
    config: HeadSettings,
    *,
    blocks: Sequence[int] = (),
    columns: slice = slice(None),
) -> TrainedHead:
    """The network mixed with a kernel ridge that is fitted now; as :func:`train_head`.

    ``columns`` are those of the features that the network takes.
    """
    kernel = train_head(features, prices, splits, config.with_changes(kind="kernel_ridge"), blocks=blocks)
    means, rows = torch.from_numpy(features).mean(0), split_rows(prices, splits)
    head, scores = mix(network.head, kernel.head, means, rows, columns)
    return replace(network, head=head, scores=scores, seconds=network.seconds + kernel.seconds)


def _in_closed_form(
    head: PriceHead, features: Tensor, rows: Rows, config: HeadSettings, blocks: Sequence[int]
) -> TrainedHead:
    began = time.monotonic()
    head.fit_scales(features[rows.train], rows.prices[rows.train], blocks)
    if config.kind == "ridge":
        history, best = fit_ridge(head, features, rows)
    else:
        gammas = KERNEL_GAMMAS if config.gamma is None else (config.gamma,)
        alphas = KERNEL_ALPHAS if config.alpha is None else (config.alpha,)
        history, best = KernelRidge.of(head, features, rows).fit(head, gammas, alphas)
    return TrainedHead(head.eval(), history, best, time.monotonic() - began)


@dataclass
class _Run:
    """Everything that a training goes on from."""

    head: PriceHead
    optimiser: torch.optim.Optimizer
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
                "optimiser": self.optimiser.state_dict(),
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
        self.optimiser.load_state_dict(saved["optimiser"])
        self.scheduler.load_state_dict(saved["scheduler"])
        self.history, self.best, self.best_state = saved["history"], saved["best"], saved["best_state"]
        self.seconds = saved["seconds"]
        torch.set_rng_state(saved["rng"])


def train_network(
    head: PriceHead,
    source: FeatureSource,
    rows: Rows,
    config: HeadSettings,
    checkpoint: UPath | None = None,
    *,
    after_epoch: AfterEpoch | None = None,
) -> TrainedHead:
    """Train a head whose scales are fitted; draws from torch's own random numbers.

    Each epoch sees each training row once, in a view drawn for it; validation averages over the views.
    """
    optimiser = torch.optim.AdamW(
        head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, patience=config.plateau_patience, factor=config.plateau_factor
    )
    run = _Run(head, optimiser, scheduler)
    if checkpoint is not None and checkpoint.exists():
        run.resume(checkpoint)
        logger.info("head: going on after epoch %d", len(run.history))
    saved = time.monotonic()
    while len(run.history) < config.epochs and len(run.history) - run.best <= config.patience:
        began = time.monotonic()
        _one_epoch(run, source, rows, config)
        run.seconds += time.monotonic() - began
        if after_epoch is not None:
            after_epoch(run.history[-1])
        if checkpoint is not None and time.monotonic() - saved >= SECONDS_BETWEEN_CHECKPOINTS:
            run.save(checkpoint)
            saved = time.monotonic()
    head.load_state_dict(run.best_state)
    history = pd.DataFrame(run.history)
    best = int(history["validation_mse"].argmin())
    rmse = math.sqrt(history["validation_mse"].iloc[best])
    logger.info("head: %d epochs, best %d, validation RMSE $%.0f", len(history), best + 1, rmse)
    return TrainedHead(head.eval(), history, best, run.seconds)


def _one_epoch(run: _Run, source: FeatureSource, rows: Rows, config: HeadSettings) -> None:
    learning_rate = run.optimiser.param_groups[0]["lr"]
    epoch = len(run.history) + 1
    train_mse = _train_epoch(run, source, rows, config.batch_size)
    validation_mse = _validate(run.head, source, rows, config.batch_size)
    if not math.isfinite(train_mse + validation_mse):
        raise TrainingError(
            f"the loss is no longer a number in epoch {epoch}: lower the learning rate (it is {learning_rate:g})"
        )
    run.scheduler.step(validation_mse)
    if not run.best_state or validation_mse < min(row["validation_mse"] for row in run.history):
        run.best, run.best_state = epoch, {name: tensor.clone() for name, tensor in run.head.state_dict().items()}
    run.history.append(
        {"epoch": epoch, "learning_rate": learning_rate, "train_mse": train_mse, "validation_mse": validation_mse}
    )


def _train_epoch(run: _Run, source: FeatureSource, rows: Rows, batch_size: int) -> float:
    run.head.train()
    squared_error = 0.0
    for batch in torch.split(rows.train[torch.randperm(len(rows.train))], batch_size):
        views = torch.randint(source.n_views, (len(batch),)) if source.n_views > 1 else torch.zeros_like(batch)
        expected = run.head.expect(source.take(batch, views))
        # In units of the deviation, so that Adam's step means the same for any currency and price range.
        loss = functional.mse_loss(expected, run.head.scaled(rows.prices[batch]))
        run.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        run.optimiser.step()
        with torch.inference_mode():
            squared_error += float((run.head.dollars(expected) - rows.prices[batch]).square().sum())
    return squared_error / len(rows.train)


@torch.inference_mode()
def _validate(head: PriceHead, source: FeatureSource, rows: Rows, batch_size: int) -> float:
    head.eval()
    views = range(source.n_views)
    batches = [
        torch.stack([source.take(batch, torch.full_like(batch, view)) for view in views])
        for batch in torch.split(rows.validation, batch_size)
    ]
    expected, prices = torch.cat([head.expect_views(batch) for batch in batches]), rows.prices[rows.validation]
    head.fit_smearing(expected, prices)
    return float(functional.mse_loss(head.dollars(expected), prices))
