"""The GPU benchmark where only a few libraries are: everything else the package depends on is kept from it."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
THERE = {"torch", "torchvision", "timm", "numpy", "pandas", "pyarrow", "pillow", "scipy", "safetensors"}
"""Of what the package depends on; scikit-learn brings scipy."""
MODULES = {"beautifulsoup4": "bs4", "faiss-cpu": "faiss", "universal-pathlib": "upath"}
KEPT_AWAY = """
import sys

class Others:
    finders = sys.meta_path[:]

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            return None
        found = (finder.find_spec(name, path, target) for finder in self.finders)
        return next((spec for spec in found if spec is not None), None)

sys.meta_path[:] = [Others()]
"""


def absent() -> set[str]:
    lines = [line for line in importlib.metadata.requires("sneaker-assets") or [] if "extra ==" not in line]
    wanted = [re.split(r"[\[<>=~; ]", line)[0] for line in lines]
    names = [name for name in wanted if name not in THERE]
    return {MODULES.get(name, name.replace("-", "_")) for name in names}


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "sitecustomize.py").write_text(KEPT_AWAY.format(absent=absent() - {"sneaker_assets"}))
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), *arguments],
        check=False, capture_output=True, text=True, env=environment, cwd=tmp_path,
    )  # fmt: skip


def test_without_a_gpu_it_says_so_in_one_line(tmp_path: Path) -> None:
    assert {"dagster", "pandera", "upath", "requests"} <= absent()
    result = run(tmp_path)
    assert result.returncode == 2, result.stderr
    assert result.stdout == "not run: there is no GPU here (--device cpu --images 64 tries it)\n"


def test_it_can_be_tried_on_a_cpu_and_goes_through_every_stage(tmp_path: Path) -> None:
    result = run(tmp_path, "--device", "cpu", "--images", "10", "--batch", "5", "--json", str(tmp_path / "gpu.json"))
    assert result.returncode == 0, result.stderr
    summary = json.loads((tmp_path / "gpu.json").read_text())
    assert summary == json.loads(result.stdout.splitlines()[-1])
    assert list(summary["seconds"]) == ["decode", "upload", "features", "head", "evaluation"]
    assert not summary["holds"]
    assert summary["images"] == 10
