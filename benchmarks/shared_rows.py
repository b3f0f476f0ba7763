"""A table whose rows are computed by several processes, and kept: what is there already is not computed again."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from barlow_core.progress import progress_bar
from barlow_core.storage.files import atomic_write

Rows = list[dict[str, Any]]


def fill_table(
    out: Path,
    key: str,
    wanted: Iterable[Hashable],
    rows_of: Callable[[Any], Rows],
    *,
    processes: int,
    given: Callable[[Any], Any] | None = None,
    begin: Callable[..., None] | None = None,
    arguments: Sequence[Any] = (),
) -> pd.DataFrame:
    """Compute the rows that a CSV file lacks, and return the whole table, in the order of its key.

    Args:
        key: the column that says which rows are there.
        wanted: its values; what comes of one depends on it alone.
        rows_of: at least one row of a value, `key` included; a function of a module, since other processes call it.
        given: what `rows_of` is called with for a value of the key; that value itself when None.
        begin, arguments: called once in each process before.
    """
    table = pd.read_csv(out) if out.exists() else pd.DataFrame({key: []})
    missing = [one for one in wanted if one not in set(table[key])]
    out.parent.mkdir(parents=True, exist_ok=True)
    # Not forked: CUDA does not survive that, nor do the threads of torch.
    with multiprocessing.get_context("spawn").Pool(processes, _begin, (begin, arguments)) as pool:
        found = pool.imap_unordered(rows_of, missing if given is None else [given(one) for one in missing])
        for rows in progress_bar(found, total=len(missing), desc=out.stem, unit=key, shown=True):
            table = pd.concat([table, pd.DataFrame(rows)]) if len(table) else pd.DataFrame(rows)
            table = table.sort_values(key, kind="stable", ignore_index=True)
            with atomic_write(out) as temporary:
                table.to_csv(temporary, index=False)
    return table


def _begin(begin: Callable[..., None] | None, arguments: Sequence[Any]) -> None:
    torch.set_num_threads(1)
    if begin is not None:
        begin(*arguments)
