"""The small network that turns a backbone's features into a price, and its training.

Inputs and target are standardised with the training rows' mean and deviation, which the head carries with it: it
takes raw features and gives US dollars.
"""

import logging
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sneaker_assets.vision.settings import HeadConfig

logger = logging.getLogger(__name__)


class TrainingError(RuntimeError):
    """A head cannot be trained on these rows; the message says why and what to do."""


class PriceHead(nn.Module):
    """Features float32 [N, D] to prices float32 [N], US dollars."""

    feature_mean: Tensor
    feature_deviation: Tensor
    price_mean: Tensor
    price_deviation: Tensor

    def __init__(self, n_features: int, hidden: int = 256, dropout: float = 0.5) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1), nn.Flatten(0)
        )
        self.register_buffer("feature_mean", torch.zeros(n_features))
        self.register_buffer("feature_deviation", torch.ones(n_features))
        self.register_buffer("price_mean", torch.zeros(()))
        self.register_buffer("price_deviation", torch.ones(()))

    def fit_scales(self, features: Tensor, prices: Tensor) -> None:
        """Take mean and deviation of the training rows; a feature or price that never varies keeps deviation 1."""
        self.feature_mean.copy_(features.mean(0))
        self.feature_deviation.copy_(_deviation(features))
        self.price_mean.copy_(prices.mean())
        self.price_deviation.copy_(_deviation(prices))

    def forward(self, features: Tensor) -> Tensor:
        """Price each row."""
        standardised = (features - self.feature_mean) / self.feature_deviation
        prices: Tensor = self.layers(standardised) * self.price_deviation + self.price_mean
        return prices


def _deviation(values: Tensor) -> Tensor:
    deviation = values.std(0, correction=0)
    varies = deviation > 1e-6 * values.mean(0).abs()
    return torch.where(varies, deviation, torch.ones_like(deviation))


@dataclass(frozen=True)
class TrainedHead:
    """A head with the weights of its best epoch.

    ``history`` has one row an epoch: epoch, learning_rate, train_mse and validation_mse (US dollars squared).
    """

    head: PriceHead
    history: pd.DataFrame
    best_epoch: int


def train_head(
    features: NDArray[np.float32], prices: NDArray[np.float64], splits: NDArray[np.str_], config: HeadConfig
) -> TrainedHead:
    """Minimise the squared error with Adam and ReduceLROnPlateau; keep the epoch that validates best.

    Args:
        features: float32 [N, D].
        prices: float64 [N], US dollars.
        splits: [N], ``train``, ``validation`` or another word.
        config: Settings.

    Raises:
        TrainingError: there are too few rows, or the loss is no longer a number.
    """
    train_rows, validation_rows = splits == "train", splits == "validation"
    if train_rows.sum() < 2 or validation_rows.sum() < 1:
        raise TrainingError(
            f"{train_rows.sum()} training and {validation_rows.sum()} validation listings are too few to train on: "
            "crawl more pages, or change the proportions of the splits"
        )
    x, y = torch.from_numpy(features), torch.tensor(prices, dtype=torch.float32)
    x_train, y_train, x_validation, y_validation = x[train_rows], y[train_rows], x[validation_rows], y[validation_rows]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        head = PriceHead(x.shape[1], config.hidden, config.dropout)
        head.fit_scales(x_train, y_train)
        return _train(head, (x_train, y_train), (x_validation, y_validation), config)


def _train(
    head: PriceHead, train: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor], config: HeadConfig
) -> TrainedHead:
    optimiser = torch.optim.Adam(head.parameters(), lr=config.learning_rate, fused=True)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, patience=config.plateau_patience, factor=config.plateau_factor
    )
    rows: list[dict[str, float]] = []
    best_mse, best_epoch, best_state = math.inf, 0, _copy_of(head)
    for epoch in range(1, config.epochs + 1):
        learning_rate = optimiser.param_groups[0]["lr"]
        train_mse = _train_epoch(head, optimiser, *train, config.batch_size)
        validation_mse = _mse(head, *validation)
        if not math.isfinite(train_mse + validation_mse):
            raise TrainingError(
                f"the loss is no longer a number in epoch {epoch}: lower the learning rate (it is {learning_rate:g})"
            )
        scheduler.step(validation_mse)
        rows.append(
            {"epoch": epoch, "learning_rate": learning_rate, "train_mse": train_mse, "validation_mse": validation_mse}
        )
        if validation_mse < best_mse:
            best_mse, best_epoch, best_state = validation_mse, epoch, _copy_of(head)
    head.load_state_dict(best_state)
    logger.info("head: %d epochs, best %d, validation RMSE $%.0f", config.epochs, best_epoch, math.sqrt(best_mse))
    return TrainedHead(head.eval(), pd.DataFrame(rows), best_epoch)


def _train_epoch(head: PriceHead, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor, batch_size: int) -> float:
    head.train()
    squared_error = 0.0
    for batch in torch.split(torch.randperm(len(x)), batch_size):
        loss = functional.mse_loss(head(x[batch]), y[batch])
        optimiser.zero_grad()
        # In units of the deviation, so that Adam's step means the same for any currency and price range.
        (loss / head.price_deviation.square()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        squared_error += loss.item() * len(batch)
    return squared_error / len(x)


@torch.inference_mode()
def _mse(head: PriceHead, x: Tensor, y: Tensor) -> float:
    return float(functional.mse_loss(head.eval()(x), y))


def _copy_of(head: PriceHead) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in head.state_dict().items()}
