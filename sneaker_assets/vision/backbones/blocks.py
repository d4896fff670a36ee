"""Splits a backbone at a named block into frozen lower blocks and upper blocks to train."""

import copy
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from sneaker_assets.vision.backbones.backbone import Backbone
from sneaker_assets.vision.backbones.folding import fold_batch_norms
from sneaker_assets.vision.backbones.networks import layer_names
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.errors import TrainingError


@dataclass(frozen=True)
class SplitBackbone:
    """Two networks whose composition is the backbone.

    Attributes:
        lower: The frozen blocks, with batch norms folded.
        upper: A copy of the other blocks, with gradients.
    """

    lower: nn.Module
    upper: nn.Sequential


def named_blocks(backbone: Backbone) -> "OrderedDict[str, nn.Module]":
    """The backbone's blocks in order, by the library's names for them (such as ``features.14``)."""
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    children = zip(layer_names(backbone.architecture), cast("nn.Sequential", backbone.network), strict=False)
    for name, module in children:
        _flatten(name, module, blocks)
    if backbone.architecture.final_relu:
        blocks["relu"] = nn.ReLU()
    return blocks


def _flatten(name: str, module: nn.Module, blocks: "OrderedDict[str, nn.Module]") -> None:
    # A subclass of Sequential is a block of its own, such as an inverted residual.
    if type(module) is nn.Sequential:
        for child, inner in module.named_children():
            _flatten(f"{name}.{child}", inner, blocks)
    else:
        blocks[name] = module


def default_unfreeze_from(backbone: Backbone) -> str:
    """The first block that fine-tuning trains by default.

    Returns:
        The name that the architecture states, or else the first block of the last stage that has parameters:
        ``features.14`` for mobilenet_v2, ``layer4.0`` for resnet18.
    """
    if backbone.architecture.unfreeze_from:
        return backbone.architecture.unfreeze_from
    first, position = 0, 0
    for stage in backbone.stages:
        if any(next(block.parameters(), None) is not None for block in stage.blocks):
            first = position
        position += len(stage.blocks)
    return list(named_blocks(backbone))[first]


def split_at(backbone: Backbone, unfreeze_from: str) -> SplitBackbone:
    """Split the backbone at a block.

    Args:
        backbone: The network; it is not changed.
        unfreeze_from: Name of the first block of ``upper``, or of a stage for its first block; empty for no block.

    Returns:
        The two parts.

    Raises:
        TrainingError: There is no such block; the message lists the backbone's blocks.
    """
    blocks = named_blocks(backbone)
    names = list(blocks)
    first = next((i for i, name in enumerate(names) if f"{name}.".startswith(f"{unfreeze_from}.")), None)
    if not unfreeze_from:
        first = len(names)
    if first is None:
        raise TrainingError(
            f"{backbone.architecture.name} has no block {unfreeze_from!r} to unfreeze from: choose one of "
            f"{', '.join(names)}"
        )
    lower = nn.Sequential(*[blocks[name] for name in names[:first]]).eval()
    upper = nn.Sequential(*[copy.deepcopy(blocks[name]) for name in names[first:]])
    return SplitBackbone(fold_batch_norms(lower) if first else lower, upper.requires_grad_(requires_grad=True))


def trained_names(backbone: Backbone, unfreeze_from: str) -> dict[str, str]:
    """Names of the trained tensors in the backbone's own state dict.

    Args:
        backbone: The network.
        unfreeze_from: As for :func:`split_at`.

    Returns:
        Names in ``Backbone.network`` by names in ``SplitBackbone.upper``.

    Raises:
        TrainingError: There is no such block.
    """
    own_names = {id(tensor): name for name, tensor in backbone.network.state_dict(keep_vars=True).items()}
    blocks = list(named_blocks(backbone).values())
    n_upper = len(split_at(backbone, unfreeze_from).upper)
    upper = nn.Sequential(*blocks[len(blocks) - n_upper :])
    return {name: own_names[id(tensor)] for name, tensor in upper.state_dict(keep_vars=True).items()}


def with_weights(backbone: Backbone, weights: Mapping[str, Tensor], source: WeightsSource) -> Backbone:
    """The backbone with some tensors replaced by fine-tuned ones.

    Args:
        backbone: The network; it is not changed.
        weights: Tensors by their names in its state dict.
        source: Provenance of the result.

    Returns:
        A backbone with a fingerprint of its own.
    """
    network = copy.deepcopy(backbone.network)
    network.load_state_dict({**network.state_dict(), **weights})
    network.eval().requires_grad_(requires_grad=False)
    digest = hashlib.sha256(backbone.fingerprint.encode())
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().to(torch.float32).contiguous().numpy().tobytes())
    return replace(backbone, network=network, weights=source, fingerprint=digest.hexdigest())
