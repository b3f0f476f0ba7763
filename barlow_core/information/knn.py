"""The nearest-neighbour estimator of mutual information between a real feature and failure (Ross 2014), exactly as scikit-learn.

For image i with outcome y, let N_y be the images with that outcome, k = min(n_neighbors, N_y - 1), d_i the distance to its k-th
nearest neighbour of the same outcome, and m_i the number of images of either outcome, itself included, nearer than d_i. Then

    I = digamma(N) + <digamma(k)> - <digamma(N_y)> - <digamma(m_i)>,   at least 0,

where <> is the mean over images. Before that, each feature is divided by its standard deviation and gets normal noise of
relative size 1e-10, because the estimator has no answer for ties.

scikit-learn asks a k-d tree for every distance. One feature is a line, so one sort answers all: the k nearest of an image lie
within k places of it among the sorted images of its outcome, and m_i counts neighbours outwards until one is too far. Every
difference is taken as scikit-learn takes it, down to the rounding, and so are the sums: the results are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.special import digamma

from barlow_core.information import noise

BLOCK = 1 << 16
"""Numbers of a block of columns: its half dozen float64 arrays fit the cache of a core."""

KEEP = 256 << 20
"""Bytes of sorted features that an estimator keeps for its next call; what goes beyond is sorted again."""

STEPS, SETTLED = 64, 40
"""Neighbours on one side are counted one place at a time for all images at once, up to STEPS places and as long as a step settles
more than one image in SETTLED; those that are left are found by bisection. This decides nothing but speed."""

TINY = np.finfo(np.float64).tiny

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class _Block:
    """Some columns of the features, sorted.

    Attributes:
        columns: which.
        values: (columns, n) float64, ascending along each row.
        order: (columns, n), the image behind each value.
    """

    columns: slice
    values: np.ndarray
    order: np.ndarray


class NearestNeighbours:
    """I(failure; feature) by the nearest-neighbour estimator, for one failure after another over the same features.

    Args:
        features: (n, D) finite real numbers; read again on a call only where their sorted form does not fit into `keep`.
        n_neighbors: at least 1.
        seed: of the noise.
        threads: threads that share the columns. The result does not depend on it.
        keep: bytes of sorted columns that may stay for the next call, at 12 bytes a number.
    """

    def __init__(self, features: np.ndarray, *, n_neighbors: int = 3, seed: int = 0, threads: int = 1, keep: int = KEEP):
        self.features = features
        self.n_neighbors = n_neighbors
        self.seed = seed
        self.threads = threads
        self.keep = keep
        self._kept: list[_Block] = []

    def __call__(self, failure: np.ndarray) -> np.ndarray:
        """The estimate for failure, (n,) bool: (D,) float64 in nats, at least 0."""
        n, width = self.features.shape
        estimate = np.zeros(width)
        counts = np.bincount(failure, minlength=2)
        # An outcome with a single image has no neighbour of its own kind; scikit-learn leaves it out, and fails when nothing is left.
        if counts.min() == 0 or counts.max() == 1:
            return estimate
        outcome = _Outcome(failure, self.n_neighbors)

        def fill(block: _Block) -> None:
            estimate[block.columns] = outcome.information(block.values, block.order)

        kept = self._kept
        _in_threads(fill, kept, self.threads)
        done = kept[-1].columns.stop if kept else 0
        if done == width:
            return estimate

        # Threads wait for the interpreter between operations: longer ones pay, even if they leave the cache.
        step = max(1, BLOCK * min(self.threads, 2) // n)
        room = self.keep // (12 * n)
        fresh: list[_Block] = []
        # What is not kept costs memory only while it is used: beyond the input, one more block of noise and a few of features.
        for first, drawn in noise.column_blocks(self.seed, n, width, start=done, budget=max(noise.KEPT, self.features.nbytes)):
            last = first + drawn.shape[1]

            def sort_and_fill(columns: slice, first: int = first, drawn: np.ndarray = drawn) -> _Block | None:
                values = scaled(self.features[:, columns], drawn[:, columns.start - first : columns.stop - first])
                block = _sorted(columns, values)
                fill(block)
                return block if columns.stop <= room else None

            blocks = [slice(start, min(start + step, last)) for start in range(first, last, step)]
            fresh += [block for block in _in_threads(sort_and_fill, blocks, self.threads) if block]
        if not kept:
            self._kept = fresh
        return estimate

    def many(self, failures: np.ndarray) -> np.ndarray:
        """The estimates for failures, (P, n) bool: (P, D)."""
        return np.array([self(failure) for failure in failures]).reshape(len(failures), self.features.shape[1])


def _in_threads(function: Callable[[T], R], items: Sequence[T], threads: int) -> list[R]:
    """`function` of each item, in their order. numpy lets go of the interpreter in sorts and arithmetic, so threads do help."""
    if threads == 1 or len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def scaled(features: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Divide each column by its standard deviation and add the noise, in scikit-learn's order of operations.

    Args:
        features: (n, columns) real numbers.
        normal: (n, columns) float64, standard normal.

    Returns:
        (columns, n) float64. Columns that do not vary are not divided.
    """
    # Out of a small copy first: reading columns straight out of a wide matrix takes several times as long.
    values = np.ascontiguousarray(np.ascontiguousarray(features).T, dtype=np.float64)
    n = values.shape[1]
    deviation = values - (values.sum(axis=1) / n)[:, None]
    deviation *= deviation
    scale = np.sqrt(deviation.sum(axis=1) / n)
    scale[scale < 10 * np.finfo(np.float64).eps] = 1.0
    values /= scale[:, None]
    size = np.maximum(1, np.abs(values, out=deviation).mean(axis=1))
    np.multiply(np.ascontiguousarray(normal).T, (1e-10 * size)[:, None], out=deviation)
    values += deviation
    return values


