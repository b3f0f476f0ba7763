"""The stream of small noise that breaks ties for the nearest-neighbour estimator, as scikit-learn draws it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

KEPT = 64 << 20
"""Bytes of the stream that stay in memory between groups: at 2048 features, groups of up to 4096 images."""

_lock = threading.Lock()
_kept: dict[int, tuple[np.random.RandomState, np.ndarray]] = {}


def column_blocks(seed: int, n: int, width: int, *, start: int = 0, budget: int = KEPT) -> Iterator[tuple[int, np.ndarray]]:
    """The matrix `RandomState(seed).standard_normal((n, width))`, some columns at a time.

    Args:
        start: the first column that is wanted.
        budget: bytes that one block may take. A matrix of at most `KEPT` bytes comes as one block, out of a stream that is
            kept for the next call: with one seed, a group's noise is a prefix of a larger group's.

    Yields:
        (first column, (n, columns) float64), to be read before the next one is asked for. A matrix of more than `KEPT` bytes
        is drawn again for every block: its columns are needed one by one while the stream runs along its rows, and drawing
        twice is quicker than a detour over the disk.
    """
    if n * width * 8 <= KEPT:
        yield start, _prefix(seed, n * width).reshape(n, width)[:, start:]
        return
    wanted = width - start
    columns = max(1, min(wanted, budget // (8 * n)))
    columns = -(-wanted // -(-wanted // columns))  # blocks of equal width
    rows = max(1, (4 << 20) // (8 * width))
    store = np.empty((n, columns))
    for first in range(start, width, columns):
        stream = np.random.RandomState(seed)
        block = store[:, : min(columns, width - first)]
        for row in range(0, n, rows):
            chunk = block[row : row + rows]
            chunk[:] = stream.standard_normal((len(chunk), width))[:, first : first + chunk.shape[1]]
        yield first, block


def _prefix(seed: int, length: int) -> np.ndarray:
    """The first `length` numbers of the stream. Only one seed is remembered: a run uses one."""
    with _lock:
        stream, drawn = _kept.get(seed) or (np.random.RandomState(seed), np.empty(0))
        if len(drawn) < length:
            drawn = np.concatenate([drawn, stream.standard_normal(length - len(drawn))])
            drawn.flags.writeable = False
            _kept.clear()
            _kept[seed] = stream, drawn
        return drawn[:length]


def forget() -> None:
    """Drop the kept stream; benchmarks call this to time a first call."""
    with _lock:
        _kept.clear()
