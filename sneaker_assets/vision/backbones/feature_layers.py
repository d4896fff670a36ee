"""Finds the layers of a published classification network whose composition computes its feature map.

No network needs a list of its own: one symbolic forward pass records which children a network calls and what it passes
between them. Children that are called one after the other, each on the previous output, can be split into a sequence,
which fine-tuning and multi-scale features rely on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sneaker_assets.errors import SneakerError
from sneaker_assets.vision.backbones.architectures import Architecture

_HEAD_LAYERS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.AvgPool2d, nn.Dropout, nn.Flatten)
"""Layers between the last feature map and the classifier."""

WHOLE = "network"
"""Name of the only layer of a network that cannot be split into layers."""


class UnsupportedBackboneError(SneakerError, ValueError):
    """A network's feature map cannot be computed; the message says why."""


class ForwardFeatures(nn.Module):
    """A timm network that cannot be split into layers, as one layer that computes its feature map."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        model.reset_classifier(0, "")  # type: ignore[operator]
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, height, width] to a feature map [N, C, h, w]."""
        features: Tensor = self.model.forward_features(images)  # type: ignore[operator]
        return features.permute(0, 3, 1, 2) if _is_channels_last(self.model) else features


def _is_channels_last(model: nn.Module) -> bool:
    """Whether a timm network gives its feature maps as [N, h, w, C]."""
    return getattr(model, "output_fmt", "NCHW") == "NHWC"


@dataclass
class _Trace:
    """The children that a forward pass called; ``chain`` is the leading part in which each feeds the next.

    ``output`` stands for the output of the last call, at first for the input image.
    """

    output: Tensor
    called: list[str] = field(default_factory=list)
    chain: list[str] = field(default_factory=list)
    returned: Any = None
    failed: bool = False

    def record(self, name: str, inputs: tuple[Any, ...]) -> Tensor:
        """Note a call, and return a new tensor that stands for its output."""
        if len(inputs) == 1 and self._is_last_output(inputs[0]) and self.chain == self.called:
            self.chain.append(name)
        self.called.append(name)
        self.output = torch.empty(1, 1, 8, 8)
        return self.output

    @property
    def is_sequence(self) -> bool:
        """Whether the forward pass only calls the children, each on the previous output."""
        return bool(self.chain) and self.chain == self.called and self._is_last_output(self.returned)

    def _is_last_output(self, tensor: object) -> bool:
        # An operation in place returns the same tensor with a higher version.
        return tensor is self.output and self.output._version == 0  # noqa: SLF001


def find_feature_layers(model: nn.Module, architecture: Architecture) -> list[str]:
    """Names of the children whose composition is the network up to its last feature map.

    Args:
        model: The published network, on any device; its weights are not used.
        architecture: The architecture it was built from.

    Returns:
        Names relative to ``model``, in the order of the forward pass; only :data:`WHOLE` for a timm network that
        cannot be split into layers.

    Raises:
        UnsupportedBackboneError: A torchvision network cannot be split into layers.
    """
    if architecture.library == "timm":
        if _is_channels_last(model):
            return [WHOLE]
        trace = _trace(model, model.forward_features)  # type: ignore[arg-type]
        return trace.chain if trace.is_sequence else [WHOLE]
    trace = _trace(model, model.forward)
    classifier = max((i for i, name in enumerate(trace.called) if _has_parameters(model, name)), default=0)
    layers = trace.chain[:classifier]
    skipped = [name for name in trace.called[len(trace.chain) : classifier] if _has_parameters(model, name)]
    while layers and isinstance(model.get_submodule(layers[-1]), _HEAD_LAYERS):
        layers.pop()
    if trace.failed or skipped or not layers:
        raise UnsupportedBackboneError(
            f"{architecture.name} cannot serve as a backbone: the layers before its classifier do not form a sequence; "
            "use timm's version of it"
        )
    return layers


def take_feature_layers(model: nn.Module, names: list[str]) -> list[nn.Module]:
    """The layers whose names :func:`find_feature_layers` found.

    Args:
        model: The published network; :data:`WHOLE` removes its classifier in place.
        names: Names relative to ``model``, in order.

    Returns:
        The modules, in the same order; the composition maps images [N, 3, height, width] to a feature map [N, C, h, w].
    """
    return [ForwardFeatures(model)] if names == [WHOLE] else [model.get_submodule(name) for name in names]


def _has_parameters(model: nn.Module, name: str) -> bool:
    return next(model.get_submodule(name).parameters(), None) is not None


def _children(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The children that a network can call; a list of modules is not called itself, but its items are."""
    for name, child in model.named_children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from ((f"{name}.{inner}", module) for inner, module in child.named_children())
        else:
            yield name, child


def _trace(model: nn.Module, forward: Callable[[Tensor], Any]) -> _Trace:
    """Run ``forward`` with every child replaced by a recorder, so that nothing is computed."""
    training = model.training
    with torch.inference_mode(mode=False), torch.no_grad(), _recorded(model, _Trace(torch.empty(1, 3, 8, 8))) as trace:
        try:
            trace.returned = forward(trace.output)
        except Exception:  # noqa: BLE001 - a network may do anything with a tensor that is no real feature map
            trace.failed = True
        finally:
            model.train(training)
    return trace


@contextmanager
def _recorded(model: nn.Module, trace: _Trace) -> Iterator[_Trace]:
    def recorder(name: str) -> Callable[..., Tensor]:
        return lambda *inputs, **_: trace.record(name, inputs)

    children = list(_children(model))
    try:
        for name, child in children:
            child.forward = recorder(name)
        model.eval()
        yield trace
    finally:
        for _, child in children:
            del child.forward
