"""Training loop that fine-tunes the upper blocks of a backbone jointly with a price head.

The head is first fitted to the frozen features, so that its gradients do not distort the pretrained blocks. The
optimizer is AdamW with linear warm-up, cosine decay and gradient clipping; convolutions run in bfloat16 where the
device supports it. Validation and the result use an exponential moving average (EMA) of the weights. All random numbers
depend only on seed, epoch, step and row, so that a resumed training and one on several processes repeat them.

Source: Kumar, Raghunathan, Jones, Ma and Liang, "Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution", 2022, arXiv 2202.10054.
"""

import hashlib
import json
import logging
import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from upath import UPath

from sneaker_assets import code_versions
from sneaker_assets.progress import Progress
from sneaker_assets.torch_utils.distributed import Ranks
from sneaker_assets.vision.backbones.backbone import pool
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.finetuning.activation_cache import Indices, Inputs
from sneaker_assets.vision.finetuning.state import FinetuneState, Pooling, PriceNetwork
from sneaker_assets.vision.heads.networks import PriceHead
from sneaker_assets.vision.heads.training import TrainedHead
from sneaker_assets.vision.heads.training_rows import TrainingRows
from sneaker_assets.vision.settings import FinetuneSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinetuneResult:
    """Result of a fine-tuning: the EMA network of the best epoch.

    Attributes:
        network: The network, in evaluation mode.
        history: One row for each epoch: ``epoch``, ``learning_rate``, ``train_mse`` and ``validation_mse`` (US dollars
            squared) and ``seconds``.
        best: Number of the best row of the history, from 0.
        micro_batch: Number of rows that fitted into memory at once.
    """

    network: PriceNetwork
    history: pd.DataFrame
    best: int
    micro_batch: int

    @property
    def head(self) -> TrainedHead:
        """The fine-tuned head, on the CPU."""
        return TrainedHead(self.network.head.cpu(), self.history, self.best, float(self.history["seconds"].sum()))


