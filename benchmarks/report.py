"""The one form of every benchmark: both sides in one run, a small table, and one JSON object as the last line."""

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn


def arguments(description: str | None, *, archive: bool = False) -> argparse.Namespace:
    """The command line that all benchmarks share; ``archive`` makes the published data required."""
    return command_line(description, archive=archive).parse_args()


def command_line(description: str | None, *, archive: bool = False) -> argparse.ArgumentParser:
    """The same, for a benchmark that adds an option of its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, required=archive, help="folder with listings.csv and images/")
    parser.add_argument("--weights", type=Path, help="folder of weight files, named after their backbone")
    return parser


def show_progress() -> None:
    """Print what the package logs while it works."""
    logging.basicConfig(stream=sys.stdout, format="  %(message)s")
    logging.getLogger("sneaker_assets").setLevel(logging.INFO)


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of the same columns, aligned."""
    columns = list(rows[0])
    cells = [columns, *[[_shown(row[column]) for column in columns] for row in rows]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _shown(value: object) -> str:
    return (
        f"{value:,.3g}"
        if isinstance(value, float) and abs(value) < 10
        else (f"{value:,.1f}" if isinstance(value, float) else str(value))
    )


def conclude(name: str, *, ours: float, theirs: float, unit: str, asked: str, holds: bool, **more: Any) -> NoReturn:
    """Print the JSON object and leave with exit status 0 where what was asked for holds."""
    result = {"name": name, "ours": ours, "theirs": theirs, "ratio": ours / theirs, "unit": unit, "asked": asked}
    print(json.dumps(result | {"holds": holds} | more))
    sys.exit(0 if holds else 1)
