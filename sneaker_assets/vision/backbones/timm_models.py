"""Builds timm's networks from the modules that define them.

``import timm`` imports the modules of all networks and, with them, torch's compiler: 2.5 s of processor time, more than
torch itself takes. While a single module is imported, stubs take the place of the packages around it.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from sneaker_assets.vision.backbones.torchvision_models import torchvision_models


def create_timm_model(name: str) -> nn.Module:
    """A network with its library's own random weights.

    Args:
        name: Name of the network in timm.
    """
    model: nn.Module = _module_of(name).create_model(name, pretrained=False)
    return model


def timm_input(name: str) -> Any:
    """The pretrained configuration of a network, with ``input_size``, ``mean`` and ``std``; None where there is none.

    Args:
        name: Name of the network in timm.
    """
    return _module_of(name).get_pretrained_cfg(name)


@cache
def _module_of(name: str) -> ModuleType:
    """A module with ``create_model`` and ``get_pretrained_cfg`` for a network: a part of timm, or else timm itself."""
    spec = find_spec("timm") if "timm" not in sys.modules else None
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else None
    found = (
        [] if folder is None else [file for file in sorted((folder / "models").glob("*.py")) if _defines(file, name)]
    )
    torchvision_models()  # timm imports torchvision, and with it the compiler unless that was prevented
    if folder is None or not found:
        return importlib.import_module("timm")
    try:
        return _part(folder, found[0].stem)
    except (AttributeError, ImportError):  # a later version of timm, whose modules need the packages around them
        return importlib.import_module("timm")


def _part(folder: Path, module: str) -> ModuleType:
    part = ModuleType(f"timm with {module}")
    with _without_other_models(folder):
        importlib.import_module(f"timm.models.{module}")
        for owner, function in (("_factory", "create_model"), ("_registry", "get_pretrained_cfg")):
            part.__dict__[function] = getattr(importlib.import_module(f"timm.models.{owner}"), function)
    return part


def _defines(file: Path, network: str) -> bool:
    return f"\ndef {network.partition('.')[0]}(" in file.read_text(encoding="utf-8")


@contextmanager
def _without_other_models(folder: Path) -> Iterator[None]:
    timm, models = ModuleType("timm"), ModuleType("timm.models")
    timm.__path__, models.__path__ = [str(folder)], [str(folder / "models")]
    timm.__dict__["__version__"] = version("timm")
    sys.modules |= {"timm": timm, "timm.models": models}
    try:
        yield
    finally:
        del sys.modules["timm"], sys.modules["timm.models"]
