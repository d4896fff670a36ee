"""Training the upper blocks of a backbone together with its head: a plain loop, the same for one process or several.

The head comes fitted to the frozen features, so that the first steps do not spoil what the blocks know (Kumar and
others, "Fine-Tuning can Distort Pretrained Features", 2022, arXiv 2202.10054). AdamW with a warm-up and half a cosine,
clipped gradients, bfloat16 where the device is made for it, and an average of the weights over time, which is what is
validated and kept. Whatever is drawn depends on seed, epoch, step and row alone.
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

from sneaker_assets.progress import Progress
from sneaker_assets.torch_utils.distributed import Ranks
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.finetuning.activation_cache import Indices, Inputs
from sneaker_assets.vision.finetuning.state import FinetuneState, PriceNetwork
from sneaker_assets.vision.heads.networks import PriceHead
from sneaker_assets.vision.heads.training import TrainedHead
from sneaker_assets.vision.heads.training_rows import Rows
from sneaker_assets.vision.settings import FinetuneSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finetuned:
    """What a fine-tuning left behind: the averaged network of its best epoch.

    ``history`` has one row an epoch: ``epoch``, ``learning_rate``, ``train_mse`` and ``validation_mse`` (US dollars
    squared) and ``seconds``; ``best`` is the row that was kept, ``micro_batch`` what fitted into memory.
    """

    network: PriceNetwork
    history: pd.DataFrame
    best: int
    micro_batch: int

    @property
    def head(self) -> TrainedHead:
        """The head that was trained along, on the CPU."""
        return TrainedHead(self.network.head.cpu(), self.history, self.best, float(self.history["seconds"].sum()))


class Finetuning:
    """One training: its inputs, its state and its place among the ranks.

    Args:
        inputs: What the trained blocks are given, by row.
        rows: Prices, and which rows to train and validate on.
        network: The blocks and the head, on the device; changed in place.
        settings: How to train.
        device: Where.
        precision: What convolutions compute in.
        ranks: Which of several processes this is.
    """

    def __init__(
        self,
        inputs: Inputs,
        rows: Rows,
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
        self.state = FinetuneState.begin(network, settings)
        self.micro_batch = settings.micro_batch
        self.trained: nn.Module = network
        if self.ranks.size > 1:
            self.trained = DistributedDataParallel(network)

    @property
    def steps_an_epoch(self) -> int:
        """Steps until each training row was seen once."""
        return math.ceil(len(self.rows.train) / self.settings.batch_size)

    def run(self, folder: UPath, name: str) -> Finetuned:
        """Train to the last epoch, going on from what ``folder`` holds.

        Args:
            folder: Where checkpoints are kept.
            name: Of this training, as :func:`run_name` gives it.

        Raises:
            TrainingError: a loss is no longer a number, or not even one row fits into memory.
        """
        self.state.go_on(folder, name)
        self.ranks.wait()
        while len(self.state.history) < self.settings.epochs:
            self._one_epoch(folder)
            if self.ranks.first:
                self.state.keep(folder, name)
            self.ranks.wait()
        history = pd.DataFrame(self.state.history)
        network = self.state.network
        network.load_state_dict(self.state.best_tensors)
        return Finetuned(network.eval(), history, self.state.best - 1, self.micro_batch)

    def _one_epoch(self, folder: UPath) -> None:
        state, epoch, began = self.state, len(self.state.history) + 1, time.monotonic()
        self._set_mode()
        order = np.random.default_rng((self.settings.seed, epoch)).permutation(self.rows.train.numpy())
        progress = Progress(logger, f"fine-tuning, epoch {epoch}: rows", of=len(order))
        squared_error = torch.zeros((), dtype=torch.float64, device=self.device)
        for batch in np.array_split(order, self.steps_an_epoch):
            squared_error += self._step(batch, epoch)
            progress.add(len(batch))
        train_mse = float(self.ranks.total(squared_error)) / len(order)
        validation_mse = self._validate()
        if not math.isfinite(train_mse + validation_mse):
            raise TrainingError(
                f"the loss is no longer a number in epoch {epoch}: lower the learning rates; the last good checkpoint "
                f"is kept in {folder}"
            )
        if not state.best or validation_mse < min(row["validation_mse"] for row in state.history):
            state.best = epoch
            kept = cast("PriceNetwork", state.averaged.module).state_dict()
            state.best_tensors = {key: tensor.detach().clone() for key, tensor in kept.items()}
        rate = float(state.optimiser.param_groups[0]["lr"])
        row = {"epoch": epoch, "learning_rate": rate, "train_mse": train_mse, "validation_mse": validation_mse}
        state.history.append(row | {"seconds": time.monotonic() - began})
        logger.info("fine-tuning: epoch %d, validation RMSE $%.0f", epoch, math.sqrt(validation_mse))

    def _set_mode(self) -> None:
        """Blocks as at work, so that nothing in them is random; batch norms learn where they are asked to."""
        self.state.network.eval()
        if not self.settings.freeze_batch_norm:
            for module in self.state.network.upper.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 - its public name is missing
                    module.train()

    def _step(self, batch: Indices, epoch: int) -> float:
        """One step on a batch of all ranks; gives the squared error of our part, US dollars squared."""
        state = self.state
        factor = _schedule(state.step, self.steps_an_epoch * self.settings.epochs, self.settings.warm_up)
        for group in state.optimiser.param_groups:
            group["lr"] = group["base_lr"] * factor
        kept = self._dropout(len(batch))
        while True:
            try:
                state.optimiser.zero_grad()
                squared_error = self._accumulate(batch, kept, epoch)
                break
            except torch.OutOfMemoryError as error:
                self._halve(error)
        nn.utils.clip_grad_norm_(state.network.parameters(), self.settings.clip)
        state.optimiser.step()
        state.averaged.update_parameters(state.network)
        state.step += 1
        return squared_error

    def _accumulate(self, batch: Indices, kept: Tensor, epoch: int) -> float:
        """Gradients of the batch, as many rows at once as fit."""
        ours, masks = self.ranks.share(batch), kept[self.ranks.share(np.arange(len(batch)))]
        head, squared_error = self.state.network.head, 0.0
        starts = range(0, len(ours), self.micro_batch)
        for start in starts:
            rows = ours[start : start + self.micro_batch]
            last = start == starts[-1]
            with (
                nullcontext()
                if last or self.ranks.size == 1
                else cast("DistributedDataParallel", self.trained).no_sync()
            ):
                with autocast(self.device, self.precision):
                    expected = self.trained(self.inputs.varied(rows, epoch), masks[start : start + len(rows)])
                prices = self.rows.prices[rows].to(self.device)
                # The ranks' gradients are averaged, and their parts need not be of one size.
                loss = (expected - head.scaled(prices)).square().sum() * self.ranks.size / len(batch)
                loss.backward()
            with torch.inference_mode():
                squared_error += float((head.dollars(expected.detach()) - prices).square().sum())
        return squared_error

    def _halve(self, error: Exception) -> None:
        if self.micro_batch == 1 or self.ranks.size > 1:
            raise TrainingError(
                f"{self.micro_batch} rows at once do not fit into the device's memory: unfreeze fewer blocks, take a "
                "smaller frame or a smaller micro_batch"
            ) from error
        self.micro_batch = math.ceil(self.micro_batch / 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        logger.warning("out of memory: going on with %d rows at once, as many a step as before", self.micro_batch)

    def _dropout(self, n: int) -> Tensor:
        share = self.settings.dropout
        drawn = np.random.default_rng((self.settings.seed, 1, self.state.step)).random((n, self.settings.hidden))
        kept = torch.from_numpy((drawn >= share).astype(np.float32) / (1 - share))
        return kept.to(self.device)

    @torch.inference_mode()
    def _validate(self) -> float:
        """Mean squared error of the averaged network, US dollars squared; each rank computes all of it."""
        network = cast("PriceNetwork", self.state.averaged.module).eval()
        rows = self.rows.validation.numpy()
        expected = self.expect(network, rows)
        prices = self.rows.prices[rows]
        network.head.fit_smearing(expected.to(self.device), prices.to(self.device))
        return float((network.head.dollars(expected.to(self.device)).cpu() - prices).square().mean())

    @torch.inference_mode()
    def expect(self, network: PriceNetwork, rows: Indices) -> Tensor:
        """What a network gives for rows as they are: float32 [n], on the CPU."""
        # Where so many fit with their gradients, they fit without.
        batches = [rows[start : start + self.micro_batch] for start in range(0, len(rows), self.micro_batch)]
        with autocast(self.device, self.precision):
            return torch.cat([network(self.inputs.plain(batch)).float().cpu() for batch in batches])


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """A context with convolutions in bfloat16, where that is the precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16)


def run_name(inputs: Inputs, rows: Rows, settings: FinetuneSettings, known: Mapping[str, str]) -> str:
    """Twelve hex digits that name a training: the same inputs, rows, prices and settings that matter to it."""
    shaped = {name: value for name, value in settings.model_dump().items() if name not in ("micro_batch", "mixed")}
    digest = hashlib.sha256(json.dumps([inputs.name, shaped, dict(known)], sort_keys=True).encode())
    for tensor in (rows.prices, rows.train, rows.validation):
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:12]


def _schedule(step: int, steps: int, warm_up: float) -> float:
    """Share of the learning rate: a straight way up, then half a cosine down (Loshchilov and Hutter 2017)."""
    rising = max(1, round(warm_up * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def begin_network(upper: nn.Module, head: PriceHead, device: torch.device) -> PriceNetwork:
    """The blocks and a head fitted to their features, ready to be trained."""
    network = PriceNetwork(upper, head).to(device)
    network.requires_grad_(requires_grad=True)
    return network
