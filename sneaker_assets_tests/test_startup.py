"""What a process of Dagster loads before it runs anything."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def test_definitions_load_without_a_warning_and_without_the_libraries_that_are_imported_on_use() -> None:
    ruff = tomllib.loads(PROJECT.read_text())["tool"]["ruff"]["lint"]
    on_use = ruff["flake8-tidy-imports"]["banned-module-level-imports"]
    assert {"bs4", "matplotlib", "pandera", "requests", "scipy", "torch"} <= set(on_use)
    code = (
        "import json, sys, sneaker_assets.definitions as d; d.defs.get_repository_def(); "
        "print(json.dumps(sorted({*sys.argv[1:]} & {*sys.modules})))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error:::dagster", "-c", code, *on_use], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "Warning" not in run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == []
