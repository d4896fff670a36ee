"""Conventions that hold in every module of the package: one base class of errors, one name for loggers."""

import ast
import importlib
import inspect
import logging
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import sneaker_assets
from sneaker_assets.errors import SneakerError, one_line

PACKAGE = Path(sneaker_assets.__file__).parent
BUILT_IN = {"ValueError", "KeyError", "RuntimeError", "OSError"}
VALIDATORS = {"field_validator", "model_validator"}
ALLOWED = [
    "assets/backtest.py:_shop_calendar",
    "market/bands.py:price_bands",
    "market/cleaning.py:clean",
    "market/labels.py:label_listings",
    "settings/automation.py:_site_and_cron",
    "settings/automation.py:_valid_cron",
    "settings/automation.py:_valid_time_zone",
    "settings/automation.py:_valid_url",
    "settings/environment.py:_header_value",
    "settings/environment.py:_one_kind",
    "settings/environment.py:_parse_bands",
    "settings/environment.py:_parse_day",
    "settings/environment.py:_parse_sites",
    "settings/environment.py:_parse_stores",
    "settings/environment.py:_registered",
    "settings/environment.py:_rising",
    "settings/reference.py:updated",
    "sites/json_values.py:_chompjs",
    "sites/json_values.py:parse_lenient_json",
    "sites/stockx_api.py:site",
    "sources/archive/images.py:open",
    "sources/archive/images.py:open_file",
    "torch_utils/checkpoint.py:_read_verified",
]
"""Functions that raise a built-in error: validators of fields, and those whose caller turns it into its own error."""


@pytest.fixture(scope="module")
def modules() -> list[ModuleType]:
    """Every module of the package but the scripts, which run when they are imported."""
    found = pkgutil.walk_packages(sneaker_assets.__path__, prefix="sneaker_assets.")
    return [importlib.import_module(module.name) for module in found if not module.name.endswith(".__main__")]


def test_every_error_of_the_package_is_a_sneaker_error(modules: list[ModuleType]) -> None:
    errors = {
        error
        for module in modules
        for _, error in inspect.getmembers(module, inspect.isclass)
        if issubclass(error, BaseException) and error.__module__ == module.__name__
    }
    assert len(errors) > 20
    assert {error for error in errors if not issubclass(error, SneakerError)} == set()


def raises_of_built_in_errors(path: Path) -> Iterator[str]:
    """The functions of a module, apart from pydantic's validators, that raise a built-in error by name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        names = {node.id for decorator in function.decorator_list for node in ast.walk(decorator)
                 if isinstance(node, ast.Name)}  # fmt: skip
        raised = {node.exc.func.id for node in ast.walk(function) if isinstance(node, ast.Raise)
                  and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)}  # fmt: skip
        if raised & BUILT_IN and not names & VALIDATORS:
            yield f"{path.relative_to(PACKAGE).as_posix()}:{function.name}"


def test_built_in_errors_are_raised_only_by_validators_and_where_they_are_converted() -> None:
    found = [name for path in sorted(PACKAGE.rglob("*.py")) for name in raises_of_built_in_errors(path)]
    assert sorted(set(found)) == sorted(ALLOWED)


def test_every_module_calls_its_logger_logger(modules: list[ModuleType]) -> None:
    named = {
        (module.__name__, name): value.name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, logging.Logger)
    }
    assert len(named) > 10
    assert named == {(module, "logger"): module for module, _ in named}


def test_one_line_joins_lines_and_falls_back_to_the_class_name() -> None:
    assert one_line(ValueError("first\n  second")) == "first second"
    assert one_line(ValueError("first\n  second"), max_length=7) == "first s"
    assert one_line("first\n  second") == "first second"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
