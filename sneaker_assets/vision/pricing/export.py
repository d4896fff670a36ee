"""Exports a price model to files that run without this project, as a ``torch.export`` program and as ONNX.

The exported network takes uint8 pixels in the model's frame and includes normalisation, backbone and head; that of an
ensemble includes all members and takes one input for each distinct frame. Both files describe their inputs as JSON
(name, height, width and fit): ONNX in the metadata property ``inputs``, the program in the extra file ``inputs.json``.
They are compared with the original on real pictures before they are kept. ONNX needs the extra ``export``.

torch.export: https://docs.pytorch.org/docs/stable/export.html  ONNX: https://onnx.ai
"""

import copy
import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from upath import UPath

from sneaker_assets import lake
from sneaker_assets.errors import SneakerError
from sneaker_assets.vision.backbones.backbone import Backbone
from sneaker_assets.vision.features.extractor import Normalise, feature_maps, summarise
from sneaker_assets.vision.heads.networks import EnsembleBody, KernelBody
from sneaker_assets.vision.imaging.decoding import Pixels, read_batches
from sneaker_assets.vision.pricing.ensemble_model import Model
from sneaker_assets.vision.pricing.member_features import frames_of
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.settings import Keep

PROGRAM, ONNX, INPUTS = "program.pt2", "model.onnx", "inputs.json"

TOLERANCE = 1e-3
"""Maximum relative price difference tolerated."""


