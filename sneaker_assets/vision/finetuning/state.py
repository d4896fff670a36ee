"""Everything a fine-tuning carries from one step to the next, and how it is written down so that it goes on.

What a step does is ``finetune``'s concern. A checkpoint is a folder of safetensors and JSON, as ``gan.checkpoint``
writes it; one that is damaged, or of another training, is named and the one before it used.
"""

import logging
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from upath import UPath

from sneaker_assets.torch_utils import checkpoint
from sneaker_assets.torch_utils.checkpoint import Checkpoint
from sneaker_assets.torch_utils.optimizer import optimizer_tensors, restore_optimizer, with_prefix
from sneaker_assets.vision.backbones.backbone import pool
from sneaker_assets.vision.heads.networks import PriceHead
from sneaker_assets.vision.settings import FinetuneSettings

logger = logging.getLogger(__name__)


class PriceNetwork(nn.Module):
    """The trained blocks and the head as one: outputs of the frozen blocks to the standardised target."""

    def __init__(self, upper: nn.Module, head: PriceHead) -> None:
        super().__init__()
        self.upper = upper
        self.head = head

    def forward(self, inputs: Tensor, kept: Tensor | None = None) -> Tensor:
        """What the head gives.

        Args:
            inputs: [n, C, h, w].
            kept: float32 [n, hidden]: what dropout leaves of each hidden unit, drawn outside so that it is the same
                however the rows are spread over processes; None where nothing is dropped.

        Returns:
            float32 [n].
        """
        features = pool(self.upper(inputs).float())
        with torch.autocast(features.device.type, enabled=False):
            if kept is None:
                return self.head.expect(features)
            standardised = (features - self.head.feature_mean) / self.head.feature_deviation
            linear, relu, _, last, flat = self.head.body.children()
            expected: Tensor = flat(last(relu(linear(standardised)) * kept))
            return expected


@dataclass
class FinetuneState:
    """A training between two steps.

    ``history`` has one row an epoch, as ``finetune`` describes it; ``best`` is the epoch of the least validation error
    and ``best_tensors`` the averaged network of then.
    """

    network: PriceNetwork
    averaged: AveragedModel
    optimiser: torch.optim.AdamW
    history: list[dict[str, float]] = field(default_factory=list)
    step: int = 0
    best: int = 0
    best_tensors: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def begin(cls, network: PriceNetwork, settings: FinetuneSettings) -> "FinetuneState":
        """A training that has not begun."""
        groups = [
            {"params": list(network.upper.parameters()), "base_lr": settings.learning_rate},
            {"params": list(network.head.parameters()), "base_lr": settings.head_learning_rate},
        ]
        optimiser = torch.optim.AdamW(
            [group for group in groups if group["params"]], weight_decay=settings.weight_decay, fused=True
        )
        following = get_ema_multi_avg_fn(settings.ema_decay)  # type: ignore[no-untyped-call]
        averaged = AveragedModel(network, multi_avg_fn=following, use_buffers=True)
        return cls(network, averaged, optimiser)

    def keep(self, folder: UPath, run: str) -> None:
        """Write a checkpoint.

        Raises:
            LakeError: the folder cannot be written.
        """
        tensors: dict[str, Tensor] = {f"best.{name}": tensor for name, tensor in self.best_tensors.items()}
        tensors |= {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"averaged.{name}": tensor for name, tensor in self.averaged.state_dict().items()}
        tensors |= optimizer_tensors(self.optimiser, "adam")
        whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        known = {"run": run, "best": self.best}
        checkpoint.save(folder, Checkpoint(len(self.history), self.step, whole, self.history, known))

    def go_on(self, folder: UPath, run: str) -> None:
        """Take over the newest checkpoint of this very training, where there is one."""
        last = checkpoint.latest(folder, run)
        if last is not None:
            self._restore(last)
            logger.info("fine-tuning: going on after epoch %d", len(self.history))

    def _restore(self, last: Checkpoint) -> None:
        self.network.load_state_dict(with_prefix("network", last.tensors))
        self.averaged.load_state_dict(with_prefix("averaged", last.tensors))
        restore_optimizer(self.optimiser, last.tensors, "adam")
        self.history, self.step, self.best = last.history, last.step, int(last.known["best"])
        self.best_tensors = with_prefix("best", last.tensors)
