import logging

import pytest
import timm
import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from timm.layers.std_conv import StdConv2d
from torch import Tensor, nn

from sneaker_assets.vision.backbones.architectures import BACKBONES
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.backbones.folding import SameConv2d, fold_batch_norms

pytestmark = pytest.mark.slow

PARTLY_FOLDED = {"densenet121"}
"""Networks with batch norms before convolutions."""

SLOW = ("vgg16_bn", "vgg19", "resnet101")


def count_norms(network: nn.Module) -> int:
    """Number of batch norms in a network."""
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def with_statistics(network: nn.Module) -> nn.Module:
    """The network in double precision with batch norms as after training, so that folding them changes weights."""
    rng = torch.Generator().manual_seed(0)
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        if norm.track_running_stats:
            norm.get_buffer("running_mean").normal_(0, 0.1, generator=rng)
            norm.get_buffer("running_var").uniform_(0.8, 1.25, generator=rng)
        norm.weight.data.uniform_(0.8, 1.25, generator=rng)
        norm.bias.data.normal_(0, 0.1, generator=rng)
    return network.double().eval().requires_grad_(requires_grad=False)


def difference(network: nn.Module, folded: nn.Module, images: Tensor) -> float:
    """Relative L2 difference of the outputs of two networks."""
    expected, found = network(images), folded(images)
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("name", [name for name in BACKBONES if name not in SLOW])
def test_batch_norms_of_every_backbone_are_folded_without_changing_its_features(name: str) -> None:
    network = with_statistics(load_backbone(name, "none").network)
    before = count_norms(network)
    folded = fold_batch_norms(network)
    images = torch.randn(1, 3, 75, 96, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert difference(network, folded, images) < 1e-4
    assert count_norms(network) == before
    assert count_norms(folded) == 0 or name in PARTLY_FOLDED
    assert count_norms(folded) < before or before == 0


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(12, 12), (11, 11), (12, 7), (3, 5), (1, 2)])
def test_same_padding_within_the_convolution_is_that_of_timm(kernel: int, stride: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    conv = Conv2dSame(6, 6, kernel, stride, groups=6)
    images = torch.randn(2, 6, *size)
    assert torch.allclose(SameConv2d(conv)(images), conv(images), atol=1e-6)


def test_depthwise_convolutions_with_same_padding_do_not_pad_copies() -> None:
    network = timm.create_model("tf_efficientnet_lite0").eval()
    assert sum(isinstance(module, SameConv2d) for module in fold_batch_norms(network).modules()) == 4


def test_the_activation_of_a_batch_norm_is_kept() -> None:
    network = with_statistics(nn.Sequential(nn.Conv2d(3, 4, 3), BatchNormAct2d(4, act_layer=nn.ReLU6)))
    folded = fold_batch_norms(network)
    images = 20 * torch.randn(2, 3, 8, 8, dtype=torch.float64)
    assert count_norms(folded) == 0
    assert difference(network, folded, images) < 1e-9
    assert (float(folded(images).min()), float(folded(images).max())) == (0, 6)


class TwoReaders(nn.Module):
    """A convolution whose output is also used without the batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.conv(images)
        output: Tensor = features + self.norm(features)
        return output


class SharedConvolution(nn.Module):
    """A convolution that is called twice, followed by a batch norm once."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.conv(images))
        output: Tensor = normed.mean() + self.conv(images)
        return output


@pytest.mark.parametrize(
    "network",
    [
        TwoReaders(),
        SharedConvolution(),
        nn.Sequential(StdConv2d(3, 4, 3), nn.BatchNorm2d(4)),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
    ],
    ids=["two readers", "shared convolution", "standardised weights", "activation between", "batch statistics"],
)
def test_batch_norms_that_folding_would_change_are_kept(network: nn.Module) -> None:
    network = with_statistics(network)
    folded = fold_batch_norms(network)
    assert count_norms(folded) == 1
    assert difference(network, folded, torch.randn(2, 3, 8, 8, dtype=torch.float64)) < 1e-9


class DependsOnContent(nn.Module):
    """A batch norm behind a condition on pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.norm(self.conv(images)) if images.sum() > 0 else self.conv(images)
        return features


def test_a_network_that_cannot_be_traced_is_copied(caplog: pytest.LogCaptureFixture) -> None:
    network = with_statistics(DependsOnContent())
    with caplog.at_level(logging.DEBUG):
        plain = fold_batch_norms(network)
    assert "batch norms are not folded" in caplog.text
    assert plain is not network
    assert [type(module) for module in plain.modules()] == [type(module) for module in network.modules()]
