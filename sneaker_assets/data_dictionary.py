"""Generate the data dictionary ``TABLES.md`` from the table schemas.

python -m sneaker_assets.data_dictionary > TABLES.md
"""

import sys
from collections.abc import Iterator

from pandera.api.pandas.components import Column

from sneaker_assets.tables import SCHEMAS, Table

_INTRODUCTION = """\
# Tables

The tables of the lake, one per asset. Generated from [sneaker_assets/tables](sneaker_assets/tables/) by `make docs`; a
test fails if this file is out of date.
"""


def markdown() -> str:
    """The data dictionary in Markdown: one section per table, one row per column."""
    return "\n".join([_INTRODUCTION, *(line for name, table in SCHEMAS.items() for line in _section(name, table))])


def _section(name: str, table: type[Table]) -> Iterator[str]:
    schema = table.to_schema()
    yield f"## {name}\n"
    yield f"{' '.join((table.__doc__ or '').split())}\n"
    if schema.unique:
        yield f"Unique: {', '.join(f'`{column}`' for column in schema.unique)}.\n"
    yield "| column | type | description | constraints |\n|---|---|---|---|"
    for column in schema.columns.values():
        yield f"| `{column.name}` | {_type(column)} | {column.description} | {', '.join(_constraints(column))} |"
    yield ""


def _type(column: Column) -> str:
    """Dtype of a column; pandas names its string dtype differently depending on version and installed libraries."""
    name = str(column.dtype)
    return "text" if name.startswith("str") else name


def _constraints(column: Column) -> Iterator[str]:
    if column.nullable:
        yield "nullable"
    if column.unique:
        yield "unique"
    for check in column.checks:
        yield str(check.error or check.name)


if __name__ == "__main__":
    sys.stdout.write(markdown())
