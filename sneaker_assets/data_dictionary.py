"""The data dictionary: every table and column of the lake in Markdown, made of the schemas and of nothing else.

python -m sneaker_assets.data_dictionary > TABLES.md
"""

import sys
from collections.abc import Iterator

from pandera.api.pandas.components import Column

from sneaker_assets.tables import SCHEMAS, Table

_INTRODUCTION = """\
# Tables

What lies in the lake, one table an asset. Made from [tables/](sneaker_assets/tables/) by `make docs`; a test fails
where the two differ.
"""


def markdown() -> str:
    """The whole dictionary."""
    return "\n".join([_INTRODUCTION, *(line for name, table in SCHEMAS.items() for line in _section(name, table))])


def _section(name: str, table: type[Table]) -> Iterator[str]:
    schema = table.to_schema()
    yield f"## {name}\n"
    yield f"{' '.join((table.__doc__ or '').split())}\n"
    if schema.unique:
        yield f"Unique: {', '.join(f'`{column}`' for column in schema.unique)}.\n"
    yield "| column | type | what | rules |\n|---|---|---|---|"
    for column in schema.columns.values():
        yield f"| `{column.name}` | {_type(column)} | {column.description} | {', '.join(_rules(column))} |"
    yield ""


def _type(column: Column) -> str:
    """The column's dtype; pandas has several names for text, by what is installed."""
    name = str(column.dtype)
    return "text" if name.startswith("str") else name


def _rules(column: Column) -> Iterator[str]:
    if column.nullable:
        yield "may be missing"
    if column.unique:
        yield "unique"
    for check in column.checks:
        yield str(check.error or check.name)


if __name__ == "__main__":
    sys.stdout.write(markdown())
