from pathlib import Path

from sneaker_assets.data_dictionary import markdown
from sneaker_assets.tables import SCHEMAS


def test_the_data_dictionary_is_true() -> None:
    written = (Path(__file__).parents[1] / "TABLES.md").read_text(encoding="utf-8")
    assert written == markdown(), "run `make docs`"


def test_every_column_is_in_it() -> None:
    lines = markdown().splitlines()
    for schema in SCHEMAS.values():
        for name, column in schema.to_schema().columns.items():
            assert any(line.startswith(f"| `{name}` |") and column.description in line for line in lines)
