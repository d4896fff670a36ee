import numpy as np
import pytest
import torch
from torch import nn
from upath import UPath

from sneaker_assets.vision.backbones.architectures import Architecture, InputSpec
from sneaker_assets.vision.backbones.backbone import Backbone
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.explain.attribution import attribution_maps, pixel_attributions
from sneaker_assets.vision.heads.networks import build_head
from sneaker_assets.vision.imaging.decoding import read_image
from sneaker_assets.vision.pricing.price_model import PriceModel
from sneaker_assets.vision.settings import HeadKind, HeadSettings
from sneaker_assets_tests.builders import drawn_shoe
from sneaker_assets_tests.champion import CPU, Champion

pytestmark = pytest.mark.slow


def test_attributions_of_a_linear_model_are_its_weights() -> None:
    network = nn.Conv2d(3, 1, 8, stride=8, bias=False).requires_grad_(requires_grad=False)
    network.weight.fill_(1 / 192)
    pixel_scale = InputSpec(mean=(0.0, 0.0, 0.0), deviation=(1.0, 1.0, 1.0))
    backbone = Backbone(Architecture("plain"), network, WeightsSource("random"), "", pixel_scale)
    head = build_head(HeadSettings(kind="ridge"), n_features=2).eval()
    linear = head.get_submodule("body.0")
    linear.load_state_dict({"weight": torch.tensor([[500.0, 0.0]]), "bias": torch.tensor([20.0])})
    model = PriceModel(UPath("nowhere"), head, {"features": {"keep": "pooled"}})
    pixels = np.full((1, 16, 16, 3), 255, dtype=np.uint8)
    pixels[0, :4, :4] = 102
    attributions = pixel_attributions(model, backbone, pixels, CPU)
    assert attributions[0, :4, :4] == pytest.approx(np.full((4, 4), -500 * 0.6 / 256), rel=1e-4)
    assert not attributions[0, 4:].any()
    assert not attributions[0, :, 4:].any()


@pytest.mark.parametrize("kind", ["ridge", "kernel_ridge", "pooled", "mixed"])
def test_every_head_has_attributions_and_a_white_image_has_none(champion: Champion, kind: HeadKind) -> None:
    model, _ = champion.train(HeadSettings(kind=kind, epochs=5))
    pixels = np.stack([read_image(champion.lake.image(champion.listings["sha256"].iloc[0]), model.frame)])
    attributions = pixel_attributions(model, champion.backbone, pixels, CPU)
    assert attributions.shape == pixels.shape[:3]
    assert attributions.dtype == np.float32
    assert np.isfinite(attributions).all()
    assert np.abs(attributions).sum() > 1
    assert not pixel_attributions(model, champion.backbone, np.full_like(pixels, 255), CPU).any()


def test_attribution_maps_concentrate_on_the_shoe(champion: Champion) -> None:
    pixels = np.stack([champion.model.frame.apply(drawn_shoe().convert("RGB"))])
    attribution = np.abs(attribution_maps(champion.pricer, (pixels,)))[0]
    shoe = (pixels[0] < 250).any(axis=2)
    assert attribution.shape == shoe.shape
    assert attribution[shoe].mean() > 3 * attribution[~shoe].mean()
