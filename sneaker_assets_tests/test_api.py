"""The public API: what ``import sneaker_assets`` offers."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sneaker_assets
from sneaker_assets import Generator, Lake, PricedPicture, PriceModel, Pricer, SneakerError, load_champion
from sneaker_assets_tests.champion import Champion


def imported_modules(code: str) -> set[str]:
    """The modules that a fresh interpreter has imported after running ``code``."""
    script = f"import sys; {code}; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    )


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sneaker_assets; sneaker_assets.__version__; dir(sneaker_assets)"
    assert {"torch", "pandas", "numpy", "dagster", "pydantic"}.isdisjoint(imported_modules(code))


def test_the_api_works_without_dagster() -> None:
    code = "from sneaker_assets import *"
    assert "dagster" not in imported_modules(code)


def test_every_public_name_is_listed_and_importable() -> None:
    for name in sneaker_assets.__all__:
        assert getattr(sneaker_assets, name) is not None
        assert name in dir(sneaker_assets)
    with pytest.raises(AttributeError, match="has no attribute 'Sneaker'"):
        sneaker_assets.Sneaker  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_that_of_the_distribution() -> None:
    assert sneaker_assets.__version__ == importlib.metadata.version("sneaker-assets")


def test_idle_threads_are_passive_by_default_and_the_user_decides_otherwise() -> None:
    code = "import os, sneaker_assets; print(os.environ['OMP_WAIT_POLICY'])"
    for environment, policy in (({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")):
        result = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
        )
        assert result.stdout.strip() == policy


def test_a_photo_is_priced_with_the_champion_of_a_lake(champion: Champion, tmp_path: Path) -> None:
    for name, grey in (("dark.png", 60), ("bright.png", 220)):
        Image.new("L", (48, 24), grey).save(tmp_path / name)
    pricer = load_champion(Lake.at(str(champion.lake.root)))
    assert isinstance(pricer, Pricer)
    assert isinstance(pricer.model, PriceModel)
    dark, bright = pricer.price_many([tmp_path / "dark.png", str(tmp_path / "bright.png")])
    assert isinstance(dark, PricedPicture)
    assert dark.low < dark.price < dark.high < bright.price
    assert pricer.price(np.full((24, 48, 3), 60, np.uint8)).price == pytest.approx(dark.price, rel=1e-3)


def test_errors_are_caught_by_their_base_class(lake: Lake, champion: Champion, tmp_path: Path) -> None:
    for mistake in (
        lambda: load_champion(lake),
        lambda: load_champion(champion.lake).price(tmp_path / "nowhere.jpg"),
        lambda: PriceModel.load(tmp_path),
        lambda: Generator.load(tmp_path),
        lambda: Generator.of_band(lake, "cheap"),
    ):
        with pytest.raises(SneakerError) as raised:
            mistake()
        assert "\n" not in str(raised.value)
