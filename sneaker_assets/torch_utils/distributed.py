"""Several processes that train one network: who is here, and how they add up.

Started by ``python -m torch.distributed.run``, which tells each process its rank through the environment; a process on
its own is the only rank there is.

torch: https://docs.pytorch.org/docs/stable/distributed.html
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from sneaker_assets.errors import SneakerError


class RankError(SneakerError, RuntimeError):
    """The other ranks did not come, or went; the message says what to do."""


@dataclass(frozen=True)
class Ranks:
    """Our rank among ``size`` of them."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes."""
        return self.rank == 0

    def share(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Our part of a batch; the parts differ by at most one row, in the same order for all ranks."""
        part: NDArray[Any] = np.array_split(rows, self.size)[self.rank]
        return part

    def total(self, values: Tensor) -> Tensor:
        """The sum of all ranks' values, the same for all."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def wait(self) -> None:
        """Go on when all ranks are here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def joined(device: torch.device, seconds: float) -> Iterator[Ranks]:
    """The ranks that were started together, for as long as the block runs.

    Args:
        device: Where they compute; decides what they talk through.
        seconds: How long to wait for the others.

    Raises:
        RankError: they did not come in that time, or there is no GPU for us.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks()
        return
    rank = int(os.environ["RANK"])
    if device.type == "cuda":
        _take_gpu(int(os.environ["LOCAL_RANK"]))
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(seconds=seconds))
    except (dist.DistError, RuntimeError, ValueError) as error:
        raise RankError(
            f"rank {rank} waited {seconds:g} s for {size} ranks and not all of them came: look into the log of the "
            "others, or ask for fewer processes"
        ) from error
    try:
        yield Ranks(rank, size)
    finally:
        dist.destroy_process_group()


def _take_gpu(number: int) -> None:
    """Compute on the GPU of this number: without it all ranks would on the first."""
    found = torch.cuda.device_count()
    if number >= found:
        raise RankError(f"each process wants a GPU of its own, and there are {found}: ask for fewer processes")
    torch.cuda.set_device(number)
