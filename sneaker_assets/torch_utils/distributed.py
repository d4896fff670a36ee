"""Ranks of a distributed training: joining the process group, sharding batches, summing results.

Ranks are started by ``python -m torch.distributed.run``, which passes each its rank through the environment; a process
started without it is the only rank.

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
    """The process group could not be formed; the message says what to do."""


@dataclass(frozen=True)
class Ranks:
    """This process's rank, from 0, among ``size`` of them."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is rank 0, the one that writes files."""
        return self.rank == 0

    def share(self, rows: NDArray[Any]) -> NDArray[Any]:
        """This rank's consecutive shard of a batch; shard sizes differ by at most one row.

        Args:
            rows: The batch, the same on all ranks; the first dimension is split.

        Returns:
            A view of ``rows``.
        """
        part: NDArray[Any] = np.array_split(rows, self.size)[self.rank]
        return part

    def total(self, values: Tensor) -> Tensor:
        """The sum over all ranks (all-reduce).

        Args:
            values: This rank's values, of the same shape on all ranks; overwritten.

        Returns:
            ``values``.
        """
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def wait(self) -> None:
        """Block until all ranks have called it."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def joined(device: torch.device, seconds: float) -> Iterator[Ranks]:
    """The process group, for the duration of the block.

    Args:
        device: Where the ranks compute: NCCL connects GPUs, Gloo connects CPUs.
        seconds: How long to wait for the other ranks.

    Yields:
        This process's rank.

    Raises:
        RankError: The other ranks did not join in time, or there is no GPU for this one.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks()
        return
    rank = int(os.environ["RANK"])
    if device.type == "cuda":
        _select_gpu(int(os.environ["LOCAL_RANK"]))
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(seconds=seconds))
    except (dist.DistError, RuntimeError, ValueError) as error:
        raise RankError(
            f"rank {rank} waited {seconds:g} s and not all of {size} ranks joined: check the logs of the other "
            "ranks, or use fewer processes"
        ) from error
    try:
        yield Ranks(rank, size)
    finally:
        dist.destroy_process_group()


def _select_gpu(number: int) -> None:
    """Compute on the GPU of this number; by default every rank would use the first one.

    Raises:
        RankError: There are fewer GPUs.
    """
    found = torch.cuda.device_count()
    if number >= found:
        raise RankError(f"each process needs its own GPU, and there are {found}: use fewer processes")
    torch.cuda.set_device(number)
