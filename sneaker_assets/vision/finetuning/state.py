"""State of a fine-tuning between two steps, and its checkpoints.

A checkpoint is a folder in the format of ``torch_utils.checkpoint``. Damaged checkpoints and those of another training
are skipped with a warning, and the previous one is used.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from upath import UPath

from sneaker_assets.torch_utils import checkpoint
from sneaker_assets.torch_utils.checkpoint import Checkpoint
from sneaker_assets.torch_utils.optimizer import optimizer_tensors, restore_optimizer, with_prefix
from sneaker_assets.vision.backbones.backbone import pool, pool_roots
from sneaker_assets.vision.heads.networks import PriceHead
from sneaker_assets.vision.settings import FinetuneSettings

logger = logging.getLogger(__name__)

Pooling = Callable[[Tensor], Tensor]
"""Reduces feature maps [N, C, h, w] to features [N, 2C]."""


def pooling_of(settings: FinetuneSettings) -> Pooling:
    """How the last feature map becomes the input of the head: as in the features of the trained network.

    Args:
        settings: Whether a kernel ridge on the same features is added.
    """
    return pool_roots if settings.features.keep == "grid" else pool


class PriceNetwork(nn.Module):
    """Trained blocks followed by a head: outputs of the frozen blocks to the standardized target.

    Args:
        upper: The trained blocks, ending in a feature map.
        head: A head of kind ``pooled`` on the pooled feature map.
        pooling: How the feature map is pooled.
    """

    def __init__(self, upper: nn.Module, head: PriceHead, pooling: Pooling = pool) -> None:
        super().__init__()
        self.upper = upper
        self.head = head
        self.pooling = pooling

    def forward(self, inputs: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Standardized target of outputs of the frozen blocks.

        Args:
            inputs: [n, C, h, w].
            dropout_mask: float32 [n, hidden], factors of the hidden units. It is drawn by the caller, so that it does
                not depend on how rows are distributed over processes. None disables dropout.

        Returns:
            float32 [n].
        """
        features = self.pooling(self.upper(inputs).float())
        with torch.autocast(features.device.type, enabled=False):
            if dropout_mask is None:
                return self.head.predict_standardized(features)
            standardized = (features - self.head.feature_mean) / self.head.feature_deviation
            linear, relu, _, last, flatten = self.head.body.children()
            target: Tensor = flatten(last(relu(linear(standardized)) * dropout_mask))
            return target


@dataclass
class FinetuneState:
    """State of a training between two steps.

    Attributes:
        network: The network being trained.
        ema: Exponential moving average of its weights and buffers.
        optimizer: AdamW over the trained blocks and the head.
        history: One row for each epoch, as ``finetune.FinetuneResult`` describes it.
        step: Optimizer steps done.
        best: Number of the epoch with the lowest validation error, from 1; 0 before the first epoch.
        best_tensors: State of the EMA network after that epoch.
    """

    network: PriceNetwork
    ema: AveragedModel
    optimizer: torch.optim.AdamW
    history: list[dict[str, float]] = field(default_factory=list)
    step: int = 0
    best: int = 0
    best_tensors: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def create(cls, network: PriceNetwork, settings: FinetuneSettings) -> "FinetuneState":
        """State of a training before its first step.

        Args:
            network: The network to train, on its device.
            settings: Learning rates, weight decay and decay of the EMA.

        Returns:
            The state.
        """
        groups = [
            {"params": list(network.upper.parameters()), "base_lr": settings.learning_rate},
            {"params": list(network.head.parameters()), "base_lr": settings.head_learning_rate},
        ]
        optimizer = torch.optim.AdamW(
            [group for group in groups if group["params"]], weight_decay=settings.weight_decay, fused=True
        )
        update = get_ema_multi_avg_fn(settings.ema_decay)  # type: ignore[no-untyped-call]
        ema = AveragedModel(network, multi_avg_fn=update, use_buffers=True)
        return cls(network, ema, optimizer)

    def save(self, folder: UPath, run: str) -> None:
        """Write a checkpoint.

        Args:
            folder: Where checkpoints are kept.
            run: Identifier of the training.

        Raises:
            LakeError: The folder cannot be written.
        """
        tensors: dict[str, Tensor] = {f"best.{name}": tensor for name, tensor in self.best_tensors.items()}
        tensors |= {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"averaged.{name}": tensor for name, tensor in self.ema.state_dict().items()}
        tensors |= optimizer_tensors(self.optimizer, "adam")
        whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        known = {"run": run, "best": self.best}
        checkpoint.save(folder, Checkpoint(len(self.history), self.step, whole, self.history, known))

    def resume(self, folder: UPath, run: str) -> None:
        """Restore the newest readable checkpoint of this training; the state is unchanged if there is none.

        Args:
            folder: Where checkpoints are kept.
            run: Identifier of the training.
        """
        last = checkpoint.latest(folder, run)
        if last is not None:
            self._restore(last)
            logger.info("fine-tuning: resuming after epoch %d", len(self.history))

    def _restore(self, last: Checkpoint) -> None:
        self.network.load_state_dict(with_prefix("network", last.tensors))
        self.ema.load_state_dict(with_prefix("averaged", last.tensors))
        restore_optimizer(self.optimizer, last.tensors, "adam")
        self.history, self.step, self.best = last.history, last.step, int(last.known["best"])
        self.best_tensors = with_prefix("best", last.tensors)
