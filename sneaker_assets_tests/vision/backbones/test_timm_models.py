"""Networks of timm are those of the whole package, which can still be imported afterwards."""

import subprocess
import sys
from pathlib import Path

import pytest

from sneaker_assets.vision.backbones import timm_models

_CHECK = """
import sys
import torch
from sneaker_assets.vision.backbones.timm_models import create_timm_model, timm_input

torch.manual_seed(0)
ours = create_timm_model("tf_efficientnet_lite0")
config = timm_input("tf_efficientnet_lite0")
assert "timm" not in sys.modules and "timm.models.convnext" not in sys.modules
import timm

torch.manual_seed(0)
whole = timm.create_model("tf_efficientnet_lite0")
assert all(torch.equal(tensor, ours.state_dict()[name]) for name, tensor in whole.state_dict().items())
assert (config.mean, config.input_size) == (whole.pretrained_cfg["mean"], whole.pretrained_cfg["input_size"])
assert timm.create_model("resnet10t").num_classes == 1000
"""


@pytest.mark.slow
def test_part_of_timm_builds_the_network_of_the_whole_package() -> None:
    result = subprocess.run([sys.executable, "-c", _CHECK], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_whole_package_is_imported_where_a_part_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(folder: Path, module: str) -> None:
        raise ImportError(f"{module} of {folder} needs the whole package")

    monkeypatch.setattr(timm_models, "_part", unavailable)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    timm_models._module_of.cache_clear()
    try:
        assert timm_models.timm_input("tf_efficientnet_lite0").input_size == (3, 224, 224)
    finally:
        timm_models._module_of.cache_clear()
