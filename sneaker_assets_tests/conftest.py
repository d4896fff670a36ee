"""What every test may ask for: a lake of its own, or one with a champion that all share."""

from pathlib import Path

import pytest

from sneaker_assets.lake import Lake
from sneaker_assets_tests.champion import Champion, lake_with_champion


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(tmp_path / "lake")
    lake.root.mkdir()
    return lake


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    """Not to be changed."""
    return lake_with_champion(tmp_path_factory.mktemp("champion") / "lake")