class ExportError(SneakerError, RuntimeError):
    """The model cannot be exported, or the export predicts other prices; the message says what to do."""


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        folder: The folder of the exported files.
        differences: Maximum relative price difference from the original, by file name.
    """

    folder: UPath
    differences: dict[str, float]


class PixelPricer(nn.Module):
    """A price model as one network: pixels uint8 [n, height, width, 3] in RGB to prices float32 [n] in US dollars.

    Args:
        model: The price model or ensemble.
        backbones: The backbone of each member.
    """

    shares: Tensor

    def __init__(self, model: Model, backbones: Sequence[Backbone]) -> None:
        super().__init__()
        frames = frames_of(model)
        self.members = nn.ModuleList(map(_MemberPricer, model.members, backbones))
        self.inputs = [frames.index(member.frame) for member in model.members]
        self.register_buffer("shares", torch.tensor(model.shares))

    def forward(self, *pixels: Tensor) -> Tensor:
        """Predict prices.

        Args:
            *pixels: uint8 [n, height, width, 3] in each of the model's frames, RGB.

        Returns:
            float32 [n], US dollars.
        """
        prices = [member(pixels[number]) for member, number in zip(self.members, self.inputs, strict=True)]
        return self.shares @ torch.stack(prices)


class _MemberPricer(nn.Module):
    """A single member as a network from pixels to prices."""

    def __init__(self, model: PriceModel, backbone: Backbone) -> None:
        super().__init__()
        self.normalise = Normalise(backbone)
        self.stages = backbone.ready(torch.device("cpu"), torch.float32)
        self.head = copy.deepcopy(model.head)
        body = self.head.body
        if isinstance(body, KernelBody):
            self.head.body = _PlainKernel(body)
        elif isinstance(body, EnsembleBody):
            body.kernel = _PlainKernel(cast("KernelBody", body.kernel))
        self.views = model.views
        self.keep: Keep = model.config["features"]["keep"]

    def forward(self, pixels: Tensor) -> Tensor:
        images = self.normalise(pixels.permute(0, 3, 1, 2))
        features = torch.stack([self._features(images, mirrored=view == "mirrored") for view in self.views])
        return self.head.to_dollars(self.head.predict_standardized_views(features))

    def _features(self, images: Tensor, *, mirrored: bool) -> Tensor:
        maps = feature_maps(self.stages, images.flip(3) if mirrored else images)
        return summarise(maps, self.keep, mirrored=mirrored)


class _PlainKernel(nn.Module):
    """An RBF kernel that computes distances in the same way for any batch size, which ``torch.export`` requires."""

    support: Tensor
    coefficients: Tensor
    gamma: Tensor
    squared: Tensor

    def __init__(self, kernel: KernelBody) -> None:
        super().__init__()
        for name in ("support", "coefficients", "gamma"):
            self.register_buffer(name, getattr(kernel, name))
        self.register_buffer("squared", kernel.support.square().sum(1))

    def forward(self, standardised: Tensor) -> Tensor:
        """Standardised features [N, D] to the standardised target [N], as ``KernelBody`` does."""
        products = standardised @ self.support.T
        distances = standardised.square().sum(1, keepdim=True) + self.squared - 2 * products
        return (-self.gamma * distances.clamp(min=0) / self.support.shape[1]).exp() @ self.coefficients


def export(folder: UPath, model: Model, backbones: Sequence[Backbone], images: Sequence[UPath]) -> Exported:
    """Export a model and compare the exported files with the original.

    Args:
        folder: Folder for the files; it is written completely or not at all.
        model: The price model or ensemble.
        backbones: The backbone of each member.
        images: Pictures to compare predictions on.

    Returns:
        The folder, and the differences found.

    Raises:
        ExportError: There are no pictures, onnx is not installed, or a file predicts other prices.
        UnreadableImageError: An image does not decode.
        LakeError: The folder cannot be written.
    """
    missing = [name for name in ("onnx", "onnxruntime", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(f"{', '.join(missing)} not installed: pip install 'sneaker-assets[export]'")
    if not images:
        raise ExportError("an export is checked on real pictures, and there are none: crawl some first")
    pixels = [np.concatenate(list(read_batches(images, 32, frame))) for frame in frames_of(model)]
    network = PixelPricer(model, backbones).eval()
    with torch.inference_mode():
        prices = network(*map(torch.from_numpy, pixels)).numpy()
    with lake.new_folder(folder) as scratch:
        _write(network, pixels, describe_inputs(model), scratch)
        differences = {
            PROGRAM: _difference(prices, _program_prices(scratch / PROGRAM, pixels)),
            ONNX: _difference(prices, _onnx_prices(scratch / ONNX, pixels)),
        }
        wrong = {name: value for name, value in differences.items() if not value <= TOLERANCE}
        if wrong:
            raise ExportError(
                f"the export of {model.folder} predicts other prices (relative differences {wrong}): it was discarded"
            )
    return Exported(folder, differences)


def describe_inputs(model: Model) -> list[dict[str, str | int]]:
    """The inputs of an exported model, in order.

    Args:
        model: The price model or ensemble.

    Returns:
        ``name`` (``pixels``, or ``pixels_<number>`` where there are several), ``height`` and ``width`` in pixels, and
        ``fit``, how a picture is fitted into the frame, of each. All are uint8 [n, height, width, 3], RGB.
    """
    frames = frames_of(model)
    names = ["pixels"] if len(frames) == 1 else [f"pixels_{number}" for number in range(1, len(frames) + 1)]
    return [
        {"name": name, "height": frame.height, "width": frame.width, "fit": frame.fit}
        for name, frame in zip(names, frames, strict=True)
    ]


def _write(
    network: nn.Module, pixels: Sequence[Pixels], inputs: Sequence[Mapping[str, str | int]], folder: Path
) -> None:
    # A batch of one would be specialised to a constant.
    examples = tuple(torch.from_numpy(np.resize(framed, (2, *framed.shape[1:]))) for framed in pixels)
    n = torch.export.Dim("n", min=1)
    with torch.no_grad():
        program = torch.export.export(network, examples, dynamic_shapes=(tuple({0: n} for _ in examples),))
    described = json.dumps(inputs)
    torch.export.save(program, folder / PROGRAM, extra_files={INPUTS: described})
    names = [str(one["name"]) for one in inputs]
    exported = torch.onnx.export(program, dynamo=True, input_names=names, output_names=["price"], verbose=False)
    assert exported is not None
    exported.model.metadata_props["inputs"] = described
    exported.save(folder / ONNX)


def _program_prices(path: Path, pixels: Sequence[Pixels]) -> NDArray[np.float32]:
    program = torch.export.load(path).module()
    with torch.inference_mode():
        prices: NDArray[np.float32] = program(*map(torch.from_numpy, pixels)).numpy()
    return prices


def _onnx_prices(path: Path, pixels: Sequence[Pixels]) -> NDArray[np.float32]:
    import onnxruntime  # noqa: PLC0415 - of the extra `export`

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    prices: NDArray[np.float32] = session.run(None, dict(zip(names, pixels, strict=True)))[0]
    return prices


def _difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.max(np.abs(other - one) / np.maximum(np.abs(one), 1.0)))
