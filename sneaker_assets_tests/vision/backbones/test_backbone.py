import pytest
import torch

from sneaker_assets.vision.backbones.architectures import BACKBONES, UnknownBackboneError
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.backbones.networks import count_parameters
from sneaker_assets.vision.backbones.weights_source import WeightsSource

CPU = torch.device("cpu")
WITHOUT_FINAL_RELU = {"convnext_tiny", "efficientnetv2"}
SLOW = ("vgg16_bn", "vgg19", "resnet101", "efficientnet_lite1", "efficientnet_lite2")


@pytest.mark.parametrize("name", [name for name in BACKBONES if name not in SLOW])
def test_every_backbone_computes_a_feature_map_and_folding_does_not_change_it(name: str) -> None:
    backbone = load_backbone(name, "local")
    images = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features, folded = backbone.network(images), backbone.ready(CPU, torch.float32)(images)
    assert features.ndim == 4
    assert not backbone.network.training
    # The random weights of efficientnetv2 amplify any rounding.
    assert name == "efficientnetv2" or float((folded - features).norm() / features.norm()) < 1e-4
    assert torch.isfinite(features).all()
    assert name in WITHOUT_FINAL_RELU or float(features.min()) >= 0


def test_random_weights_are_reproducible() -> None:
    first, second = load_backbone("resnet18", "none"), load_backbone("resnet18", "none")
    assert first.fingerprint == second.fingerprint
    assert first.weights == WeightsSource("random")


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [("mobilenet_v2", "13b9d99fe586c119"), ("resnet10", "269d0cb75d613ea8"), ("densenet121", "ebf0a2024ad241a7")],
)
def test_fingerprints_are_those_of_stored_models(name: str, fingerprint: str) -> None:
    assert load_backbone(name, "none").fingerprint.startswith(fingerprint)


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(UnknownBackboneError, match="unknown backbone 'vgg61'"):
        load_backbone("vgg61", "none")


def test_parameters_are_counted_without_the_classifier() -> None:
    backbone = load_backbone("resnet18", "none")
    assert count_parameters("resnet18") == sum(tensor.numel() for tensor in backbone.network.parameters())
    assert count_parameters("resnet18") == 11_176_512


def test_bfloat16_is_used_where_architecture_device_and_settings_allow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    safe, unsafe = load_backbone("resnet18", "none"), load_backbone("mobilenet_v2", "none")
    assert safe.precision(CPU) == torch.bfloat16
    assert safe.precision(CPU, allow_bfloat16=False) == torch.float32
    assert unsafe.precision(CPU) == torch.float32
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert safe.precision(CPU) == torch.float32
