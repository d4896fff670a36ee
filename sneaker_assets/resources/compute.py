"""Resource for the device of the networks and the folder of their weights. torch is imported when it is needed."""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import dagster as dg
from pydantic import Field, field_validator

from sneaker_assets.settings.environment import DeviceName, load_settings

if TYPE_CHECKING:
    import torch

    from sneaker_assets.vision.settings import WeightsChoice


class ComputeResource(dg.ConfigurableResource["ComputeResource"]):
    """The device that networks run on, and the folder of weight files."""

    device: str | None = Field(
        default=None, description="auto (a GPU if there is one), cpu or cuda. Default: SNEAKER_DEVICE, else auto."
    )
    weights: str | None = Field(
        default=None,
        description="Folder of state dicts named after their backbone, .pth or .safetensors. Default: SNEAKER_WEIGHTS.",
    )

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str | None) -> str | None:
        if device is not None and device not in get_args(DeviceName):
            raise ValueError(f"unknown device {device!r}: choose one of {', '.join(get_args(DeviceName))}")
        return device

    def torch_device(self) -> "torch.device":
        """The device as a ``torch.device``.

        Raises:
            DeviceError: The device is unknown or not usable.
        """
        from sneaker_assets.torch_utils.device import choose_device

        return choose_device(self.device or load_settings().device)

    def weights_choice(self, choice: "WeightsChoice", *, offline: bool) -> "WeightsChoice":
        """The weights that ``choice`` stands for.

        Args:
            choice: The configured choice.
            offline: Whether the listings are those of the offline shop, with which ``auto`` downloads nothing: it takes
                the file of the weights folder, else packaged weights, else random ones.
        """
        return "local" if choice == "auto" and offline else choice

    @property
    def weights_folder(self) -> Path | None:
        """The folder of weight files, or None."""
        return Path(self.weights) if self.weights else load_settings().weights
