"""Fixtures of all tests: an empty lake, and a shared one with a champion."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sneaker_assets.lake import Lake
from sneaker_assets_tests.champion import Champion, lake_with_champion


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure no coverage in property tests: tracing many examples takes long, and what they reach is random."""
    for item in items:
        if isinstance(item, pytest.Function) and getattr(item.obj, "is_hypothesis_test", False):
            item.add_marker("no_cover")


@pytest.fixture(scope="session", autouse=True)
def no_tracking() -> Iterator[None]:
    """Log nothing to the MLflow of the person who runs the tests."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(tmp_path / "lake")
    lake.root.mkdir()
    return lake


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    """Shared by all tests of the session; must not be modified."""
    return lake_with_champion(tmp_path_factory.mktemp("champion") / "lake")
