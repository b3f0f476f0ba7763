"""Where work runs: the cores of this machine, through joblib."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed
from tqdm.auto import tqdm


def cores() -> int:
    """How many cores this process may use; containers and job schedulers often allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_shards(
    function: Callable[..., Any],
    shards: Sequence[tuple[Any, ...]],
    *,
    workers: int | None = None,
    description: str = "",
    unit: str = "shard",
    progress: bool = False,
) -> Iterator[Any]:
    """Call `function(*shard)` for every shard and yield the results as they come, in any order.

    Args:
        workers: processes; None for one a core, 1 for none but this one. joblib gives each its share of the cores as threads,
            so that together they use every core once.
        progress: show a bar with rate and time left.
    """
    workers = min(workers or cores(), max(1, len(shards)))
    pool = Parallel(n_jobs=workers, return_as="generator_unordered")
    results = pool(delayed(function)(*shard) for shard in shards)
    yield from tqdm(results, total=len(shards), desc=description, unit=unit, disable=not progress)
