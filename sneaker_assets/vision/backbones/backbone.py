"""Frozen networks that turn images into feature maps, built from the registry in ``architectures``."""

import copy
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from sneaker_assets.errors import one_line
from sneaker_assets.torch_utils.device import fast_precision
from sneaker_assets.vision.backbones.architectures import Architecture, InputSpec, get_architecture
from sneaker_assets.vision.backbones.feature_layers import UnsupportedBackboneError
from sneaker_assets.vision.backbones.folding import fold_batch_norms
from sneaker_assets.vision.backbones.networks import build_random, build_with_weights, find_input_spec
from sneaker_assets.vision.backbones.packaged import find_packaged
from sneaker_assets.vision.backbones.weights import INSTALL, download_weights, find_weights, read_weights
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.settings import WeightsChoice

logger = logging.getLogger(__name__)

_PROBE_SIDE = 96
"""Side, in pixels, of the image with which the stages of a network are detected."""


@dataclass(frozen=True)
class Stage:
    """Consecutive blocks whose feature maps have one spatial size; ``channels`` are those of the last one."""

    blocks: list[nn.Module]
    channels: int


@dataclass(frozen=True)
class Backbone:
    """A frozen feature extractor with known weights.

    Attributes:
        architecture: Its entry in the registry.
        network: Normalised images float32 [N, 3, height, width] to a feature map [N, C, h, w].
        weights: Where its weights come from.
        fingerprint: Hash of architecture and weights, 64 hexadecimal digits.
        input: The input that its weights were trained for.
    """

    architecture: Architecture
    network: nn.Module
    weights: WeightsSource
    fingerprint: str
    input: InputSpec = field(default_factory=InputSpec)

    def ready(self, device: torch.device, precision: torch.dtype) -> nn.Sequential:
        """An inference copy of the network in stages, channels last, with batch norms folded into convolutions.

        Each stage ends with the last feature map of one spatial size. ``network`` itself stays in float32 and unfolded.

        Args:
            device: Where the copy computes.
            precision: The data type in which it computes.
        """
        stages = copy.deepcopy(self._folded_stages)
        return stages.to(device, precision, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def precision(self, device: torch.device, *, allow_bfloat16: bool = True) -> torch.dtype:
        """Data type of inference: bfloat16 where it is allowed and supported, else float32.

        Args:
            device: Where the network computes.
            allow_bfloat16: Whether bfloat16 may be used where both device and architecture support it.
        """
        return fast_precision(device) if allow_bfloat16 and self.architecture.bfloat16_safe else torch.float32

    @property
    def channels(self) -> tuple[int, ...]:
        """Number of channels of the feature map that each stage ends with."""
        return tuple(stage.channels for stage in self.stages)

    @cached_property
    def stages(self) -> list[Stage]:
        """The network's blocks, in order.

        Raises:
            UnsupportedBackboneError: The network takes images of one size only, or its output is not a feature map.
        """
        stages: list[Stage] = []
        features, side = torch.zeros(1, 3, _PROBE_SIDE, _PROBE_SIDE), 0
        with torch.no_grad():
            for block in _blocks(self.network):
                features = self._apply(block, features)
                blocks = stages.pop().blocks if features.shape[-1] == side else []
                stages.append(Stage([*blocks, block], features.shape[1]))
                side = features.shape[-1]
        return stages

    def _apply(self, block: nn.Module, features: Tensor) -> Tensor:
        problem = f"{self.architecture.name} cannot serve as a backbone, choose a convolutional network"
        try:
            output: Tensor = block(features)
        except (AssertionError, RuntimeError) as error:
            raise UnsupportedBackboneError(
                f"{problem}: it does not take images of any size ({one_line(error, max_length=100)})"
            ) from error
        if output.ndim != 4:
            raise UnsupportedBackboneError(f"{problem}: its output has {output.ndim} dimensions, not 4")
        return output

    @cached_property
    def _folded_stages(self) -> nn.Sequential:
        return nn.Sequential(*(fold_batch_norms(nn.Sequential(*stage.blocks)) for stage in self.stages))


def load_backbone(name: str, choice: WeightsChoice = "auto", weights_folder: Path | None = None) -> Backbone:
    """Build a backbone and load its weights.

    Args:
        name: A key of ``architectures.BACKBONES``.
        choice: ``auto`` takes the file in ``weights_folder``, else ImageNet weights that are installed as a package,
            else downloads them; ``local`` draws random weights instead of downloading; ``imagenet`` takes packaged or
            downloaded ImageNet weights; ``none`` draws random ones from a fixed seed.
        weights_folder: Folder of state dicts called ``<name>.pth``, ``<name>-*.pth`` or the same as ``.safetensors``.

    Returns:
        The backbone, in evaluation mode and without gradients.

    Raises:
        UnknownBackboneError: No backbone has that name.
        UnsupportedBackboneError: The network has no feature map that can be computed.
        WeightsError: Weights cannot be downloaded, a file does not fit the network, or several files do, or a package
            differs from the published one.
    """
    architecture = get_architecture(name)
    network, source = _build(architecture, choice, weights_folder)
    network.eval().requires_grad_(requires_grad=False)
    return Backbone(architecture, network, source, _fingerprint(name, network), find_input_spec(architecture))


def _build(
    architecture: Architecture, choice: WeightsChoice, weights_folder: Path | None
) -> tuple[nn.Module, WeightsSource]:
    if choice in ("auto", "local"):
        file = find_weights(architecture.name, weights_folder)
        if file is not None:
            return build_with_weights(architecture, read_weights(file), file.name), WeightsSource("file", file.name)
    if choice != "none":
        file = find_packaged(architecture)
        if file is not None:
            return build_with_weights(architecture, read_weights(file), file.name), WeightsSource("packaged")
    if choice in ("auto", "imagenet"):
        state = download_weights(architecture, weights_folder)
        return build_with_weights(architecture, state, "the downloaded file"), WeightsSource("imagenet")
    if choice == "local" and architecture.packaged_in:
        logger.warning(
            "%s has random weights, because its package %s is not installed: run %s",
            architecture.name,
            architecture.packaged_in,
            INSTALL,
        )
    return build_random(architecture), WeightsSource("random")


def _blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The modules of a network in the order of its forward pass."""
    if type(network) is nn.Sequential:
        for child in network:
            yield from _blocks(child)
    else:
        yield network


def _fingerprint(name: str, network: nn.Module) -> str:
    digest = hashlib.sha256(name.encode())
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def pool(feature_map: Tensor) -> Tensor:
    """Average and maximum of each channel.

    Args:
        feature_map: [N, C, h, w].

    Returns:
        [N, 2C]: the averages, then the maxima.
    """
    return torch.cat([feature_map.mean(dim=(2, 3)), feature_map.amax(dim=(2, 3))], dim=1)


def pool_with_deviation(feature_map: Tensor) -> Tensor:
    """Average, maximum and population standard deviation of each channel.

    Args:
        feature_map: [N, C, h, w].

    Returns:
        [N, 3C]: the averages, then the maxima, then the deviations.
    """
    return torch.cat([pool(feature_map), feature_map.std(dim=(2, 3), correction=0)], dim=1)


_LINEAR_BELOW = 0.01
"""Magnitude below which a signed root is linear, so that its gradient is finite everywhere."""


def signed_roots(statistics: Tensor) -> Tensor:
    """Signed square roots, so that distances depend less on the few channels with strong activations.

    Source: Perronnin, Sánchez and Mensink, "Improving the Fisher Kernel for Large-Scale Image Classification", ECCV
    2010.

    Args:
        statistics: Of any shape.

    Returns:
        Of the same shape; linear near zero.
    """
    return statistics * (statistics.abs() + _LINEAR_BELOW).rsqrt()


def pool_roots(feature_map: Tensor) -> Tensor:
    """Signed square roots of average and population standard deviation of each channel.

    Maxima are left out: they depend on single pixels, and made a kernel ridge worse.

    Args:
        feature_map: [N, C, h, w].

    Returns:
        [N, 2C]: the roots of the averages, then those of the deviations.
    """
    deviations = feature_map.std(dim=(2, 3), correction=0)
    return signed_roots(torch.cat([feature_map.mean(dim=(2, 3)), deviations], dim=1))
