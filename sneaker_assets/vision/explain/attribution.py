"""What a price model looked at: how many dollars each part of a picture adds to its price.

Integrated gradients from an empty white page to the picture, through backbone and head, whatever the head: what is as
white as the page has no share, where the last feature map would put much of it beside the shoe. The shares sum to the
difference of the two prices, but only roughly: there are few steps, and the gradient of maximum pooling jumps.

Source: Sundararajan and others, "Axiomatic Attribution for Deep Networks", 2017, arXiv 1703.01365.
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
"""Points on the way from the white page to the picture, each a pass forwards and backwards."""

_PATCH = 1 / 12
"""Side of what shares are averaged over, as a share of the frame: single pixels are noise."""

HeatMaps = NDArray[np.float32]


def heat_maps(model: PriceModel, backbone: Backbone, pixels: Pixels, device: torch.device) -> HeatMaps:
    """What each part of a picture adds to its price, smooth enough to be looked at.

    Args:
        model: The model.
        backbone: The one that it was trained on.
        pixels: uint8 [n, height, width, 3], RGB, in the model's frame.
        device: Where to compute.

    Returns:
        float32 [n, height, width], US dollars a pixel, below 0 where the price is lowered.
    """
    shares = torch.from_numpy(contributions(model, backbone, pixels, device))
    side = 2 * round(_PATCH * min(shares.shape[1:]) / 2) + 1
    for _ in range(2):
        shares = functional.avg_pool2d(shares[:, None], side, stride=1, padding=side // 2)[:, 0]
    return np.asarray(shares)


def contributions(model: PriceModel, backbone: Backbone, pixels: Pixels, device: torch.device) -> HeatMaps:
    """The same pixel by pixel, as it is.

    The plain view alone is explained.
    """
    precision = backbone.precision(device)
    stages = backbone.ready(device, precision)
    head = copy.deepcopy(model.head).to(device)
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

    gradients = IntegratedGradients(price)
    page = torch.tensor(WHITE, dtype=torch.float32, device=device).reshape(1, 3, 1, 1)
    shares = []
    for picture in torch.from_numpy(pixels).permute(0, 3, 1, 2):
        image = picture[None].to(device, torch.float32)
        share = gradients.attribute(image, page.expand_as(image), n_steps=STEPS, internal_batch_size=4)
        shares.append(share.detach().sum(1)[0].float().cpu())
    return np.asarray(torch.stack(shares))