class Finetuner:
    """Trainer of one network in one process of a group.

    Args:
        inputs: Inputs of the trained blocks, by row.
        rows: Prices, and training and validation rows.
        network: The trained blocks and the head, on the device; trained in place.
        settings: Hyperparameters.
        device: Where to compute.
        precision: Data type of the convolutions.
        ranks: This process's rank in its group; None for a single process.
    """

    def __init__(
        self,
        inputs: Inputs,
        rows: TrainingRows,
        network: PriceNetwork,
        settings: FinetuneSettings,
        *,
        device: torch.device,
        precision: torch.dtype = torch.float32,
        ranks: Ranks | None = None,
    ) -> None:
        self.inputs, self.rows, self.settings, self.device = inputs, rows, settings, device
        self.precision, self.ranks = precision, ranks or Ranks()
        network.to(memory_format=torch.channels_last)
        self.state = FinetuneState.create(network, settings)
        self.micro_batch = settings.micro_batch
        self.wrapped: nn.Module = network
        if self.ranks.size > 1:
            self.wrapped = DistributedDataParallel(network)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one pass over the training rows."""
        return math.ceil(len(self.rows.train) / self.settings.batch_size)

    def run(self, folder: UPath, run: str) -> FinetuneResult:
        """Train to the last epoch, resuming from the newest checkpoint in ``folder``.

        Args:
            folder: Where checkpoints are read from and written to after each epoch.
            run: Identifier of this training, as :func:`run_id` returns it.

        Returns:
            The network of the best epoch, with the history.

        Raises:
            TrainingError: The loss diverges, or a single row does not fit into memory.
            LakeError: The folder cannot be written.
        """
        self.state.resume(folder, run)
        self.ranks.wait()
        while len(self.state.history) < self.settings.epochs:
            self._run_epoch(folder)
            if self.ranks.first:
                self.state.save(folder, run)
            self.ranks.wait()
        history = pd.DataFrame(self.state.history)
        network = self.state.network
        network.load_state_dict(self.state.best_tensors)
        return FinetuneResult(network.eval(), history, self.state.best - 1, self.micro_batch)

    def _run_epoch(self, folder: UPath) -> None:
        state, epoch, started = self.state, len(self.state.history) + 1, time.monotonic()
        self._set_mode()
        order = np.random.default_rng((self.settings.seed, epoch)).permutation(self.rows.train.numpy())
        progress = Progress(logger, f"fine-tuning, epoch {epoch}: rows", of=len(order))
        squared_error = torch.zeros((), dtype=torch.float64, device=self.device)
        for batch in np.array_split(order, self.steps_per_epoch):
            squared_error += self._step(batch, epoch)
            progress.add(len(batch))
        train_mse = float(self.ranks.total(squared_error)) / len(order)
        validation_mse = self._validate()
        if not math.isfinite(train_mse + validation_mse):
            raise TrainingError(
                f"the loss is not a finite number in epoch {epoch}: lower the learning rates; the last good checkpoint "
                f"is kept in {folder}"
            )
        if not state.best or validation_mse < min(row["validation_mse"] for row in state.history):
            state.best = epoch
            ema = cast("PriceNetwork", state.ema.module).state_dict()
            state.best_tensors = {key: tensor.detach().clone() for key, tensor in ema.items()}
        rate = float(state.optimizer.param_groups[0]["lr"])
        row = {"epoch": epoch, "learning_rate": rate, "train_mse": train_mse, "validation_mse": validation_mse}
        state.history.append(row | {"seconds": time.monotonic() - started})
        logger.info("fine-tuning: epoch %d, validation RMSE $%.0f", epoch, math.sqrt(validation_mse))

    def _set_mode(self) -> None:
        """Switch the blocks to evaluation mode, so that they are deterministic, except for trainable batch norms."""
        self.state.network.eval()
        if not self.settings.freeze_batch_norm:
            for module in self.state.network.upper.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 - its public name is missing
                    module.train()

    def _step(self, batch: Indices, epoch: int) -> float:
        """Squared error of this rank's rows in US dollars squared, after one optimizer step on the batch of all ranks.

        Args:
            batch: int64 [n], the rows of the step.
            epoch: Number of the epoch.
        """
        state = self.state
        factor = _schedule(state.step, self.steps_per_epoch * self.settings.epochs, self.settings.warm_up)
        for group in state.optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        mask = self._dropout_mask(len(batch))
        while True:
            try:
                state.optimizer.zero_grad()
                squared_error = self._accumulate_gradients(batch, mask, epoch)
                break
            except torch.OutOfMemoryError as error:
                self._halve_micro_batch(error)
        nn.utils.clip_grad_norm_(state.network.parameters(), self.settings.clip)
        state.optimizer.step()
        state.ema.update_parameters(state.network)
        state.step += 1
        return squared_error

    def _accumulate_gradients(self, batch: Indices, mask: Tensor, epoch: int) -> float:
        """Squared error of this rank's rows, after accumulating their gradients over micro batches."""
        shard, masks = self.ranks.share(batch), mask[self.ranks.share(np.arange(len(batch)))]
        head, squared_error = self.state.network.head, 0.0
        starts = range(0, len(shard), self.micro_batch)
        for start in starts:
            rows = shard[start : start + self.micro_batch]
            last = start == starts[-1]
            with (
                nullcontext()
                if last or self.ranks.size == 1
                else cast("DistributedDataParallel", self.wrapped).no_sync()
            ):
                with autocast(self.device, self.precision):
                    standardized = self.wrapped(self.inputs.augmented(rows, epoch), masks[start : start + len(rows)])
                prices = self.rows.prices[rows].to(self.device)
                # Gradients are averaged over ranks, whose shares of the batch may differ in size.
                loss = (standardized - head.standardize(prices)).square().sum() * self.ranks.size / len(batch)
                loss.backward()
            with torch.inference_mode():
                squared_error += float((head.to_dollars(standardized.detach()) - prices).square().sum())
        return squared_error

    def _halve_micro_batch(self, error: Exception) -> None:
        if self.micro_batch == 1 or self.ranks.size > 1:
            raise TrainingError(
                f"a micro batch of {self.micro_batch} does not fit into the device's memory: unfreeze fewer blocks, or "
                "choose a smaller frame or micro_batch"
            ) from error
        self.micro_batch = math.ceil(self.micro_batch / 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        logger.warning("out of memory: reducing the micro batch to %d, with the same batch size", self.micro_batch)

    def _dropout_mask(self, n: int) -> Tensor:
        """Inverted dropout mask of the current step, float32 [n, hidden]."""
        rate = self.settings.dropout
        drawn = np.random.default_rng((self.settings.seed, 1, self.state.step)).random((n, self.settings.hidden))
        mask = torch.from_numpy((drawn >= rate).astype(np.float32) / (1 - rate))
        return mask.to(self.device)

    @torch.inference_mode()
    def _validate(self) -> float:
        """Mean squared validation error of the EMA network in US dollars squared; each rank computes all of it."""
        network = cast("PriceNetwork", self.state.ema.module).eval()
        rows = self.rows.validation.numpy()
        standardized = self.predict_standardized(network, rows).to(self.device)
        prices = self.rows.prices[rows]
        network.head.fit_smearing(standardized, prices.to(self.device))
        return float((network.head.to_dollars(standardized).cpu() - prices).square().mean())

    @torch.inference_mode()
    def predict_standardized(self, network: PriceNetwork, rows: Indices) -> Tensor:
        """Standardized target that a network predicts for rows without augmentation.

        Args:
            network: The network, on the device.
            rows: int64 [n], row numbers.

        Returns:
            float32 [n], on the CPU.
        """
        # A micro batch that fits into memory with gradients fits without them.
        batches = [rows[start : start + self.micro_batch] for start in range(0, len(rows), self.micro_batch)]
        with autocast(self.device, self.precision):
            return torch.cat([network(self.inputs.plain(batch)).float().cpu() for batch in batches])


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Context manager for mixed precision.

    Args:
        device: Device of the computation.
        precision: bfloat16 enables mixed precision, any other type disables it.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16)


