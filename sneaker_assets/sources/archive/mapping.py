"""Which columns of a table hold what, as the user states it: ``sneaker-archive.toml`` or settings."""

import tomllib
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from sneaker_assets.errors import one_line
from sneaker_assets.settings.model import SettingsModel, reason
from sneaker_assets.sites.money import Separator
from sneaker_assets.sources.archive.errors import ArchiveError
from sneaker_assets.tables import Condition, LabelKind, SizeSystem

MAPPING_FILE = "sneaker-archive.toml"
"""Name of the mapping beside the tables."""

DateOrder = Literal["dmy", "mdy", "ymd"]
"""Order of day, month and year in dates written with numbers."""

Column = str | None


class ArchiveColumns(SettingsModel):
    """Column of each field by its header; None if it is guessed, an empty text if the field has no column."""

    price: str | dict[LabelKind, str] | None = Field(
        default=None, description="Prices: one column, or several by kind, as in `{lowest_ask = 'Ask'}`."
    )
    currency: Column = Field(default=None, description="Currency of each row's price, as a code or sign.")
    kind: Column = Field(default=None, description="Kind of each row's price, such as `last_sale`.")
    date: Column = Field(default=None, description="Date of the sale or of the observation.")
    site: Column = Field(default=None, description="Site of each row.")
    product_id: Column = Field(default=None, description="The site's identifier of the product.")
    url: Column = Field(default=None, description="Address of the product's page.")
    title: Column = Field(default=None, description="Name of the product.")
    brand: Column = Field(default=None, description="Brand.")
    style_code: Column = Field(default=None, description="Manufacturer's style code.")
    colourway: Column = Field(default=None, description="Colourway.")
    size: Column = Field(default=None, description="Shoe size to which the price applies.")
    size_system: Column = Field(default=None, description="System of the size, such as `EU`.")
    condition: Column = Field(default=None, description="Condition of the shoe, such as `new` or `used`.")
    retail_price: Column = Field(default=None, description="Retail price at release.")
    release_date: Column = Field(default=None, description="Release date.")
    image: Column = Field(default=None, description="File name or address of the picture.")
    category: Column = Field(default=None, description="Product type; what is not a shoe is left out.")
    available: Column = Field(default=None, description="Whether the shoe can be bought at the price.")


class ArchiveMapping(SettingsModel):
    """How the tables of an archive are read. Whatever is not stated is guessed from headers and values."""

    files: tuple[str, ...] = Field(default=(), description="Tables to read, as patterns such as `sales/*.csv`.")
    images_folder: str = Field(default="images", description="Folder of pictures, inside the archive.")
    encoding: str | None = Field(default=None, description="Encoding of text files, such as `cp1252`.")
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, description="Delimiter of CSV files.")
    decimal_separator: Separator | None = Field(default=None, description="Decimal separator of prices: `.` or `,`.")
    date_order: DateOrder | None = Field(
        default=None, description="Order of dates written with numbers: `dmy`, `mdy` or `ymd`."
    )
    currency: str | None = Field(
        default=None, pattern="^[A-Z]{3}$", description="ISO 4217 code of prices written without a currency."
    )
    kind: LabelKind | None = Field(default=None, description="Kind of all prices, such as `last_sale`.")
    site: str | None = Field(default=None, min_length=1, description="Site of all rows.")
    site_from_image: bool | None = Field(
        default=None, description="Whether the site is the image name up to the first underscore."
    )
    size_system: SizeSystem | None = Field(default=None, description="System of all sizes, such as `us_men`.")
    condition: Condition | None = Field(default=None, description="Condition of all shoes.")
    columns: ArchiveColumns = ArchiveColumns()


class MappingFile(ArchiveMapping):
    """Content of ``sneaker-archive.toml``: a mapping of all tables, and changes to it by file pattern."""

    tables: dict[str, ArchiveMapping] = Field(default={}, description="Changes by file pattern.")

    def of_table(self, name: str) -> ArchiveMapping:
        """The mapping of one table.

        Args:
            name: Path of the table inside the archive.
        """
        mapping = ArchiveMapping.model_validate(self.model_dump(exclude={"tables"}, exclude_unset=True))
        for pattern, changes in self.tables.items():
            if matches(name, (pattern,)):
                mapping = overlay(mapping, changes)
        return mapping


def overlay(base: ArchiveMapping, changes: ArchiveMapping) -> ArchiveMapping:
    """A mapping with the fields replaced that another one states.

    Args:
        base: Mapping that applies where the other states nothing.
        changes: Mapping that takes precedence.
    """
    below, above = base.model_dump(exclude_unset=True), changes.model_dump(exclude_unset=True)
    columns = {**below.get("columns", {}), **above.get("columns", {})}
    return ArchiveMapping.model_validate({**below, **above, **({"columns": columns} if columns else {})})


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether the path of a table, or its file name, matches one of the patterns.

    Args:
        name: Path inside the archive.
        patterns: Shell patterns.
    """
    return any(fnmatch(name, pattern) or fnmatch(PurePosixPath(name).name, pattern) for pattern in patterns)


def load_mapping(folder: Path) -> MappingFile:
    """The mapping beside the tables; without a file everything is guessed.

    Args:
        folder: Folder of the archive.

    Raises:
        ArchiveError: The file is no TOML, or has an unknown key or an invalid value.
    """
    path = folder / MAPPING_FILE
    try:
        return MappingFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        return MappingFile()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArchiveError(f"{path} is not valid TOML: {one_line(error)}") from error
    except ValidationError as error:
        raise ArchiveError(f"{path}: " + "; ".join(map(_mistake, error.errors()))) from error


def _mistake(details: ErrorDetails) -> str:
    """One mistake of a mapping, with the keys or values that are allowed."""
    *table, key = details["loc"]
    where = ".".join(str(part) for part in details["loc"])
    if details["type"] != "extra_forbidden":
        return f"{where} = {details['input']!r}: {reason(details)}"
    model = ArchiveColumns if table and table[-1] == "columns" else ArchiveMapping if table else MappingFile
    return f"unknown key {where!r}; known: {', '.join(model.model_fields)}" + _hint(str(key), model)


def _hint(key: str, model: type[SettingsModel]) -> str:
    """Where a known key belongs that stands in the wrong table."""
    if model is not ArchiveColumns and key in ArchiveColumns.model_fields:
        return f". {key!r} is a column: write it under [columns]"
    return ""
