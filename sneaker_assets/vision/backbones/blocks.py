"""A backbone taken apart at a named block: what stays frozen below it, and what is trained from it on."""

import copy
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from sneaker_assets.vision.backbones.backbone import Backbone, child_names
from sneaker_assets.vision.errors import TrainingError


@dataclass(frozen=True)
class SplitBackbone:
    """Two networks whose composition is the backbone's: ``lower`` is frozen and folded, ``upper`` a copy to train."""

    lower: nn.Module
    upper: nn.Sequential


def named_blocks(backbone: Backbone) -> "OrderedDict[str, nn.Module]":
    """The blocks that follow one another in the backbone, by the names its library gives them (``features.14``)."""
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    children = zip(child_names(backbone.architecture), cast("nn.Sequential", backbone.network), strict=False)
    for name, module in children:
        _flatten(name, module, blocks)
    if backbone.architecture.relu:
        blocks["relu"] = nn.ReLU()
    return blocks


def _flatten(name: str, module: nn.Module, blocks: "OrderedDict[str, nn.Module]") -> None:
    # Subclasses are blocks of their own, with a name of their own in the literature.
    if type(module) is nn.Sequential:
        for child, inner in module.named_children():
            _flatten(f"{name}.{child}", inner, blocks)
    else:
        blocks[name] = module


def split_at(backbone: Backbone, unfreeze_from: str) -> SplitBackbone:
    """Take the backbone apart.

    Args:
        backbone: The network; it stays as it is.
        unfreeze_from: The first block that is trained; a stage's name means its first block, and nothing that none is.

    Raises:
        TrainingError: there is no such block; the message lists them.
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
    return SplitBackbone(fuse(lower) if first else lower, upper.requires_grad_(requires_grad=True))


def trained_names(backbone: Backbone, unfreeze_from: str) -> dict[str, str]:
    """Names of the tensors in ``upper`` to their names in the backbone's own state dict."""
    whole = {id(tensor): name for name, tensor in backbone.network.state_dict(keep_vars=True).items()}
    blocks = list(named_blocks(backbone).items())
    upper = split_at(backbone, unfreeze_from).upper
    own = nn.Sequential(*[module for _, module in blocks[len(blocks) - len(upper) :]])
    return {name: whole[id(tensor)] for name, tensor in own.state_dict(keep_vars=True).items()}


def with_weights(backbone: Backbone, weights: Mapping[str, Tensor], said: str) -> Backbone:
    """The backbone with some of its tensors replaced, those trained further.

    Args:
        backbone: As it was.
        weights: Tensors by their names in its state dict.
        said: Where they come from, in plain words.
    """
    network = copy.deepcopy(backbone.network)
    network.load_state_dict({**network.state_dict(), **weights})
    network.eval().requires_grad_(requires_grad=False)
    digest = hashlib.sha256(backbone.fingerprint.encode())
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().to(torch.float32).contiguous().numpy().tobytes())
    return replace(backbone, network=network, weights=said, fingerprint=digest.hexdigest())
