from pathlib import Path

import pytest

from sneaker_assets.settings.environment import Settings, variable
from sneaker_assets.settings.reference import updated

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_settings_tables_of_the_readme_are_current() -> None:
    assert updated(README) == README, "run `make docs`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting_has_one_row_with_its_description(name: str) -> None:
    begin, end = f"| `{variable(name)}` | ", f" | {Settings.model_fields[name].description} |"
    assert [line.startswith(begin) and line.endswith(end) for line in README.splitlines()].count(True) == 1


def test_document_without_markers_is_rejected() -> None:
    with pytest.raises(ValueError, match="has no <!-- begin settings --> and <!-- end settings -->"):
        updated("# No tables\n")
