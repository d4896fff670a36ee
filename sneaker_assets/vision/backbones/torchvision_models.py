"""Imports torchvision's models on demand and without torch's compiler.

``torchvision.ops`` imports one function of the compiler, which only its ``roi_align`` calls, and the compiler takes as
long to import as torch itself: 1.7 s of every price and every run. While torchvision is imported, a stub takes its
place, which imports the compiler if it is ever called.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

_COMPILER = "torch._dynamo.utils"


@cache
def torchvision_models() -> ModuleType:
    """The module ``torchvision.models``."""
    with _compiler_on_demand():
        return importlib.import_module("torchvision.models")


@contextmanager
def _compiler_on_demand() -> Iterator[None]:
    if _COMPILER in sys.modules:
        yield
        return
    stub = ModuleType(_COMPILER)
    stub.__dict__["is_compile_supported"] = _is_compile_supported
    sys.modules[_COMPILER] = stub
    try:
        yield
    finally:
        del sys.modules[_COMPILER]


def _is_compile_supported(device_type: str) -> bool:
    supported: bool = importlib.import_module(_COMPILER).is_compile_supported(device_type)
    return supported