def _sorted(columns: slice, values: np.ndarray) -> _Block:
    order = np.argsort(values, axis=1)
    start = _row_starts(values)
    values = np.take(values.ravel(), order + start)
    return _Block(columns, values, order.astype(np.uint16 if values.shape[1] <= 1 << 16 else np.uint32))


def _row_starts(matrix: np.ndarray) -> np.ndarray:
    """(rows, 1): where each row of a matrix begins in its flattened form."""
    rows, length = matrix.shape
    return np.arange(0, rows * length, length)[:, None]


class _Outcome:
    """What the estimate takes from failure alone."""

    def __init__(self, failure: np.ndarray, n_neighbors: int):
        counts = np.bincount(failure, minlength=2)
        self.failure = failure
        self.alone = int(np.flatnonzero(failure == counts.argmin())[0]) if counts.min() == 1 else None
        self.n = len(failure) - (self.alone is not None)
        self.neighbours = {bool(label): min(n_neighbors, int(counts[label]) - 1) for label in (0, 1) if counts[label] > 1}
        label_counts = counts[failure.astype(np.intp)]
        label_counts = label_counts[label_counts > 1]
        k_all = np.minimum(n_neighbors, label_counts - 1)
        self.digamma = digamma(np.arange(self.n + 1.0))
        self.constant = self.digamma[self.n] + np.mean(self.digamma[k_all]) - np.mean(self.digamma[label_counts])

    def information(self, values: np.ndarray, order: np.ndarray) -> np.ndarray:
        """(columns,) float64, for columns sorted as in `_Block`."""
        if self.alone is not None:
            others = order != self.alone
            values, order = values[others].reshape(-1, self.n), order[others].reshape(-1, self.n)
        label = np.take(self.failure, order)
        distance = np.empty_like(values)
        for outcome, k in self.neighbours.items():
            places = np.flatnonzero(label if outcome else ~label)
            own = np.take(values.ravel(), places).reshape(len(values), -1)
            distance.ravel()[places] = kth_distance(own, k).ravel()
        nearer = count_nearer(values, distance, min(self.neighbours.values()) + 1)
        # Back into the order of the images, so that the sum rounds as scikit-learn's does.
        terms = np.empty_like(values)
        image = order if self.alone is None else order - (order > self.alone)
        terms.ravel()[image + _row_starts(values)] = np.take(self.digamma, nearer)
        return np.maximum(0.0, self.constant - terms.mean(axis=1))


