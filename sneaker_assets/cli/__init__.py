"""The commands. Each entry point validates the settings of the environment before it imports its command."""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, TypeAdapter, ValidationError

from sneaker_assets.errors import SneakerError
from sneaker_assets.settings.environment import load_settings
from sneaker_assets.settings.model import reason

BAD_INPUT = 2
"""Exit status for invalid settings, arguments or input."""

MAX_SEED = 2**32 - 1
"""Largest seed that a command accepts."""


class Parser(argparse.ArgumentParser):
    """An argument parser that reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message to stderr and exit with status 2."""
        self.exit(BAD_INPUT, f"{self.prog}: {message}\n")


def option(settings: type[BaseModel], name: str) -> Callable[[str], Any]:
    """An argparse type that validates an option like a field of the settings.

    Args:
        settings: The settings.
        name: The field's name.
    """
    field = settings.model_fields[name]
    annotation: Any = Annotated[field.annotation, field]
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    def parse(text: str) -> Any:
        try:
            return adapter.validate_python(text)
        except ValidationError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {reason(error.errors()[0])}") from error

    return parse


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """An argparse type for whole numbers from ``minimum`` to ``maximum``.

    Args:
        minimum: The smallest number allowed.
        maximum: The largest number allowed.
    """

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if not minimum <= number <= maximum:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {minimum:,} to {maximum:,}")
        return number

    return parse


def sneaker_archive() -> int:
    """Entry point of ``sneaker-archive``; returns the exit status."""
    return _run("sneaker-archive", "archive")


def sneaker_assets() -> int:
    """Entry point of ``sneaker-assets``; returns the exit status."""
    return _run("sneaker-assets", "pipeline")


def sneaker_generate() -> int:
    """Entry point of ``sneaker-generate``; returns the exit status."""
    return _run("sneaker-generate", "generate")


def sneaker_price() -> int:
    """Entry point of ``sneaker-price``; returns the exit status."""
    return _run("sneaker-price", "price")


def sneaker_shop() -> int:
    """Entry point of ``sneaker-shop``; returns the exit status."""
    return _run("sneaker-shop", "shop")


def _run(command: str, module: str) -> int:
    """Run the main function of a command; invalid settings and sources give a line each on stderr and status 2."""
    try:
        load_settings()
        main: Callable[[], int | None] = import_module(f"{__name__}.{module}").main
    except SneakerError as error:
        sys.stderr.writelines(f"{command}: {line}\n" for line in str(error).splitlines())
        return BAD_INPUT
    return main() or 0
