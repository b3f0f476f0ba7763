"""What trees over the same features and ever other failures hold, counted without building the trees: for permutation tests.

`failure_tree.fit` sorts every feature again for every failure, and finds thresholds, rules and a model. Here a feature is sorted
once, and only the images and failures of the leaves are found: the same ones, but where two splits are equally good.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import xlogy

from barlow_core.failure_tree import smallest_leaf

KEEP = 256 << 20
"""Bytes of sorted features that stay for the next failure; what goes beyond is sorted again."""

APART = np.float32(1e-7)
"""Neighbouring values that are no further apart are not split, as in scikit-learn's trees."""


class TreeCounts:
    """The leaves of `failure_tree.fit`, for one failure after another over the same features.

    Args:
        features: (n, D) finite real numbers, compared as float32.
        depth, weighted, min_leaf: as for `failure_tree.fit`.

    Of splits that are equally good, the first is taken: of the feature that was selected first, at the lowest threshold.
    """

    def __init__(self, features: np.ndarray, *, depth: int, weighted: bool = True, min_leaf: int | None = 1):
        self._features = features
        self._depth = depth
        self._weighted = weighted
        self._min_leaf = smallest_leaf(len(features)) if min_leaf is None else min_leaf
        self._whole = xlogy(np.arange(len(features) + 1.0), np.arange(len(features) + 1.0))
        self._sorted: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, failure: np.ndarray, selected: np.ndarray) -> list[np.ndarray]:
        """Count the leaves of the trees over some features.

        Args:
            failure: (n,) bool.
            selected: (k,) int, the features to split on.

        Returns:
            For each depth from 0 (the root alone) to `depth`: (2, leaves) int64, images and failures of each leaf.
        """
        n, n_failures = len(failure), int(np.count_nonzero(failure))
        leaves: list[list[tuple[int, int]]] = [[] for _ in range(self._depth + 1)]
        weight = (n - n_failures) / n_failures if self._weighted and n_failures else 1.0
        weights = _Weights(self._whole, weight, n_failures)
        order, values = (np.stack(both) for both in zip(*map(self._sort, selected.tolist()), strict=True))
        for level, is_leaf, images, failures in self._grow(order, values, failure, weights, 0):
            for depth in range(level, self._depth + 1) if is_leaf else (level,):
                leaves[depth].append((images, failures))
        return [np.array(found, dtype=np.int64).T for found in leaves]

    def _sort(self, feature: int) -> tuple[np.ndarray, np.ndarray]:
        """The images by the value of a feature, and the values."""
        known = self._sorted.get(feature)
        if known is None:
            values = self._features[:, feature].astype(np.float32)
            order = np.argsort(values, kind="stable").astype(np.int32)
            known = order, values[order]
            if (len(self._sorted) + 1) * 8 * len(values) <= KEEP:
                self._sorted[feature] = known
        return known

    def _grow(
        self, order: np.ndarray, values: np.ndarray, failure: np.ndarray, weights: _Weights, level: int
    ) -> Iterator[tuple[int, bool, int, int]]:
        """Yield (level, whether it is a leaf, images, failures) of a node and all below it.

        Args:
            order: (k, m), the images of the node by the value of each selected feature; values: those values.
        """
        n = order.shape[1]
        failing = np.take(failure, order)
        n_failures = int(np.count_nonzero(failing[0]))
        may_split = 0 < n_failures < n and n >= 2 * self._min_leaf
        cut = weights.best_cut(values, failing, n_failures, self._min_leaf) if may_split else None
        yield level, cut is None, n, n_failures
        if cut is None:
            return
        feature, n_below = cut
        if level + 1 == self._depth:  # the leaves have to be counted only
            failures_below = int(np.count_nonzero(failing[feature, :n_below]))
            yield level + 1, True, n_below, failures_below
            yield level + 1, True, n - n_below, n_failures - failures_below
            return
        below = np.zeros(len(failure), dtype=bool)
        below[order[feature, :n_below]] = True
        side = np.take(below, order).ravel()
        for places, size in ((np.flatnonzero(side), n_below), (np.flatnonzero(~side), n - n_below)):
            its_order, its_values = (np.take(whole, places).reshape(-1, size) for whole in (order, values))
            yield from self._grow(its_order, its_values, failure, weights, level + 1)


class _Weights:
    """Weighted entropy out of counts. With t(x) = x log x, a node of f failures, each of weight w, and s successes has
    (wf + s) H = t(wf + s) - t(wf) - t(s)."""

    def __init__(self, whole: np.ndarray, weight: float, n_failures: int):
        self._whole = whole
        self._weight = weight
        failures = weight * np.arange(n_failures + 1.0)
        self._failures = xlogy(failures, failures)

    def best_cut(self, values: np.ndarray, failing: np.ndarray, n_failures: int, min_leaf: int) -> tuple[int, int] | None:
        """The split with the most information: the row of the feature, and how many images are below; None where there is none.

        Between two failures entropy is concave in the number of images below, so only the first and the last split there are
        weighed (Fayyad and Irani 1992, Machine Learning 8, 87-102).

        Args:
            values: (k, m) float32, ascending along each row; failing: (k, m) bool in the same order.
        """
        n = values.shape[1]
        width = n - 2 * min_leaf + 1
        possible = values[:, min_leaf : n - min_leaf + 1] > values[:, min_leaf - 1 : n - min_leaf] + APART
        places = np.flatnonzero(possible)
        if not len(places):
            return None
        failures = np.cumsum(failing, axis=1, dtype=np.int32)[:, min_leaf - 1 : n - min_leaf].ravel()[places]
        row = places // width
        changes = (failures[1:] != failures[:-1]) | (row[1:] != row[:-1])
        ends = np.ones(len(places), dtype=bool)
        ends[1:-1] = changes[1:] | changes[:-1]
        failures, row, places = failures[ends], row[ends], places[ends]
        below = places - row * width + min_leaf
        purity = self._purity(failures, below - failures)
        purity += self._purity(n_failures - failures, n - n_failures - below + failures)
        best = int(purity.argmax())
        return int(row[best]), int(below[best])

    def _purity(self, failures: np.ndarray, successes: np.ndarray) -> np.ndarray:
        """-(wf + s) H of nodes with these counts, none of them empty, in nats."""
        total = self._weight * failures + successes
        return np.take(self._failures, failures) + np.take(self._whole, successes) - total * np.log(total)
