import re
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet18

from sneaker_assets.torch_utils.device import choose_device
from sneaker_assets.vision.backbones.architectures import BACKBONES, UnknownBackboneError, get_architecture
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.backbones.weights import WeightsError, find_weights, read_weights

WITHOUT_RELU = {"convnext_tiny", "efficientnetv2"}


@pytest.mark.parametrize("name", [name for name in BACKBONES if name not in ("vgg16_bn", "vgg19", "resnet101")])
def test_every_backbone_gives_a_feature_map_of_its_frame(name: str) -> None:
    backbone = load_backbone(name, "none")
    images = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features, folded = backbone.network(images), backbone.ready(torch.device("cpu"), torch.float32)(images)
    assert features.ndim == 4
    assert not backbone.network.training
    # The random weights of efficientnetv2 amplify any rounding.
    assert name == "efficientnetv2" or torch.allclose(folded, features, atol=1e-3 * float(features.abs().max()))
    assert torch.isfinite(features).all()
    assert name in WITHOUT_RELU or float(features.min()) >= 0


def test_inception_takes_the_range_that_transform_input_would_give_it() -> None:
    architecture = get_architecture("inception_v3")
    assert (architecture.height, architecture.mean) == (299, (0.5, 0.5, 0.5))
    theirs = torchvision.models.inception_v3(weights=None, init_weights=False, transform_input=True)
    black = torch.full((1, 3, 8, 8), 0.0)
    usual = (
        torch.tensor(get_architecture("vgg16").mean).reshape(1, 3, 1, 1),
        torch.tensor(get_architecture("vgg16").deviation).reshape(1, 3, 1, 1),
    )
    ours = (black - 0.5) / 0.5
    assert torch.allclose(theirs._transform_input((black - usual[0]) / usual[1]), ours, atol=1e-6)


def test_random_weights_are_the_same_every_time_and_said_to_be_random() -> None:
    first, second = load_backbone("resnet18", "none"), load_backbone("resnet18", "none")
    assert first.fingerprint == second.fingerprint
    assert first.weights.startswith("random")


def test_an_unknown_backbone_lists_those_known() -> None:
    with pytest.raises(UnknownBackboneError, match=r"'vgg61'.*vgg16, .*mobilenet_v2"):
        load_backbone("vgg61", "none")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_weights_come_from_the_folder_where_it_has_them(tmp_path: Path, suffix: str) -> None:
    model = torchvision.models.resnet18(weights=None)
    nn.init.constant_(model.conv1.weight, 0.5)
    file = tmp_path / f"resnet18-1234.{suffix}"
    if suffix == "pth":
        torch.save(model.state_dict(), file)
    else:
        save_file(model.state_dict(), file)
    backbone = load_backbone("resnet18", "auto", tmp_path)
    assert backbone.weights == f"file {file.name}"
    assert torch.equal(backbone.network.get_parameter("0.weight"), model.conv1.weight)
    assert find_weights("resnet1", tmp_path) is None


def test_the_published_densenet_weights_are_read_by_their_older_names(tmp_path: Path) -> None:
    model = torchvision.models.densenet121(weights=None)
    older = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): t for key, t in model.state_dict().items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in older
    save_file(older, tmp_path / "densenet121.safetensors")
    network = load_backbone("densenet121", "auto", tmp_path).network
    assert torch.equal(network.get_parameter("0.conv0.weight"), model.features.conv0.weight)


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "mobilenet_v2-x.pth")
    with pytest.raises(
        WeightsError, match=r"mobilenet_v2-x.pth does not hold weights of this network \(missing: .* more; not of"
    ):
        load_backbone("mobilenet_v2", "auto", tmp_path)


def test_weights_in_half_precision_are_those_of_a_whole_network(tmp_path: Path) -> None:
    state = {key: t.bfloat16() if t.is_floating_point() else t for key, t in resnet18().state_dict().items()}
    save_file(state, tmp_path / "resnet18.safetensors")
    network = load_backbone("resnet18", "auto", tmp_path).network
    assert network.get_parameter("0.weight").dtype == torch.float32


@pytest.mark.parametrize("content", [torch.ones(3), {"state_dict": {}, "epoch": 3}])
def test_a_checkpoint_that_is_no_state_dict_is_named(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "resnet18.pth")
    with pytest.raises(WeightsError, match=r"resnet18.pth holds no state dict: save model.state_dict\(\) alone"):
        load_backbone("resnet18", "auto", tmp_path)


def test_a_weights_file_that_was_cut_short_is_named(tmp_path: Path) -> None:
    for name in ("resnet18.pth", "resnet18.safetensors"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 half of it")
        with pytest.raises(WeightsError, match=rf"{name} is no state dict that can be read"):
            read_weights(tmp_path / name)


def test_a_weights_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere is not there.*SNEAKER_WEIGHTS"):
        load_backbone("mobilenet_v2", "auto", tmp_path / "nowhere")


def test_weights_that_cannot_be_downloaded_say_where_to_put_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(
        WeightsError, match=r"mobilenet_v2 cannot be downloaded.*put mobilenet_v2-\w+.pth.*weights: none"
    ):
        load_backbone("mobilenet_v2", "imagenet")


def test_devices_are_chosen_by_name() -> None:
    assert choose_device("cpu").type == "cpu"
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        choose_device("gpu")
    if not torch.cuda.is_available():
        assert choose_device("auto").type == "cpu"
        with pytest.raises(ValueError, match="no usable GPU"):
            choose_device("cuda")
