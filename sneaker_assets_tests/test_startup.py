"""Libraries that the asset definitions do not import, since every step process imports the definitions."""

import subprocess
import sys

HEAVY = {"bs4", "captum", "faiss", "matplotlib", "optuna", "pandera", "requests", "scipy", "sklearn", "timm", "torch"}


def test_asset_definitions_do_not_import_heavy_libraries() -> None:
    program = "import sys, sneaker_assets.definitions; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True)
    assert HEAVY & set(done.stdout.split()) == set()
