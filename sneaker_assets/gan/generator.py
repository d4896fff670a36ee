"""A trained generator ready for use: found in a lake or a folder, loaded, sampled from."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.gan import networks
from sneaker_assets.gan.conditions import ConditionError, Conditions
from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.sampling import load_generator, sample
from sneaker_assets.lake import Lake, read_json
from sneaker_assets.market.bands import PriceBand, format_edges
from sneaker_assets.torch_utils.device import choose_device


class NoGeneratorError(SneakerError, LookupError):
    """No generator has been trained for a price band; the message lists the bands that have one."""


@dataclass(frozen=True)
class Generator:
    """A trained generator of shoe images.

    Attributes:
        network: The network, in evaluation mode.
        device: Where it computes.
        conditions: What it was told about the training images; None if it is not conditional.
        bands: Lowest and highest price (US dollars) of the price bands it was trained on, the highest only where there
            is one; empty for generators of earlier versions.
    """

    network: networks.Generator
    device: torch.device
    conditions: Conditions | None = None
    bands: Mapping[str, Sequence[float]] = field(default_factory=dict)

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
        chosen, folder = choose_device(device), UPath(folder)
        network = load_generator(folder).to(chosen)
        config = read_json(folder / "config.json")
        conditions = Conditions.from_json(config["conditions"]) if config.get("conditions") else None
        return cls(network, chosen, conditions, config.get("bands", {}))

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
        return cls.load(generator_folder(_lake(lake), band), device)

    @classmethod
    def conditional(cls, lake: Lake | str | os.PathLike[str], device: str = "auto") -> "Generator":
        """Load the generator of all price bands and colours that the last training left in a lake.

        Args:
            lake: The lake, or its folder or fsspec address.
            device: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

        Raises:
            NoGeneratorError: It was never trained.
            GeneratorError: The generator's files are missing or damaged.
            DeviceError: The device is unknown or not usable.
        """
        here = _lake(lake)
        folder = here.referenced("conditional_gan_checkpoints")
        if folder is None:
            raise NoGeneratorError(
                f"no generator that knows colours in {here.root}: materialize conditional_gan_checkpoints first"
            )
        return cls.load(folder / "generator", device)

    def check_bands(self, bands: Mapping[str, PriceBand], band: str | None = None) -> None:
        """Check that price bands have the edges that they had in the training.

        Args:
            bands: The bands of the settings.
            band: The one to check; by default all that the generator was trained on.

        Raises:
            NoGeneratorError: A band has other edges now, or no longer exists.
        """
        for name in self.bands if band is None else {band} & self.bands.keys():
            now = bands[name].edges if name in bands else None
            if now != tuple(self.bands[name]):
                then = format_edges(self.bands[name])
                is_now = f"is {format_edges(now)} now" if now else "no longer exists"
                raise NoGeneratorError(
                    f"the generator of the price band {name!r} was trained on {then}, and the band {is_now}: train it "
                    "again, or restore SNEAKER_BANDS"
                )

    def sample(self, n: int, seed: int = 0, **wanted: str | None) -> UInt8Array:
        """Generate images.

        Args:
            n: Number of images.
            seed: Seed of the noise; the same seed gives the same images on the same device.
            **wanted: For a conditional generator, the label of a condition, such as ``band="cheap"``. What is not given
                is drawn as it is distributed among the training images.

        Returns:
            uint8 [n, height, width, 3], RGB.

        Raises:
            ConditionError: No training image meets the wanted conditions, or the generator is not conditional.
        """
        if self.conditions is None:
            if given := {name: label for name, label in wanted.items() if label is not None}:
                raise ConditionError(f"the generator is not conditional, so its {', '.join(given)} cannot be chosen")
            return sample(self.network, n, seed, self.device)
        condition = self.conditions.encode(self.conditions.draw(n, seed, **wanted))
        return sample(self.network, n, seed, self.device, condition)


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


def _lake(lake: Lake | str | os.PathLike[str]) -> Lake:
    return lake if isinstance(lake, Lake) else Lake.at(lake)
