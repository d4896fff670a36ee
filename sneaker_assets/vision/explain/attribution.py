"""Attribution maps of a price model: how many US dollars each pixel contributes to the predicted price.

Integrated gradients from a white image to the picture, through backbone and head of any kind. White pixels get no
attribution, whereas methods on the last feature map assign much of it to the background. The attributions sum to the
difference between the two prices only approximately, because few steps are taken and the gradient of max pooling is
discontinuous.

Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017, arXiv 1703.01365.
captum: https://captum.ai/api/integrated_gradients.html
"""

import copy

import numpy as np
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sneaker_assets.vision.backbones.backbone import Backbone
from sneaker_assets.vision.features.extractor import feature_maps, summarise
from sneaker_assets.vision.imaging.decoding import WHITE, Pixels
from sneaker_assets.vision.pricing.price_model import PriceModel

STEPS = 10
"""Integration steps between the white image and the picture, each a forward and a backward pass."""

_PATCH = 1 / 12
"""Side of the smoothing window as a share of the frame's shorter side; single pixels are too noisy to interpret."""

AttributionMaps = NDArray[np.float32]


def attribution_maps(model: PriceModel, backbone: Backbone, pixels: Pixels, device: torch.device) -> AttributionMaps:
    """Attribution of the predicted price to each pixel, smoothed for display.

    Args:
        model: The price model.
        backbone: The backbone it was trained on.
        pixels: uint8 [n, height, width, 3], RGB, in the model's frame.
        device: Where to compute.

    Returns:
        float32 [n, height, width], US dollars per pixel; negative where a pixel lowers the price.
    """
    maps = torch.from_numpy(pixel_attributions(model, backbone, pixels, device))
    side = 2 * round(_PATCH * min(maps.shape[1:]) / 2) + 1
    for _ in range(2):
        maps = functional.avg_pool2d(maps[:, None], side, stride=1, padding=side // 2)[:, 0]
    return np.asarray(maps)


def pixel_attributions(model: PriceModel, backbone: Backbone, pixels: Pixels, device: torch.device) -> AttributionMaps:
    """Attribution of the predicted price to each pixel by integrated gradients, without smoothing.

    Only the plain view is explained, also for a model that averages over views.

    Args:
        model: The price model.
        backbone: The backbone it was trained on.
        pixels: uint8 [n, height, width, 3], RGB, in the model's frame.
        device: Where to compute.

    Returns:
        float32 [n, height, width], US dollars per pixel, summed over the colour channels.
    """
    precision = backbone.precision(device)
    stages = backbone.ready(device, precision)
    head = copy.deepcopy(model.head).to(device)
    head.price_range = None  # beyond the range, clipped prices have no gradient
    mean, deviation = (
        torch.tensor(colour, device=device).reshape(1, 3, 1, 1) * 255
        for colour in (backbone.input.mean, backbone.input.deviation)
    )

    def price(images: Tensor) -> Tensor:
        prices: Tensor = head(
            summarise(
                feature_maps(stages, ((images - mean) / deviation).to(precision)), model.config["features"]["keep"]
            )
        )
        return prices

    integrated_gradients = IntegratedGradients(price)
    white = torch.tensor(WHITE, dtype=torch.float32, device=device).reshape(1, 3, 1, 1)
    maps = []
    for picture in torch.from_numpy(pixels).permute(0, 3, 1, 2):
        image = picture[None].to(device, torch.float32)
        attribution = integrated_gradients.attribute(
            image, white.expand_as(image), n_steps=STEPS, internal_batch_size=4
        )
        maps.append(attribution.detach().sum(1)[0].float().cpu())
    return np.asarray(torch.stack(maps))
