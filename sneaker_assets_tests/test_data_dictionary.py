from pathlib import Path

import pytest

from sneaker_assets.data_dictionary import columns_json, markdown
from sneaker_assets.tables import SCHEMAS, columns_by_asset
from sneaker_assets.tables.columns import FILE


def test_data_dictionary_is_up_to_date() -> None:
    written = (Path(__file__).parents[1] / "TABLES.md").read_text(encoding="utf-8")
    assert written == markdown(), "run `make docs`"


def test_generated_columns_are_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == columns_json(), "run `make docs`"


@pytest.mark.parametrize("asset", SCHEMAS)
def test_columns_are_those_of_the_schema_and_in_the_data_dictionary(asset: str) -> None:
    columns = SCHEMAS[asset].to_schema().columns
    assert [column.name for column in columns_by_asset()[asset]] == list(columns)
    lines = markdown().splitlines()
    for name, column in columns.items():
        assert any(line.startswith(f"| `{name}` |") and column.description in line for line in lines)
