"""What to compute on and with which weights. torch is imported only where it is used."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    import torch


class ComputeResource(dg.ConfigurableResource["ComputeResource"]):
    """The device that networks run on, and the folder that their weights may lie in."""

    device: str | None = Field(
        default=None, description="auto (a GPU where there is one), cpu or cuda. Default: SNEAKER_DEVICE, else auto."
    )
    weights: str | None = Field(
        default=None,
        description="Folder of state dicts named after their backbone, .pth or .safetensors. Default: SNEAKER_WEIGHTS.",
    )

    def torch_device(self) -> "torch.device":
        """The device, as torch knows it."""
        from sneaker_assets.torch_utils.device import choose_device

        return choose_device(self.device or os.environ.get("SNEAKER_DEVICE") or "auto")

    @property
    def weights_folder(self) -> Path | None:
        """The folder of weight files, or None."""
        folder = self.weights or os.environ.get("SNEAKER_WEIGHTS")
        return Path(folder) if folder else None
