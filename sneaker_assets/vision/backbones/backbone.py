"""The frozen networks that turn a picture into a feature map.

Which networks there are is ``architectures``' concern, where their weights come from that of ``weights``; what is kept
of their output is that of ``features``.
"""

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from torch.overrides import TorchFunctionMode

from sneaker_assets.vision.backbones.architectures import Architecture, get_architecture
from sneaker_assets.vision.backbones.torchvision_models import torchvision_models
from sneaker_assets.vision.backbones.weights import download_weights, find_weights, read_weights, take_weights
from sneaker_assets.vision.settings import WeightsChoice

RANDOM_WEIGHTS_SEED = 0


@dataclass(frozen=True)
class Backbone:
    """A frozen feature extractor with known weights.

    ``network`` maps normalised float images [N, 3, height, width] to a feature map [N, C, h, w]. ``fingerprint``
    identifies architecture and weights; ``weights`` says in plain words where these come from.
    """

    architecture: Architecture
    network: nn.Module
    weights: str
    fingerprint: str

    def ready(self, device: torch.device, precision: torch.dtype) -> nn.Sequential:
        """A copy in stages that gives the same maps sooner: batch norms folded into convolutions, channels last.

        Each stage ends with the network's last map of one size. ``network`` itself stays as it is, in float32, for
        whoever wants gradients or its layers.
        """
        stages = copy.deepcopy(self._stages)
        return stages.to(device, precision, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the map that each stage ends with."""
        return tuple(width for _, width in self._cut)

    @cached_property
    def _stages(self) -> nn.Sequential:
        return nn.Sequential(*(fuse(nn.Sequential(*blocks)) for blocks, _ in self._cut))

    @cached_property
    def _cut(self) -> list[tuple[list[nn.Module], int]]:
        """The blocks of each stage and the channels they end with, by what becomes of a small image."""
        cut: list[tuple[list[nn.Module], int]] = []
        image, side = torch.zeros(1, 3, 96, 96), 0
        with torch.no_grad():
            for block in _blocks(self.network):
                image = block(image)
                blocks = cut.pop()[0] if image.shape[-1] == side else []
                cut.append(([*blocks, block], image.shape[1]))
                side = image.shape[-1]
        return cut


def load_backbone(name: str, choice: WeightsChoice = "auto", weights_folder: Path | None = None) -> Backbone:
    """Build a backbone and give it its weights.

    Args:
        name: A key of ``architectures.BACKBONES``.
        choice: Where the weights come from.
        weights_folder: Folder of state dicts called ``<name>.pth``, ``<name>-*.pth`` or the same as ``.safetensors``.

    Raises:
        UnknownBackboneError: there is no such backbone.
        WeightsError: weights cannot be downloaded, or a file does not fit the network.
    """
    architecture = get_architecture(name)
    file = find_weights(name, weights_folder) if choice == "auto" else None
    model = _build(architecture)
    if file is not None:
        take_weights(model, read_weights(file), file.name)
        weights = f"file {file.name}"
    elif choice == "none":
        weights = f"random (seed {RANDOM_WEIGHTS_SEED}): nothing was learned from photographs"
    else:
        take_weights(model, download_weights(architecture, weights_folder), "the file downloaded")
        weights = "ImageNet"
    network = _feature_map(model, architecture)
    if file is None and choice == "none":
        network = _initialise(network.to_empty(device="cpu"))
    network.eval().requires_grad_(requires_grad=False)
    return Backbone(architecture, network, weights, _fingerprint(name, network))


class _Undrawn(TorchFunctionMode):
    """Draws no weights: where there is no device torch would do so through its compiler, which is slow to import."""

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if function in (Tensor.normal_, Tensor.uniform_) or getattr(function, "__module__", "") == nn.init.__name__:
            return given["tensor"] if "tensor" in given else args[0]
        return function(*args, **given)


def _build(architecture: Architecture) -> nn.Module:
    """The network on no device yet: weights that are replaced or thrown away need not be drawn at random first."""
    with torch.device("meta"), _Undrawn():
        return _published(architecture)


def _published(architecture: Architecture) -> nn.Module:
    if architecture.library == "timm":
        import timm  # noqa: PLC0415 - a second to import, for one backbone

        model: nn.Module = timm.create_model(architecture.library_name, pretrained=False)
        return model
    quiet = {"init_weights": False} if architecture.name == "inception_v3" else {}
    built: nn.Module = torchvision_models().get_model(architecture.library_name, weights=None, **quiet)
    return built


def _feature_map(model: nn.Module, architecture: Architecture) -> nn.Module:
    body = [module for name, module in model.named_children() if name not in architecture.head]
    return nn.Sequential(*body, nn.ReLU()) if architecture.relu else nn.Sequential(*body)


def child_names(architecture: Architecture) -> list[str]:
    """What its library calls the parts of ``Backbone.network``, in order."""
    model = _build(architecture)
    return [name for name, _ in model.named_children() if name not in architecture.head]


def _blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The modules that a network calls one after the other."""
    if type(network) is nn.Sequential:
        for child in network:
            yield from _blocks(child)
    else:
        yield network


@cache
def count_parameters(name: str) -> int:
    """Parameters of the part of this backbone that is kept."""
    architecture = get_architecture(name)
    network = _feature_map(_build(architecture), architecture)
    return sum(parameter.numel() for parameter in network.parameters())


def _initialise(network: nn.Module) -> nn.Module:
    """Random weights that keep the signal's size from layer to layer (He and others 2015, arXiv 1502.01852)."""
    rng = torch.Generator().manual_seed(RANDOM_WEIGHTS_SEED)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=rng)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            module.reset_parameters()
        elif isinstance(scale := getattr(module, "layer_scale", None), nn.Parameter):
            nn.init.ones_(scale)
    return network


def _fingerprint(name: str, network: nn.Module) -> str:
    digest = hashlib.sha256(name.encode())
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def pool(feature_map: Tensor) -> Tensor:
    """Average and maximum over the map, side by side: [N, C, h, w] to [N, 2C]."""
    return torch.cat([feature_map.mean(dim=(2, 3)), feature_map.amax(dim=(2, 3))], dim=1)


def pool_with_deviation(feature_map: Tensor) -> Tensor:
    """Average, maximum and deviation over the map, side by side: [N, C, h, w] to [N, 3C]."""
    return torch.cat([pool(feature_map), feature_map.std(dim=(2, 3), correction=0)], dim=1)
