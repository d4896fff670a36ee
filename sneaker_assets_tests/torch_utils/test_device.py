"""What becomes of the memory of tensors."""

import resource
import sys

import pytest
import torch

from sneaker_assets.torch_utils.device import keep_freed_memory


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc alone")
def test_the_pages_of_a_freed_tensor_serve_the_next_one() -> None:
    keep_freed_memory()
    faults = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(16, 1024, 1024)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert faults[-1] < 100
