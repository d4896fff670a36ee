"""What an asset shows in the UI: its table's columns, a preview of rows, a figure small enough for the event log.

Dagster: https://docs.dagster.io/guides/build/assets/metadata-and-tags
"""

import base64
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd
from upath import UPath

from sneaker_assets import figures, lake, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Metadata = dict[str, dg.MarkdownMetadataValue | dg.PathMetadataValue]

OWNERS = ["team:sneaker-assets"]


def column_schema(asset: str) -> dict[str, dg.TableSchema]:
    """The columns of the table that an asset of this name writes, as its definition's metadata."""
    columns = [
        dg.TableColumn(
            column.name,
            type=column.dtype,
            description=column.description,
            constraints=dg.TableColumnConstraints(
                nullable=column.nullable, unique=column.unique, other=list(column.checks)
            ),
        )
        for column in tables.columns_of(asset)
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def column_names(asset: str) -> list[str]:
    """The columns of that table, in order."""
    return [column.name for column in tables.columns_of(asset)]


def preview(frame: pd.DataFrame, columns: list[str] | None = None, rows: int = 10) -> dg.MarkdownMetadataValue:
    """The first rows as a Markdown table."""
    shown = frame[columns or list(frame.columns)].head(rows)
    return dg.MetadataValue.md(shown.to_markdown(index=False, floatfmt=",.2f"))


def show_figure(folder: UPath, name: str, figure: "Figure") -> Metadata:
    """Keep a figure as ``<folder>/<name>.png`` and show a thumbnail of it, so that the event log stays small."""
    return show_png(folder / f"{name}.png", figures.to_png(figure))


def show_png(path: UPath, png: bytes) -> Metadata:
    """Keep a PNG and show a thumbnail of it."""
    lake.write_bytes(path, png)
    encoded = base64.b64encode(figures.thumbnail(png)).decode()
    name = path.stem
    return {
        name: dg.MetadataValue.md(f"![{name}](data:image/png;base64,{encoded})"),
        f"{name}_file": dg.MetadataValue.path(str(path)),
    }
