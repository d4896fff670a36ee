"""Shared parts of the benchmarks: command line, progress, table, and a JSON object as the last line of output."""

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn


def arguments(description: str | None, *, archive: bool = False) -> argparse.Namespace:
    """Parse the options that all benchmarks share; ``archive`` makes the published data required."""
    return command_line(description, archive=archive).parse_args()


def command_line(description: str | None, *, archive: bool = False) -> argparse.ArgumentParser:
    """Parser of the shared options, to which a benchmark can add its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, required=archive, help="folder with listings.csv and images/")
    parser.add_argument("--weights", type=Path, help="folder of weight files, named after their backbone")
    return parser


def show_progress() -> None:
    """Print the package's log messages."""
    logging.basicConfig(stream=sys.stdout, format="  %(message)s")
    logging.getLogger("sneaker_assets").setLevel(logging.INFO)


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows with the same columns as an aligned table."""
    columns = list(rows[0])
    cells = [columns, *[[_format(row[column]) for column in columns] for row in rows]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _format(value: object) -> str:
    return (
        f"{value:,.3g}"
        if isinstance(value, float) and abs(value) < 10
        else (f"{value:,.1f}" if isinstance(value, float) else str(value))
    )


def conclude(name: str, *, ours: float, baseline: float, unit: str, claim: str, holds: bool, **more: Any) -> NoReturn:
    """Print the result as a JSON object and exit, with status 0 if the claim holds and 1 if not.

    Args:
        name: Name of the benchmark.
        ours: The measured value.
        baseline: The value with which it is compared.
        unit: Unit of both.
        claim: The claim, in words.
        holds: Whether it holds.
        **more: Further keys of the JSON object.
    """
    result = {"name": name, "ours": ours, "baseline": baseline, "ratio": ours / baseline, "unit": unit, "claim": claim}
    print(json.dumps(result | {"holds": holds} | more))
    sys.exit(0 if holds else 1)
