"""``sneaker-archive check``: print what an archive would give before anything is written."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sneaker_assets.cli import BAD_INPUT, Parser
from sneaker_assets.market.observations import unreadable_share
from sneaker_assets.settings.environment import Settings, load_settings
from sneaker_assets.sources.archive import ArchiveError, ArchiveMapping
from sneaker_assets.sources.archive.amounts import DEFAULT_SIGNS
from sneaker_assets.sources.archive.archive import open_archive
from sneaker_assets.sources.archive.check import ArchiveCheck, TableCheck, check_archive, mapping_toml
from sneaker_assets.sources.archive.files import archive_root
from sneaker_assets.sources.archive.mapping import MAPPING_FILE
from sneaker_assets.sources.archive.rows import site_is_in_image
from sneaker_assets.sources.archive.tables import lines_text

_WIDTH = 120
"""Characters per line of output that is not a terminal."""

_MAX_EXAMPLES = 5
_MAX_SITES = 10
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Check an archive; returns the exit status.

    Args:
        arguments: Command line, by default that of the process.
    """
    options = _parser().parse_args(arguments)
    settings = load_settings()
    path = options.archive or settings.archive
    if path is None:
        return _fail("name a table or a folder of tables, or set SNEAKER_ARCHIVE")
    try:
        archive = open_archive(path, _settings_mapping(settings))
        check = check_archive(archive)
        console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
        for table in check.tables:
            _print_table(console, table, names_error=len(check.tables) > 1)
        if check.error:
            return _fail(check.error)
        _print_verdict(console, check)
        if options.toml:
            _write_mapping(archive_root(path) / MAPPING_FILE, check, console)
    except (ArchiveError, OSError) as error:
        return _fail(str(error))
    return 0


def _settings_mapping(settings: Settings) -> ArchiveMapping:
    """What the environment states of the archive."""
    return ArchiveMapping(currency=settings.archive_currency) if settings.archive_currency else ArchiveMapping()


