"""Builds the networks of the registry up to their last feature map, with random weights or those of a state dict."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sneaker_assets.vision.backbones.architectures import Architecture, Channels, InputSpec, get_architecture
from sneaker_assets.vision.backbones.feature_layers import find_feature_layers, take_feature_layers
from sneaker_assets.vision.backbones.timm_models import create_timm_model, timm_input
from sneaker_assets.vision.backbones.torchvision_models import torchvision_models
from sneaker_assets.vision.backbones.weights import load_weights
from sneaker_assets.vision.backbones.weights_source import RANDOM_WEIGHTS_SEED


def build_with_weights(architecture: Architecture, state: dict[str, Tensor], source: str) -> nn.Module:
    """The network with the weights of a state dict.

    Args:
        architecture: The network.
        state: State dict of the whole published network.
        source: Name of the state dict in error messages.

    Raises:
        WeightsError: The state dict does not fit the network.
    """
    model = _build(architecture)
    load_weights(model, state, source)
    return _feature_network(model, architecture)


def build_random(architecture: Architecture) -> nn.Module:
    """The network with random weights, the same each time.

    Args:
        architecture: The network.
    """
    network = _feature_network(_build(architecture), architecture)
    tensors = [*network.parameters(), *network.buffers()]
    if any(tensor.is_meta for tensor in tensors):
        drawn = {id(tensor) for module in network.modules() for tensor in _drawn_tensors(module)}
        if all(id(tensor) in drawn for tensor in tensors):
            network.to_empty(device="cpu")
        else:  # other parameters keep the library's initialization
            network = _feature_network(_build_initialised(architecture), architecture)
    return _initialise(network)


@cache
def find_input_spec(architecture: Architecture) -> InputSpec:
    """The input of an architecture's ImageNet weights, as its entry or else its library states it."""
    if architecture.input is not None:
        return architecture.input
    if architecture.library == "timm":
        config = timm_input(architecture.library_name)
        if config is None:
            return InputSpec()
        _, height, width = config.input_size
        return InputSpec(height, width, _channels(config.mean), _channels(config.std))
    preprocessing = torchvision_models().get_model_weights(architecture.library_name).DEFAULT.transforms()
    (side,) = preprocessing.crop_size
    return InputSpec(side, side, _channels(preprocessing.mean), _channels(preprocessing.std))


def _channels(values: Sequence[float]) -> Channels:
    red, green, blue = values
    return red, green, blue


@cache
def layer_names(architecture: Architecture) -> tuple[str, ...]:
    """The library's names for the children of ``Backbone.network``, in order.

    Args:
        architecture: The architecture.

    Returns:
        Names relative to the published network.

    Raises:
        UnsupportedBackboneError: The network has no feature map that can be computed.
    """
    return tuple(find_feature_layers(_build(architecture), architecture))


@cache
def count_parameters(name: str) -> int:
    """Number of parameters of a backbone, without its classifier.

    Raises:
        UnknownBackboneError: No backbone has that name.
    """
    architecture = get_architecture(name)
    return sum(parameter.numel() for parameter in _feature_network(_build(architecture), architecture).parameters())


class _SkipInitialisation(TorchFunctionMode):
    """Skips weight initialization: on the meta device, torch would import its compiler for it, which takes seconds."""

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if function in (Tensor.normal_, Tensor.uniform_) or getattr(function, "__module__", "") == nn.init.__name__:
            return given["tensor"] if "tensor" in given else args[0]
        return function(*args, **given)


def _build(architecture: Architecture) -> nn.Module:
    """The published network, without memory for its weights (on the meta device) where its code allows that."""
    try:
        with torch.device("meta"), _SkipInitialisation():
            model = _create(architecture)
    except (NotImplementedError, RuntimeError):  # the constructor needs real tensors
        return _build_initialised(architecture)
    # A buffer outside of the state dict is computed by the constructor, and loading weights would not replace it.
    lasting = model.state_dict().keys()
    transient = [name for name, _ in model.named_buffers() if name not in lasting]
    return _build_initialised(architecture) if transient else model


def _build_initialised(architecture: Architecture) -> nn.Module:
    """The published network with its library's own random weights, from a fixed seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_WEIGHTS_SEED)
        return _create(architecture)


def _create(architecture: Architecture) -> nn.Module:
    if architecture.library == "timm":
        return create_timm_model(architecture.library_name)
    options = {"init_weights": False} if architecture.name == "inception_v3" else {}
    model: nn.Module = torchvision_models().get_model(architecture.library_name, weights=None, **options)
    return model


def _feature_network(model: nn.Module, architecture: Architecture) -> nn.Sequential:
    """The published network up to its last feature map."""
    layers = take_feature_layers(model, find_feature_layers(model, architecture))
    return nn.Sequential(*layers, nn.ReLU()) if architecture.final_relu else nn.Sequential(*layers)


_NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)


def _drawn_tensors(module: nn.Module) -> list[Tensor | None]:
    """Tensors of this module, without its children, that :func:`_initialise` sets."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        return [module.weight, module.bias]
    if isinstance(module, _NORMS):
        return [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return [getattr(module, "layer_scale", None)]


def _initialise(network: nn.Module) -> nn.Module:
    """Random weights that preserve the scale of activations from layer to layer (He et al. 2015, arXiv 1502.01852)."""
    rng = torch.Generator().manual_seed(RANDOM_WEIGHTS_SEED)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=rng)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, _NORMS):
            module.reset_parameters()
        elif isinstance(scale := getattr(module, "layer_scale", None), nn.Parameter):
            nn.init.ones_(scale)
    return network
