"""Generate the data dictionary ``TABLES.md`` and ``tables/columns.json`` from the table schemas.

python -m sneaker_assets.data_dictionary > TABLES.md
python -m sneaker_assets.data_dictionary --columns > sneaker_assets/tables/columns.json
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

from pandera.api.pandas.components import Column as SchemaColumn

from sneaker_assets.tables import SCHEMAS, Column, Table

_INTRODUCTION = """\
# Tables

The tables of the lake, one per asset. Generated from [sneaker_assets/tables](sneaker_assets/tables/) by `make docs`; a
test fails if this file is out of date.
"""


def markdown() -> str:
    """The data dictionary in Markdown: one section per table, one row per column."""
    return "\n".join([_INTRODUCTION, *(line for name, table in SCHEMAS.items() for line in _section(name, table))])


def columns_json() -> str:
    """The content of ``tables/columns.json``: the columns of each table as JSON objects."""
    tables = {name: [asdict(column) for column in _columns(table)] for name, table in SCHEMAS.items()}
    return json.dumps(tables, indent=1) + "\n"


def _section(name: str, table: type[Table]) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{' '.join((table.__doc__ or '').split())}\n"
    if unique := table.to_schema().unique:
        yield f"Unique: {', '.join(f'`{column}`' for column in unique)}.\n"
    yield "| column | type | description | constraints |\n|---|---|---|---|"
    for column in _columns(table):
        yield f"| `{column.name}` | {column.dtype} | {column.description} | {', '.join(_constraints(column))} |"
    yield ""


def _columns(table: type[Table]) -> list[Column]:
    return [_column(column) for column in table.to_schema().columns.values()]


def _column(column: SchemaColumn) -> Column:
    # pandas names its string dtype differently depending on its version and on installed libraries.
    dtype = str(column.dtype)
    return Column(
        name=str(column.name),
        dtype="string" if dtype.startswith("str") else dtype,
        description=str(column.description),
        nullable=column.nullable,
        unique=column.unique,
        checks=tuple(str(check.error or check.name) for check in column.checks),
    )


def _constraints(column: Column) -> Iterator[str]:
    if column.nullable:
        yield "nullable"
    if column.unique:
        yield "unique"
    yield from column.checks


if __name__ == "__main__":
    sys.stdout.write(columns_json() if sys.argv[1:] == ["--columns"] else markdown())
