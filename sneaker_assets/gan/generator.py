"""A trained generator ready for use: found in a lake or a folder, loaded, sampled from."""

import os
from dataclasses import dataclass

import torch
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.gan import networks
from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.sampling import load_generator, sample
from sneaker_assets.lake import Lake, read_json
from sneaker_assets.torch_utils.device import choose_device


class NoGeneratorError(SneakerError, LookupError):
    """No generator has been trained for a price band; the message lists the bands that have one."""


@dataclass(frozen=True)
class Generator:
    """A trained generator of shoe images.

    Attributes:
        network: The network, in evaluation mode.
        device: Where it computes.
    """

    network: networks.Generator
    device: torch.device

    @classmethod
    def load(cls, folder: UPath | str | os.PathLike[str], device: str = "auto") -> "Generator":
        """Load a generator from its folder.

        Args:
            folder: A training's ``generator`` folder, with ``config.json`` and ``model.safetensors``.
            device: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

        Raises:
            GeneratorError: The folder holds no trained generator, or its files are damaged.
            DeviceError: The device is unknown or not usable.
        """
        chosen = choose_device(device)
        return cls(load_generator(UPath(folder)).to(chosen), chosen)

    @classmethod
    def of_band(cls, lake: Lake | str | os.PathLike[str], band: str, device: str = "auto") -> "Generator":
        """Load the generator that the last training of a price band left in a lake.

        Args:
            lake: The lake, or its folder or fsspec address.
            band: Price band, such as ``cheap``.
            device: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

        Raises:
            NoGeneratorError: No generator has been trained for the band.
            GeneratorError: The generator's files are missing or damaged.
            DeviceError: The device is unknown or not usable.
        """
        return cls.load(generator_folder(lake if isinstance(lake, Lake) else Lake.at(lake), band), device)

    def sample(self, n: int, seed: int = 0) -> UInt8Array:
        """Generate images.

        Args:
            n: Number of images.
            seed: Seed of the noise; the same seed gives the same images on the same device.

        Returns:
            uint8 [n, height, width, 3], RGB.
        """
        return sample(self.network, n, seed, self.device)


def generator_folder(lake: Lake, band: str) -> UPath:
    """The folder of the generator that the last training of a price band left in the lake.

    Args:
        lake: The lake.
        band: Price band.

    Raises:
        NoGeneratorError: No generator has been trained for the band; the message lists the bands that have one.
    """
    reference = lake.table("gan_checkpoints", band).with_suffix(".json")
    if not reference.exists():
        bands = sorted(path.stem for path in reference.parent.glob("*.json")) if reference.parent.exists() else []
        trained = f"there are: {', '.join(bands)}" if bands else "there is none: materialize gan_checkpoints first"
        raise NoGeneratorError(f"no generator for the price band {band!r} in {lake.root}; {trained}")
    return lake.resolve(str(read_json(reference)["folder"])) / "generator"
