import ctypes
import platform

import pytest
import torch

from sneaker_assets.torch_utils.device import (
    DeviceError,
    choose_device,
    fast_precision,
    keep_freed_memory,
    supports_bfloat16,
)

CPU = torch.device("cpu")


def test_devices_are_chosen_by_name() -> None:
    assert choose_device("cpu").type == "cpu"
    with pytest.raises(DeviceError, match="unknown device 'gpu'"):
        choose_device("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused() -> None:
    assert choose_device("auto").type == "cpu"
    with pytest.raises(DeviceError, match="no usable GPU"):
        choose_device("cuda")


@pytest.mark.parametrize(
    ("instructions", "supported"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_f": True, "amx_bf16": False}, False),
        ({}, False),
    ],
)
def test_a_cpu_supports_bfloat16_by_its_instructions(
    monkeypatch: pytest.MonkeyPatch, instructions: dict[str, bool], *, supported: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions)
    assert supports_bfloat16(CPU) == supported
    assert fast_precision(CPU) == (torch.bfloat16 if supported else torch.float32)


@pytest.mark.parametrize(("capability", "supported"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_a_gpu_supports_bfloat16_from_ampere_on(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], *, supported: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert supports_bfloat16(torch.device("cuda")) == supported


class _MallInfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc's malloc.h."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="sets an option of glibc's malloc")
def test_large_tensors_come_from_the_heap_and_not_from_maps_of_their_own() -> None:
    assert keep_freed_memory()
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _MallInfo
    before = mallinfo().hblkhd
    tensor = torch.empty(64 * 2**20, dtype=torch.uint8)
    assert mallinfo().hblkhd - before < tensor.numel()
