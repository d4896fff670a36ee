"""Imports from Dagster's private modules, each on its own, so that a failure names what has moved."""

import importlib
import re
from pathlib import Path

import pytest

import sneaker_assets
from sneaker_assets.automation.dagster_internals import PURPOSES

PACKAGE = Path(sneaker_assets.__file__).parent
INTERNALS = PACKAGE / "automation" / "dagster_internals.py"
PRIVATE = re.compile(r"^\s*(?:from|import) (dagster\._[\w.]+)(?: import (.+))?", re.MULTILINE)


def private_imports(file: Path) -> set[str]:
    found = PRIVATE.findall(file.read_text(encoding="utf-8"))
    return {f"{module}.{name.strip()}" for module, names in found for name in names.split(",")}


@pytest.mark.parametrize(("name", "purpose"), PURPOSES.items())
def test_dagster_still_has_the_private_name(name: str, purpose: str) -> None:
    module, attribute = name.rsplit(".", 1)
    try:
        found = hasattr(importlib.import_module(module), attribute)
    except ImportError:
        found = False
    assert found, f"this version of Dagster has no {name}, which is needed {purpose}: adapt {INTERNALS.name}"


def test_every_private_import_has_a_purpose() -> None:
    assert private_imports(INTERNALS) == set(PURPOSES)


def test_no_other_module_imports_private_names_of_dagster() -> None:
    others = {file.name: private_imports(file) for file in PACKAGE.rglob("*.py") if file != INTERNALS}
    assert {name: names for name, names in others.items() if names} == {}