def kth_distance(values: np.ndarray, k: int) -> np.ndarray:
    """The distance of every value to the k-th nearest other value of its row.

    Args:
        values: (rows, n) float64, ascending along each row.
        k: from 1 to n - 1.

    Returns:
        (rows, n) float64.
    """
    rows, n = values.shape
    if k >= n // 2:
        return _kth_distance_of_few(values, k)
    # A value and its k nearest are k + 1 neighbours in the row, say with `left` of them below it: the k-th distance is the
    # least, over all such windows around it, of the distance to the farther end. Rows are laid end to end, because numpy
    # is several times as quick on one long array; windows that run from one row into the next get an infinite reach.
    flat = values.ravel()
    starts = flat.size - k
    distance = np.full(flat.size, np.inf)
    reach = np.empty((rows, n))

    def narrow(left: int, below: np.ndarray, above: np.ndarray) -> None:
        np.maximum(below[:starts], above[left : left + starts], out=reach.ravel()[:starts])
        reach[:, n - k :] = np.inf
        nearest = distance[left : left + starts]
        np.minimum(nearest, reach.ravel()[:starts], out=nearest)

    for left in range(k // 2 + 1):
        right = k - left
        near, far = flat[left:] - flat[: flat.size - left], flat[right:] - flat[: flat.size - right]
        narrow(left, near, far)
        if left != right:
            narrow(right, far, near)
    return distance.reshape(rows, n)


def _kth_distance_of_few(values: np.ndarray, k: int) -> np.ndarray:
    """`kth_distance` for so few values that scikit-learn leaves its tree and multiplies out (a - b)^2 = a^2 - 2ab + b^2.

    That loses digits, which decides between near-ties; here they are lost in the same way.
    """
    rows, n = values.shape
    square = values * values
    distance = np.empty(values.size)
    step = max(1, (1 << 20) // n)
    for start in range(0, values.size, step):
        place = np.arange(start, min(start + step, values.size))
        row = place // n
        squared = square.ravel()[place][:, None] + -2.0 * (values.ravel()[place][:, None] * values[row])
        squared += square[row]
        np.maximum(squared, 0.0, out=squared)
        distance[place] = np.sqrt(np.partition(squared, k, axis=1)[:, k])  # the value itself is among them
    return distance.reshape(rows, n)


def count_nearer(values: np.ndarray, distance: np.ndarray, expected: int = 1) -> np.ndarray:
    """How many values of its row, itself included, are nearer to each value than its `distance`; equal ones at distance 0.

    Args:
        values: (rows, n) float64, ascending along each row.
        distance: (rows, n) float64, at least 0; replaced by what was compared with.
        expected: a guess of how many at least; it decides nothing but speed.

    Returns:
        (rows, n) int64.
    """
    rows, n = values.shape
    np.maximum(distance, TINY, out=distance)  # at distance 0 only equal values count: < TINY instead of <= 0
    flat, limit, size = values.ravel(), distance.ravel(), values.size
    above, below = counts = np.zeros((2, size), dtype=np.uint8)
    gap, near = np.empty((rows, n)), np.empty(size, dtype=bool)
    # Outwards, one place at a time for all at once, as long as that settles enough of them; then bisection for the rest.
    # Rows are laid end to end, with an infinite gap from one row to the next.
    open_before = 2 * size
    for step in range(1, min(STEPS, n - 1) + 1):
        pairs = size - step
        np.subtract(flat[step:], flat[:pairs], out=gap.ravel()[:pairs])
        gap[:, n - step :] = np.inf
        open_now = 0
        for side, lower in ((above, 0), (below, step)):
            np.less(gap.ravel()[:pairs], limit[lower : lower + pairs], out=near[:pairs])
            side[lower : lower + pairs] += near[:pairs].view(np.uint8)
            open_now += int(np.count_nonzero(near[:pairs]))
        if open_now == 0 or (step >= expected and (open_before - open_now) * SETTLED < size):
            break
        open_before = open_now
    count = np.add(above, below, dtype=np.int64)
    count += 1
    # Both sides in one go, the upper ones first.
    place = np.flatnonzero(counts == step)
    ups = int(np.searchsorted(place, size))
    place[ups:] -= size
    direction = np.ones(len(place), dtype=np.int64)
    direction[ups:] = -1
    further = _reach(values, distance, place, direction, step) - step
    count[place[:ups]] += further[:ups]
    count[place[ups:]] += further[ups:]
    return count.reshape(rows, n)


def _reach(values: np.ndarray, distance: np.ndarray, place: np.ndarray, direction: np.ndarray, known: int) -> np.ndarray:
    """How far from each flat `place` values stay nearer than its distance, by bisection; `known` places are known to be."""
    n = values.shape[1]
    flat = values.ravel()
    value, limit = np.take(flat, place), np.take(distance.ravel(), place)
    start = place - place % n
    end = start + (n - 1)
    farthest = place + direction * known
    size = 1 << (n - 1).bit_length()
    while size := size >> 1:
        probe = direction * size
        probe += farthest
        np.clip(probe, start, end, out=probe)
        gap = np.take(flat, probe)
        gap -= value
        np.copyto(farthest, probe, where=np.abs(gap, out=gap) < limit)
    return np.abs(farthest - place)
