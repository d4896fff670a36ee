"""Conventions that hold in every module of the package: one base class of errors, one name for loggers."""

import importlib
import inspect
import logging
import pkgutil
from types import ModuleType

import pytest

import sneaker_assets
from sneaker_assets.errors import SneakerError, one_line


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
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
