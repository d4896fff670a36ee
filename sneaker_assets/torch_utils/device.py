"""Where tensors live, what becomes of their memory, and in which precision a frozen network runs there."""

import ctypes
import sys
from functools import cache

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of ``malloc.h``."""


def choose_device(name: str) -> torch.device:
    """The device called ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

    Raises:
        ValueError: the name is unknown, or ``cuda`` is asked for and no GPU is usable.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"unknown device {name!r}: set SNEAKER_DEVICE to auto, cpu or cuda")
    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise ValueError("no usable GPU: set SNEAKER_DEVICE to auto or cpu")
    return torch.device("cuda" if usable and name != "cpu" else "cpu")


def fast_precision(device: torch.device) -> torch.dtype:
    """The precision in which a frozen network is fastest at an error of its features below 1 %.

    bfloat16 on a GPU and on a CPU with instructions for it: measured twice as fast as float32. On a CPU without them it
    is emulated and up to twenty times slower.
    """
    if device.type == "cpu" and not torch.cpu.get_capabilities().get("avx512_bf16", False):
        return torch.float32
    return torch.bfloat16


@cache
def keep_freed_memory() -> None:
    """Have the process keep what tensors free, since the next batch asks for as much again.

    Left alone, glibc maps each large tensor anew, and the kernel clears its pages every time: measured on mobilenet_v2
    at 160x384, 40 % of the processor time (52 images/s and core, and 88 without). On other systems nothing is changed.

    mallopt: https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
