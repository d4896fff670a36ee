"""Metadata of assets: columns, code version, previews and figures, small enough for the event log.

Dagster: https://docs.dagster.io/guides/build/assets/metadata-and-tags
"""

import base64
import hashlib
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd
from upath import UPath

from sneaker_assets import figures, lake, tables
from sneaker_assets.names import path_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Metadata = dict[str, dg.MarkdownMetadataValue | dg.PathMetadataValue]

UNFINISHED = "unfinished"
"""Metadata of a training that its time budget has ended."""

OWNERS = ["team:sneaker-assets"]


def column_schema(asset: str) -> dict[str, dg.TableSchema]:
    """Definition metadata of an asset: the columns of the table of that name.

    Args:
        asset: A key of ``tables.SCHEMAS``.

    Returns:
        The schema, under the key ``dagster/column_schema``.
    """
    columns = [
        dg.TableColumn(
            column.name,
            type=column.dtype,
            description=column.description,
            constraints=dg.TableColumnConstraints(
                nullable=column.nullable, unique=column.unique, other=list(column.checks)
            ),
        )
        for column in tables.columns_by_asset()[asset]
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def column_names(asset: str) -> list[str]:
    """Column names of the table of that name, in order."""
    return [column.name for column in tables.columns_by_asset()[asset]]


def code_version(asset: str, *versions: str) -> str:
    """Code version of an asset: the versions of the code that shapes it and, for a table, a digest of its columns.

    Args:
        asset: Name of the asset.
        versions: Constants of :mod:`sneaker_assets.code_versions`.
    """
    columns = {column.name: column.dtype for column in tables.columns_by_asset().get(asset, ())}
    if not columns:
        return ".".join(versions)
    return ".".join([*versions, hashlib.sha256(repr(columns).encode()).hexdigest()[:6]])


def preview(frame: pd.DataFrame, columns: list[str] | None = None, rows: int = 10) -> dg.MarkdownMetadataValue:
    """The first rows as a Markdown table.

    Args:
        frame: The table.
        columns: Columns to display; all by default.
        rows: Maximum number of rows.
    """
    shown = frame[columns or list(frame.columns)].head(rows)
    return dg.MetadataValue.md(shown.to_markdown(index=False, floatfmt=",.2f"))


def show_figure(folder: UPath, name: str, figure: "Figure") -> Metadata:
    """Save a figure as a PNG in the lake.

    Args:
        folder: Folder of the file.
        name: Name of the file, without its suffix, and of the metadata.
        figure: The figure.

    Returns:
        ``<name>``, a thumbnail as Markdown, and ``<name>_file``, the path of the file.
    """
    return show_png(folder / f"{path_name(name)}.png", figures.to_png(figure))


def show_png(path: UPath, png: bytes) -> Metadata:
    """Save a PNG in the lake.

    Args:
        path: Path of the file; its stem names the metadata.
        png: Content of the file.

    Returns:
        ``<stem>``, a thumbnail as Markdown, and ``<stem>_file``, the path of the file.
    """
    lake.write_bytes(path, png)
    encoded = base64.b64encode(figures.thumbnail(png)).decode()
    name = path.stem
    return {
        name: dg.MetadataValue.md(f"![{name}](data:image/png;base64,{encoded})"),
        f"{name}_file": dg.MetadataValue.path(str(path)),
    }
