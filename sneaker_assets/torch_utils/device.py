"""Device selection, fast data types and memory settings."""

import ctypes
import sys
from collections.abc import Mapping
from functools import cache

import torch

from sneaker_assets.errors import SneakerError

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt``, from ``malloc.h``."""

_AMPERE = (8, 0)
"""CUDA compute capability from which GPUs multiply in bfloat16."""


class DeviceError(SneakerError, ValueError):
    """A device does not exist or cannot be used; the message says which to choose instead."""


def choose_device(name: str) -> torch.device:
    """The device called ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

    Raises:
        DeviceError: The name is unknown, or it is ``cuda`` and no GPU is usable.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"unknown device {name!r}: set SNEAKER_DEVICE to auto, cpu or cuda")
    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise DeviceError("no usable GPU: set SNEAKER_DEVICE to auto or cpu")
    return torch.device("cuda" if usable and name != "cpu" else "cpu")


def supports_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16; where it is emulated, it is up to twenty times slower."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= _AMPERE
    instructions: Mapping[str, bool] = torch.cpu.get_capabilities()
    return device.type == "cpu" and any(instructions.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


def fast_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the device supports it, which was measured twice as fast as float32, else float32."""
    return torch.bfloat16 if supports_bfloat16(device) else torch.float32


@cache
def keep_freed_memory() -> bool:
    """Configure glibc's malloc to reuse the memory of freed tensors instead of returning it to the system.

    By default glibc maps each large tensor anew, and the kernel zeroes its pages every time: measured on mobilenet_v2
    at 160x384, that took 40 % of the processor time (52 images/s per core instead of 88). Has no effect elsewhere.

    mallopt: https://man7.org/linux/man-pages/man3/mallopt.3.html

    Returns:
        Whether malloc accepted both settings.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 2**30)) and bool(mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
