"""Rewrites networks for inference: batch norms become part of convolutions, and so does TensorFlow's SAME padding."""

import copy
import logging
from collections import Counter

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

logger = logging.getLogger(__name__)

_LEAVES = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d)


class _Tracer(fx.Tracer):
    """Does not look into subclasses of torch's layers, such as timm's, whose padding depends on the image's size."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _LEAVES) or super().is_leaf_module(m, module_qualified_name)


class SameConv2d(nn.Module):
    """Depthwise convolution with TensorFlow's SAME padding that does not copy its input into a padded one.

    Where SAME adds one more row or column at the end than at the start, the kernel is enlarged by a row or column of
    zeros at its start, so that the padding is symmetric, which the convolution itself provides. On a CPU, the five
    copies took a tenth of the time of efficientnet_lite0 at 160x384.

    SAME padding: https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2

    Args:
        conv: A convolution with SAME padding and without dilation.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, images: Tensor) -> Tensor:
        """[N, C, height, width] to [N, C, height / stride, width / stride], rounded up."""
        # A GPU pads fast, and has kernels for common sizes of filters only; ONNX Runtime rejects padded filters.
        if images.device.type != "cpu" or torch.compiler.is_exporting():
            padded: Tensor = self.conv(images)
            return padded
        conv = self.conv
        sizes = zip(images.shape[2:], conv.kernel_size, conv.stride, strict=True)
        rows, columns = (_same_padding(size, kernel, stride) for size, kernel, stride in sizes)
        weight = functional.pad(conv.weight, (columns % 2, 0, rows % 2, 0))
        padding = (rows + 1) // 2, (columns + 1) // 2
        return functional.conv2d(images, weight, conv.bias, conv.stride, padding, groups=conv.groups)


def _same_padding(size: int, kernel: int, stride: int) -> int:
    """Rows or columns that SAME padding adds in total: half of them, rounded down, at the start."""
    return max((-(-size // stride) - 1) * stride + kernel - size, 0)


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """The network with batch norms folded into the convolutions before them; a plain copy where it cannot be traced.

    Tracing records which layer takes which layer's output. Control flow that depends on an image makes it impossible.
    Depthwise convolutions with SAME padding become :class:`SameConv2d`.

    torch.fx: https://docs.pytorch.org/docs/stable/fx.html

    Args:
        network: A network in evaluation mode; it is not changed.
    """
    network = copy.deepcopy(network)
    try:
        graph = _Tracer().trace(network)
    except Exception as error:  # noqa: BLE001 - tracing raises whatever the network's code makes of a symbolic tensor
        logger.debug("batch norms are not folded: %s", error)
        return network
    folded = fx.GraphModule(network, graph)
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    for node in graph.nodes:
        before = node.args[0] if calls[node.target] == 1 and node.args else None
        if isinstance(before, fx.Node) and calls[before.target] == 1 and len(before.users) == 1:
            _fold(folded, str(before.target), str(node.target))
    for name, module in list(folded.named_modules()):
        if _is_depthwise_same(module):
            folded.set_submodule(name, SameConv2d(module))
    return folded


def _fold(network: nn.Module, convolution: str, norm: str) -> None:
    """Fold the second of two consecutive modules into the first if they are a convolution and a batch norm."""
    first, second = network.get_submodule(convolution), network.get_submodule(norm)
    if not isinstance(first, nn.Conv2d) or not isinstance(second, nn.BatchNorm2d):
        return
    # Other subclasses may compute something else, such as standardised weights.
    known_convolution = type(first) is nn.Conv2d or _is_of_timm(first, "Conv2dSame")
    known_norm = type(second) is nn.BatchNorm2d or _is_of_timm(second, "BatchNormAct2d")
    if known_convolution and known_norm and second.track_running_stats:
        network.set_submodule(convolution, fuse_conv_bn_eval(first, second))
        # timm's batch norm ends with an activation.
        network.set_submodule(norm, nn.Sequential(*second.children()))


def _is_depthwise_same(module: nn.Module) -> bool:
    return _is_of_timm(module, "Conv2dSame") and module.groups == module.in_channels and module.dilation == (1, 1)


def _is_of_timm(module: nn.Module, name: str) -> bool:
    """Whether a module's class is one of timm's layers, without the import of timm that other networks do not need."""
    return type(module).__name__ == name and type(module).__module__.startswith("timm.layers.")
