"""What every test may ask for: a lake of its own."""

from pathlib import Path

import pytest

from sneaker_assets.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(tmp_path / "lake")
    lake.root.mkdir()
    return lake
