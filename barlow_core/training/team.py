"""Processes that train one network together, each on a part of every batch, as `torchrun` starts them; alone, a process is a team of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Generator, Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from barlow_core.errors import BarlowError

# The first process measures the finished network while the others wait for it.
PATIENCE = timedelta(hours=12)

_T = TypeVar("_T")


def started_by_torchrun() -> bool:
    """Whether this process is one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def leads() -> bool:
    """Whether this process speaks and writes for all: the first one, or the only one."""
    return not started_by_torchrun() or os.environ.get("RANK", "0") == "0"


@contextmanager
def joined(device: str) -> Iterator[Team]:
    """The team of this process, each member on a GPU of its own where `device` is "cuda".

    Raises:
        BarlowError: more processes than GPUs.
    """
    if not started_by_torchrun():
        yield Team(device=device)
        return
    cuda = torch.device(device).type == "cuda"
    if cuda:
        local, n_gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= n_gpus:
            raise BarlowError(
                f"torchrun started more processes here than there are GPUs ({n_gpus}). Use --nproc-per-node {n_gpus}."
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=PATIENCE)
    try:
        yield Team(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


@dataclass(frozen=True)
class Team:
    """Attributes:
    rank: of this process, from 0.
    size: how many processes there are.
    device: where this one computes.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def part(self, rows: Tensor) -> Tensor:
        """What this process takes of a batch, (n / size,) of (n,): every `size`-th."""
        return rows[self.rank :: self.size]

    def generator(self, seed: int, shared: Generator) -> Generator:
        """Where this process draws what is its own; alone, it goes on with what all share."""
        return shared if self.size == 1 else Generator().manual_seed(seed * 1_009 + self.rank)

    def together(self, network: nn.Module) -> nn.Module:
        """`network`, whose gradients then are the mean of all processes'; batch normalisation keeps the first one's statistics."""
        if self.size == 1:
            return network
        return DistributedDataParallel(network)

    def mean(self, value: float) -> float:
        """Of one value a process."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64 if self.device == "cpu" else torch.float32, device=self.device)
        distributed.all_reduce(total)
        return float(total) / self.size

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            distributed.barrier()

    def from_leader(self, value: _T | None) -> _T:
        """What the first process has, in all of them."""
        shared = [value]
        if self.size > 1:
            distributed.broadcast_object_list(shared)
        found = shared[0]
        assert found is not None  # the first process gives one
        return found
