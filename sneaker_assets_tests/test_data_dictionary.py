from pathlib import Path

from sneaker_assets.data_dictionary import markdown
from sneaker_assets.tables import SCHEMAS


def test_data_dictionary_is_up_to_date() -> None:
    written = (Path(__file__).parents[1] / "TABLES.md").read_text(encoding="utf-8")
    assert written == markdown(), "run `make docs`"


def test_data_dictionary_describes_every_column() -> None:
    lines = markdown().splitlines()
    for schema in SCHEMAS.values():
        for name, column in schema.to_schema().columns.items():
            assert any(line.startswith(f"| `{name}` |") and column.description in line for line in lines)
