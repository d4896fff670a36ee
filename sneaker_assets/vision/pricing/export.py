"""Exports a price model to files that run without this project, as a ``torch.export`` program and as ONNX.

The exported network takes uint8 pixels in the model's frame and includes normalisation, backbone and head. Both files
are compared with the original on real pictures before they are kept. ONNX needs the extra ``export``.

torch.export: https://docs.pytorch.org/docs/stable/export.html  ONNX: https://onnx.ai
"""

import copy
import importlib.util
from collections.abc import Sequence
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
from sneaker_assets.vision.imaging.decoding import Frame, read_batches
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.settings import Keep

PROGRAM, ONNX = "program.pt2", "model.onnx"

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
    """A price model as one network: pixels uint8 [n, height, width, 3] in RGB to prices float32 [n] in US dollars."""

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
        """Predict prices.

        Args:
            pixels: uint8 [n, height, width, 3], RGB.

        Returns:
            float32 [n], US dollars.
        """
        images = self.normalise(pixels.permute(0, 3, 1, 2))
        seen = [images.flip(3) if view == "mirrored" else images for view in self.views]
        features = torch.stack([summarise(feature_maps(self.stages, view), self.keep) for view in seen])
        return self.head.to_dollars(self.head.predict_standardized_views(features))


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


def export(folder: UPath, model: PriceModel, backbone: Backbone, images: Sequence[UPath]) -> Exported:
    """Export a model and compare the exported files with the original.

    Args:
        folder: Folder for the files; it is written completely or not at all.
        model: The model.
        backbone: The backbone that the model was trained on.
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
    height, width = model.config["features"]["frame"]
    frame = Frame(height, width, model.config["features"]["fit"])
    pixels = np.concatenate(list(read_batches(images, 32, frame)))
    network = PixelPricer(model, backbone).eval()
    with torch.inference_mode():
        prices = network(torch.from_numpy(pixels)).numpy()
    with lake.new_folder(folder) as scratch:
        _write(network, pixels, scratch)
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


def _write(network: nn.Module, pixels: NDArray[np.uint8], folder: Path) -> None:
    # A batch of one would be specialised to a constant.
    example = torch.from_numpy(np.resize(pixels, (2, *pixels.shape[1:])))
    shapes = ({0: torch.export.Dim("n", min=1)},)
    with torch.no_grad():
        program = torch.export.export(network, (example,), dynamic_shapes=shapes)
    torch.export.save(program, folder / PROGRAM)
    exported = torch.onnx.export(program, dynamo=True, input_names=["pixels"], output_names=["price"], verbose=False)
    assert exported is not None
    exported.save(folder / ONNX)


def _program_prices(path: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    program = torch.export.load(path).module()
    with torch.inference_mode():
        prices: NDArray[np.float32] = program(torch.from_numpy(pixels)).numpy()
    return prices


def _onnx_prices(path: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    import onnxruntime  # noqa: PLC0415 - of the extra `export`

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    prices: NDArray[np.float32] = session.run(None, {"pixels": pixels})[0]
    return prices


def _difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.max(np.abs(other - one) / np.maximum(np.abs(one), 1.0)))
