"""The GPU benchmark in an environment with only the libraries that it needs; all other dependencies are hidden."""

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
AVAILABLE = {"torch", "torchvision", "timm", "numpy", "pandas", "pyarrow", "pillow", "scipy", "safetensors", "pydantic"}
"""Dependencies of the benchmark; scipy is one of scikit-learn."""
MODULES = {"beautifulsoup4": "bs4", "faiss-cpu": "faiss", "universal-pathlib": "upath"}
HIDE_OTHERS = """
import sys

class Hidden:
    finders = sys.meta_path[:]

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden}:
            return None
        found = (finder.find_spec(name, path, target) for finder in self.finders)
        return next((spec for spec in found if spec is not None), None)

sys.meta_path[:] = [Hidden()]
"""


def hidden() -> set[str]:
    lines = [line for line in importlib.metadata.requires("sneaker-assets") or [] if "extra ==" not in line]
    required = [re.split(r"[\[<>=~; ]", line)[0] for line in lines]
    names = [name for name in required if name not in AVAILABLE]
    return {MODULES.get(name, name.replace("-", "_")) for name in names}


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "sitecustomize.py").write_text(HIDE_OTHERS.format(hidden=hidden() - {"sneaker_assets"}))
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), *arguments],
        check=False, capture_output=True, text=True, env=environment, cwd=tmp_path,
    )  # fmt: skip


def test_exits_with_status_2_and_one_line_without_a_gpu(tmp_path: Path) -> None:
    assert {"dagster", "pandera", "upath", "requests"} <= hidden()
    result = run(tmp_path)
    assert result.returncode == 2, result.stderr
    assert result.stdout == "not run: no GPU available (--device cpu --images 64 for a dry run)\n"


def test_dry_run_on_a_cpu_runs_every_stage(tmp_path: Path) -> None:
    result = run(tmp_path, "--device", "cpu", "--images", "10", "--batch", "5", "--json", str(tmp_path / "gpu.json"))
    assert result.returncode == 0, result.stderr
    summary = json.loads((tmp_path / "gpu.json").read_text())
    assert summary == json.loads(result.stdout.splitlines()[-1])
    assert list(summary["seconds"]) == ["decode", "upload", "features", "head", "evaluation"]
    assert not summary["holds"]
    assert summary["images"] == 10
    assert list(summary["images_per_second"]) == [
        "fine-tune vgg16", "features efficientnet_lite0", "fine-tune efficientnet_lite0",
    ]  # fmt: skip
    assert all(summary["images_per_second"].values())
