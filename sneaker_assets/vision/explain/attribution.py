"""Attribution maps of a price model: how many US dollars each pixel contributes to the predicted price.

Integrated gradients from a white image to the picture, through backbone and head of any kind. White pixels get no
attribution, whereas methods on the last feature map assign much of it to the background. The attributions sum to the
difference between the two prices only approximately, because few steps are taken and the gradient of max pooling is
discontinuous. The map of an ensemble is the weighted sum of those of its members.

Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017, arXiv 1703.01365.
captum: https://captum.ai/api/integrated_gradients.html
"""

import copy

import numpy as np
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from sneaker_assets.vision.backbones.backbone import Backbone
from sneaker_assets.vision.features.extractor import feature_maps, summarise
from sneaker_assets.vision.imaging.crops import find_content_box
from sneaker_assets.vision.imaging.decoding import WHITE, Pixels
from sneaker_assets.vision.pricing.member_features import FramedPixels
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.pricing.pricer import Pricer

STEPS = 10
"""Integration steps between the white image and the picture, each a forward and a backward pass."""

_PATCH = 1 / 12
"""Side of the smoothing window as a share of the frame's shorter side; single pixels are too noisy to interpret."""

AttributionMaps = NDArray[np.float32]


def attribution_maps(pricer: Pricer, pixels: FramedPixels) -> AttributionMaps:
    """Attribution of the predicted price to each pixel, smoothed for display.

    Args:
        pricer: The price model.
        pixels: One uint8 [n, height, width, 3] for each of the model's frames, RGB.

    Returns:
        float32 [n, height, width] in the first frame, US dollars per pixel; negative where a pixel lowers the price.
    """
    framed = dict(zip(pricer.frames, pixels, strict=True))
    total = np.zeros(pixels[0].shape[:3], dtype=np.float32)
    for member, share, backbone in zip(pricer.model.members, pricer.model.shares, pricer.backbones, strict=True):
        own = pixel_attributions(member, backbone, framed[member.frame], pricer.device)
        total += share * _in_other_frame(own, framed[member.frame], pixels[0])
    return _smooth(total)


def _smooth(attributions: AttributionMaps) -> AttributionMaps:
    maps = torch.from_numpy(attributions)
    side = 2 * round(_PATCH * min(maps.shape[1:]) / 2) + 1
    for _ in range(2):
        maps = functional.avg_pool2d(maps[:, None], side, stride=1, padding=side // 2)[:, 0]
    return np.asarray(maps)


def _in_other_frame(attributions: AttributionMaps, own: Pixels, other: Pixels) -> AttributionMaps:
    """Attributions of pictures in one frame, moved to where another frame shows the same content.

    Every fit moves and scales a picture along its axes, so that the boxes of what is not white correspond. The white
    around them has no attribution.

    Args:
        attributions: float32 [n, height, width], US dollars per pixel.
        own: uint8 [n, height, width, 3], the pictures in the frame of the attributions.
        other: uint8 [n, height', width', 3], the same pictures in the other frame.

    Returns:
        float32 [n, height', width'], with the same sum over the boxes.
    """
    if own is other:
        return attributions
    moved = np.zeros(other.shape[:3], dtype=np.float32)
    for attribution, before, after, target in zip(attributions, own, other, moved, strict=True):
        left, top, right, bottom = find_content_box(Image.fromarray(before))
        inside = torch.from_numpy(attribution[top:bottom, left:right].copy())[None, None]
        left, top, right, bottom = find_content_box(Image.fromarray(after))
        size = (bottom - top, right - left)
        resized = functional.interpolate(inside, size, mode="bilinear", antialias=True)
        scale = inside.numel() / resized.numel()
        target[top:bottom, left:right] = resized[0, 0].numpy() * scale
    return moved


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
