"""Renames the tensors of published state dicts to the names that today's libraries give them."""

import re
from collections.abc import Iterable

_LEGACY_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
"""The published DenseNet weights name a layer ``norm.1`` that torchvision's network names ``norm1``."""

_EFFICIENTNET = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_INVERTED_RESIDUAL = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_DEPTHWISE_SEPARABLE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
"""Layers of a block that does not expand its channels."""

_EFFICIENTNET_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)\.(.+)")
_TIMM_BLOCK = re.compile(r"blocks\.\d+\.\d+(?=\.)")


def current_names(published: Iterable[str], own: Iterable[str]) -> dict[str, str]:
    """The names that a network gives the tensors of a published state dict.

    Known are the names of older versions of torchvision's DenseNet, and those of the package efficientnet_pytorch for
    timm's EfficientNets, whose blocks it numbers without regard to stages.

    Args:
        published: Names in the state dict.
        own: Names in the network's own state dict, in the order of its layers.

    Returns:
        The network's name by published name; names that need no change, and unknown ones, stay as they are.
    """
    published = list(published)
    if "_conv_stem.weight" not in published:
        return {name: _LEGACY_DENSENET.sub(r"\1\2", name) for name in published}
    blocks = list(dict.fromkeys(match.group() for name in own if (match := _TIMM_BLOCK.match(name))))
    expanding = {
        int(match[1]) for name in published if (match := _EFFICIENTNET_BLOCK.match(name)) and "_expand" in name
    }
    return {name: _timm_efficientnet_name(name, blocks, expanding) for name in published}


def _timm_efficientnet_name(name: str, blocks: list[str], expanding: set[int]) -> str:
    match = _EFFICIENTNET_BLOCK.match(name)
    if match is None:
        layer, dot, tensor = name.partition(".")
        return _EFFICIENTNET.get(layer, layer) + dot + tensor
    index, layer = int(match[1]), match[2]
    layers = _INVERTED_RESIDUAL if index in expanding else _DEPTHWISE_SEPARABLE
    return f"{blocks[index]}.{layers[layer]}.{match[3]}" if index < len(blocks) and layer in layers else name