def run_id(inputs: Inputs, rows: TrainingRows, settings: FinetuneSettings, identity: Mapping[str, str]) -> str:
    """Identifier of a training: a hash of everything that affects its result.

    Args:
        inputs: Inputs of the trained blocks.
        rows: Prices, and training and validation rows.
        settings: Hyperparameters; those that leave the trained network unchanged are ignored.
        identity: Further values that affect the result.

    Returns:
        Twelve hex digits.
    """
    shaped = {name: value for name, value in settings.model_dump().items() if name != "micro_batch"}
    known = dict(identity) | code_versions.changed(code_version=code_versions.FINETUNING)
    digest = hashlib.sha256(json.dumps([inputs.name, shaped, known], sort_keys=True).encode())
    for tensor in (rows.prices, rows.train, rows.validation):
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:12]


def _schedule(step: int, steps: int, warm_up: float) -> float:
    """Factor of the learning rate in (0, 1]: linear warm-up, then cosine decay.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, arXiv 1608.03983.

    Args:
        step: Number of the step, from 0.
        steps: Steps in total.
        warm_up: Share of the steps spent on warm-up.
    """
    warm_up_steps = max(1, round(warm_up * steps))
    if step < warm_up_steps:
        return (step + 1) / warm_up_steps
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up_steps) / max(1, steps - warm_up_steps)))


def trainable_network(upper: nn.Module, head: PriceHead, device: torch.device, pooling: Pooling = pool) -> PriceNetwork:
    """Network of the trained blocks and a fitted head, with gradients enabled for all parameters.

    Args:
        upper: The blocks to train, :attr:`SplitBackbone.upper`.
        head: A head fitted to the features of the frozen backbone.
        device: The device that blocks and head are moved to.
        pooling: How the last feature map is pooled.
    """
    network = PriceNetwork(upper, head, pooling).to(device)
    network.requires_grad_(requires_grad=True)
    return network