def _parser() -> Parser:
    parser = Parser(prog="sneaker-archive", description="Check the tables and images of an archive.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=argparse.ArgumentParser)
    check = commands.add_parser("check", help="print what would be read, what not, and why; nothing is written")
    check.add_argument(
        "archive", nargs="?", type=Path, metavar="FOLDER", help="table, or folder of tables (default SNEAKER_ARCHIVE)"
    )
    check.add_argument(
        "--toml", action="store_true", help=f"write the mapping that was used to {MAPPING_FILE} beside the tables"
    )
    return parser


def _fail(message: str) -> int:
    sys.stderr.write(f"sneaker-archive: {message}\n")
    return BAD_INPUT


def _write_mapping(path: Path, check: ArchiveCheck, console: Console) -> None:
    """Write the mapping beside the tables.

    Raises:
        ArchiveError: There is a mapping already.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(mapping_toml(check))
    except FileExistsError:
        raise ArchiveError(f"{path} is there already: remove it to have it written anew") from None
    console.print(f"wrote {path}")


def _print_table(console: Console, table: TableCheck, *, names_error: bool) -> None:
    if table.error and table.mapped is None and not names_error:
        return
    console.print(Text(table.file.name, style="bold"))
    if table.mapped is not None:
        console.print(_facts(table))
        console.print(_columns(table))
    if table.error and names_error:
        reason = "left out: " if table.skipped else "cannot be read: "
        console.print(Text(f"  {reason}{table.error}", style="yellow" if table.skipped else "red"))
    elif table.reading is not None:
        console.print(_contents(table))
    console.print()


def _grid(rows: Iterable[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        if value:
            grid.add_row(f"  {name}", Text(value))
    return grid


def _facts(table: TableCheck) -> Table:
    """How the file is written."""
    if table.mapped is None:
        return _grid(())
    read = table.mapped.table
    delimiter = _DELIMITERS.get(read.delimiter or "", read.delimiter or "")
    parts = [read.format, read.encoding or "", delimiter and f"delimiter {delimiter}", table.file.compression or ""]
    broken = f", and {_rows(len(read.broken))} skipped as broken: {_lines(read.broken)}" if read.broken else ""
    return _grid([("format", ", ".join(filter(None, parts))), ("rows", f"{len(read.rows):,}{broken}")])


def _columns(table: TableCheck) -> Table:
    """What each column holds."""
    grid = Table(box=None, padding=(0, 2), pad_edge=False, header_style="cyan")
    for header in ("  column", "field", "", "example"):
        grid.add_column(header, overflow="fold")
    for use in table.uses:
        name = f"{use.field} ({use.note})" if use.note else use.field
        how = "guessed" if use.guessed else "stated"
        style = "" if use.field else "dim"
        cells = (f"  {use.column}", name or "not used", how if use.field else "", use.example[:60])
        grid.add_row(*(Text(cell, style=style) for cell in cells))
    return grid


def _contents(table: TableCheck) -> Table:
    """What the rows give."""
    reading, mapped = table.reading, table.mapped
    if reading is None or mapped is None:
        return _grid(())
    rows = [
        ("prices", _prices(table)),
        ("not used", _examples(table)),
        ("dates", _dates(table)),
        ("sites", _sites(table)),
        ("images", _images(table)),
        (
            "no product",
            f"{_rows(len(reading.unnamed))} skipped: {_lines(reading.unnamed)}" if reading.unnamed else "",
        ),
        (
            "no site",
            f"{_rows(len(reading.siteless))} skipped: {_lines(reading.siteless)}" if reading.siteless else "",
        ),
        ("no shoe", _excluded(table)),
        ("release dates", _problems(reading.bad_release_dates)),
    ]
    refused = [f"{column} as {name}" for name, columns in mapped.columns.refused.items() for column in columns]
    return _grid([*rows, ("not taken", "; ".join(refused))])


def _prices(table: TableCheck) -> str:
    """How many prices of which kind and currency."""
    currencies, kinds = table.counts("currency"), table.counts("label_kind")
    if not kinds:
        return "none"
    signs = "".join(f" ({sign} is read as {DEFAULT_SIGNS[sign]})" for sign in table.assumed_signs)
    return f"{sum(kinds.values()):,}; currency: {_counted(currencies)}{signs}; kind: {_counted(kinds)}"


def _sites(table: TableCheck) -> str:
    """Sites with their numbers of prices, and where they are from if no column states them."""
    if table.mapped is None or "site" in table.mapped.columns.fields or table.mapped.mapping.site:
        return _counted(table.counts("site"))
    origin = "image names" if site_is_in_image(table.mapped) else "file name"
    return f"{_counted(table.counts('site'))} (from the {origin})"


def _counted(counts: dict[str, int]) -> str:
    """Values with their numbers of rows, the most frequent first."""
    if len(counts) == 1:
        return next(iter(counts))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = f" and {len(ordered) - _MAX_SITES} more" if len(ordered) > _MAX_SITES else ""
    return ", ".join(f"{name} {count:,}" for name, count in ordered[:_MAX_SITES]) + more


def _examples(table: TableCheck) -> str:
    """Prices that are missing or cannot be read."""
    seen = table.observations
    empty = int(seen["n_prices"].fillna(1)[seen["amount"].isna() & seen["problem"].isna()].sum())
    parts = [f"{_rows(empty)} without a price"] if empty else []
    if problems := _problems(table.problems):
        parts.append(f"{problems}; {unreadable_share(seen):.1%} of the written prices are unreadable")
    return "; ".join(parts)


def _problems(problems: dict[str, int]) -> str:
    if not problems:
        return ""
    ordered = sorted(problems.items(), key=lambda item: -item[1])
    shown = "; ".join(f"{reason} ({count:,})" if count > 1 else reason for reason, count in ordered[:_MAX_EXAMPLES])
    more = f"; and {len(ordered) - _MAX_EXAMPLES:,} more" if len(ordered) > _MAX_EXAMPLES else ""
    return f"{_rows(sum(problems.values()))}: {shown}{more}"


def _rows(number: int) -> str:
    return f"{number:,} row" if number == 1 else f"{number:,} rows"


def _lines(numbers: Sequence[int]) -> str:
    return f"{'line' if len(numbers) == 1 else 'lines'} {lines_text(numbers)}"


def _dates(table: TableCheck) -> str:
    if table.mapped is None or table.reading is None:
        return ""
    if table.dates is None:
        return f"no column: {table.file.modified:%Y-%m-%d}, when the file was modified"
    order = f", written {table.reading.date_order}" if table.reading.date_order else ""
    return f"{table.dates[0]:%Y-%m-%d} to {table.dates[1]:%Y-%m-%d}{order}"


def _images(table: TableCheck) -> str:
    images = table.images
    parts = [
        f"{images.found:,} found" if images.found else "",
        f"{images.addresses:,} by address, to be downloaded" if images.addresses else "",
        f"{len(images.missing):,} missing, such as {images.missing[0]}" if images.missing else "",
    ]
    return ", ".join(filter(None, parts)) or "none"


def _excluded(table: TableCheck) -> str:
    if table.reading is None:
        return ""
    return _problems(dict(table.reading.observations["exclusion"].dropna().value_counts()))


def _print_verdict(console: Console, check: ArchiveCheck) -> None:
    console.print(Text(f"This archive gives {check.verdict}.", style="bold green"))
    console.print()
    console.print(Text(f"Mapping ({MAPPING_FILE}; change what is wrong):", style="cyan"))
    console.print(Text(mapping_toml(check).rstrip(), style="dim"))


if __name__ == "__main__":
    sys.exit(main())
