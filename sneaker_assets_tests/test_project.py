"""What the repository promises beside the code: make targets, changelog, API reference, cheap imports."""

import pkgutil
import re
import runpy
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

import sneaker_assets

ROOT = Path(__file__).parents[1]
RELEASE = re.compile(r"^## (?P<version>\S+)(?: - (?P<date>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


@pytest.fixture(scope="module")
def hooks() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "hooks.py"))


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("arguments", [["help"], []])
def test_make_help_describes_every_target(arguments: list[str]) -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", *arguments], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout
    described = {name: text for _, name, text in (line.split(maxsplit=2) for line in shown.splitlines())}
    assert described.keys() == targets()
    assert len(set(described.values())) == len(described)


def test_every_target_is_phony() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == targets()


@pytest.mark.parametrize(
    "document", [".ci/run", "README.md", "CONTRIBUTING.md", "docs/index.md", ".pre-commit-config.yaml"]
)
def test_documents_name_existing_make_targets(document: str) -> None:
    named = set(
        re.findall(r"(?:^|`|    )make ([a-z][a-z-]*)", (ROOT / document).read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert named
    assert named <= targets()


def test_changelog_starts_with_unreleased_and_then_the_packaged_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    releases = [
        release.groupdict() for release in RELEASE.finditer((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    ]
    assert releases[0] == {"version": "Unreleased", "date": None}
    assert releases[1]["version"] == project["version"]
    dates = [release["date"] for release in releases[1:]]
    assert None not in dates
    assert dates == sorted(dates, reverse=True)


def test_api_reference_covers_every_module(hooks: dict[str, Any]) -> None:
    documented = [module for modules in hooks["api_pages"]().values() for module in modules]
    found = pkgutil.walk_packages(sneaker_assets.__path__, "sneaker_assets.")
    modules = {module.name for module in found if not module.name.endswith(".__main__")} | {"sneaker_assets"}
    assert len(documented) == len(set(documented))
    assert set(documented) == modules


@pytest.mark.parametrize(
    ("folder", "link", "expected"),
    [
        ("", "[results](benchmarks/RESULTS.md#the-crawler)", "[results](results.md#the-crawler)"),
        ("benchmarks", "[tables](../TABLES.md)", "[tables](tables.md)"),
        ("", "[tables/](sneaker_assets/tables/)", "[tables/](api/sneaker_assets.tables.md)"),
        ("", "[fees](sneaker_assets/market/fees.py)", "[fees](api/sneaker_assets.market.md)"),
        ("", "[Makefile](Makefile)", "Makefile"),
        ("", "[paper](https://example.com/paper)", "[paper](https://example.com/paper)"),
        ("", "[below](#below)", "[below](#below)"),
    ],
)
def test_links_between_documents_point_at_pages_of_the_site(
    hooks: dict[str, Any], folder: str, link: str, expected: str
) -> None:
    assert hooks["relink"](link, folder) == expected
