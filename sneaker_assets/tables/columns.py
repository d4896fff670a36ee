"""Columns of all tables, read from a file that is generated from the schemas.

The asset definitions need the columns for Dagster's UI, but should not have to import pandera. ``make docs`` generates
``columns.json``; a test fails if it is out of date.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("columns.json")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name.
        dtype: Its pandas dtype, ``string`` for all string dtypes.
        description: Its description.
        nullable: Whether values may be missing.
        unique: Whether values are unique.
        checks: Further constraints, such as ``greater_than(0)``.
    """

    name: str
    dtype: str
    description: str
    nullable: bool
    unique: bool
    checks: tuple[str, ...]


@cache
def columns_by_asset() -> dict[str, tuple[Column, ...]]:
    """Columns of the table that each asset writes, in order, by asset name."""
    tables = json.loads(FILE.read_text(encoding="utf-8"))
    return {
        asset: tuple(Column(**{**column, "checks": tuple(column["checks"])}) for column in columns)
        for asset, columns in tables.items()
    }
