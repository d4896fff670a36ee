import re
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet18

from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.backbones.weights import WeightsError, find_weights, read_weights
from sneaker_assets.vision.backbones.weights_source import WeightsSource


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_in_the_weights_folder_is_loaded(tmp_path: Path, suffix: str) -> None:
    model = torchvision.models.resnet18(weights=None)
    nn.init.constant_(model.conv1.weight, 0.5)
    file = tmp_path / f"resnet18-1234.{suffix}"
    if suffix == "pth":
        torch.save(model.state_dict(), file)
    else:
        save_file(model.state_dict(), file)
    backbone = load_backbone("resnet18", "auto", tmp_path)
    assert backbone.weights == WeightsSource("file", file.name)
    assert torch.equal(backbone.network.get_parameter("0.weight"), model.conv1.weight)
    assert find_weights("resnet1", tmp_path) is None


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        (["resnet18-a.pth", "resnet18-b.pth"], r"resnet18-a\.pth, resnet18-b\.pth"),
        (["resnet18.safetensors", "resnet18.pth"], r"resnet18\.pth, resnet18\.safetensors"),
    ],
)
def test_several_files_for_a_backbone_are_named(tmp_path: Path, names: list[str], listed: str) -> None:
    for name in (*names, "resnet50.pth", "resnet18_other.pth"):
        (tmp_path / name).touch()
    with pytest.raises(WeightsError, match=rf"several weight files for resnet18: {listed}; keep one of them"):
        load_backbone("resnet18", "auto", tmp_path)
    assert find_weights("resnet50", tmp_path) == tmp_path / "resnet50.pth"


def test_published_densenet_weights_are_read_by_their_older_names(tmp_path: Path) -> None:
    model = torchvision.models.densenet121(weights=None)
    older = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): t for key, t in model.state_dict().items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in older
    save_file(older, tmp_path / "densenet121.safetensors")
    network = load_backbone("densenet121", "auto", tmp_path).network
    assert torch.equal(network.get_parameter("0.conv0.weight"), model.features.conv0.weight)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "mobilenet_v2-x.pth")
    with pytest.raises(
        WeightsError,
        match=r"mobilenet_v2-x.pth does not contain weights of this network \(missing: .* more; unexpected",
    ):
        load_backbone("mobilenet_v2", "auto", tmp_path)


def test_weights_in_half_precision_are_converted(tmp_path: Path) -> None:
    state = {key: t.bfloat16() if t.is_floating_point() else t for key, t in resnet18().state_dict().items()}
    save_file(state, tmp_path / "resnet18.safetensors")
    network = load_backbone("resnet18", "auto", tmp_path).network
    assert network.get_parameter("0.weight").dtype == torch.float32


@pytest.mark.parametrize("content", [torch.ones(3), {"state_dict": {}, "epoch": 3}])
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "resnet18.pth")
    with pytest.raises(
        WeightsError, match=r"resnet18.pth does not contain a state dict: save model.state_dict\(\) alone"
    ):
        load_backbone("resnet18", "auto", tmp_path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    for name in ("resnet18.pth", "resnet18.safetensors"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 half of it")
        with pytest.raises(WeightsError, match=rf"{name} is not a readable state dict"):
            read_weights(tmp_path / name)


def test_a_missing_weights_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere does not exist.*SNEAKER_WEIGHTS"):
        load_backbone("mobilenet_v2", "auto", tmp_path / "nowhere")


def test_a_failed_download_says_where_to_put_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(
        WeightsError, match=r"mobilenet_v2 cannot be downloaded.*put mobilenet_v2-\w+.pth.*weights: none"
    ):
        load_backbone("mobilenet_v2", "imagenet")
