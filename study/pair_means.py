"""Means over items of what lies between their answers, such as the agreement of descriptions, with two-way intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix, vstack

from study.resampling import REPLICATES, ids_of, resamples
from study.uncertainty import (
    ALL_THE_SAME,
    CONFIDENCE,
    NO_ITEMS,
    ONE_VALUE,
    Estimate,
    Sizes,
    check_settings,
    estimate_of,
    percentiles,
)

ONE_PAIR = "one item with two descriptions only: nothing to resample, so no interval"


class PairMeans:
    """Means over items of a mean over pairs of answers, resampled two ways: for what lies between answers, such as their agreement.

    A pair counts as often as its item, its one and its other worker were drawn together: the item's value is the mean over its pairs,
    weighted by (times one worker was drawn) x (times the other was drawn), and the items are weighted by how often they were drawn. An item
    without a pair left counts nowhere in that resample.

    Args:
        values: (P, K) numbers, NaN for a pair that has none.
        items, first, second: (P,) the item of a pair, and its two workers.
        sides: (S, P) bool, which pairs each of S means is over; whole items. None for one mean over all.
    """

    def __init__(
        self,
        values: ArrayLike,
        items: ArrayLike,
        first: ArrayLike,
        second: ArrayLike,
        *,
        sides: ArrayLike | None = None,
        confidence: float = CONFIDENCE,
        replicates: int = REPLICATES,
        seed: int = 0,
    ):
        check_settings(confidence, replicates)
        self.confidence = confidence
        self._of_pattern: list[int] = []
        numbers = np.asarray(values, dtype=np.float64)
        item, labels = pd.factorize(ids_of(items))
        codes, names = pd.factorize(pd.concat([pd.Series(ids_of(first)), pd.Series(ids_of(second))], ignore_index=True))
        one, other = codes[: len(item)], codes[len(item) :]
        chosen = np.ones((1, len(item)), dtype=bool) if sides is None else np.asarray(sides, dtype=bool)
        shape = (len(labels), len(item))
        of_side = np.zeros((len(chosen), len(labels)))
        for row, pairs in zip(of_side, chosen, strict=True):
            row[item[pairs]] = 1.0
        self._sizes = [
            [
                Sizes(len(np.unique(item[kept])), len(np.unique(codes[np.concatenate([kept, kept])])))
                for kept in (chosen_side & ~np.isnan(column) for column in numbers.T)
            ]
            for chosen_side in chosen
        ]
        # One table for the values of all kinds and, below them, for the pairs that have one, each pattern of them once.
        patterns: dict[bytes, int] = {}
        blocks: list[csr_matrix] = []
        masks: list[csr_matrix] = []
        for column in numbers.T:
            given = np.flatnonzero(~np.isnan(column))
            blocks.append(csr_matrix((column[given], (item[given], given)), shape))
            if patterns.setdefault(given.tobytes(), len(patterns)) == len(masks):
                masks.append(csr_matrix((np.ones(len(given)), (item[given], given)), shape))
            self._of_pattern.append(patterns[given.tobytes()])
        table = csr_matrix(vstack([*blocks, *masks]))
        del numbers, blocks, masks
        self._value = self._means(table, np.ones((len(item), 1)), np.ones((len(labels), 1)), of_side)[0]
        self._drawn = np.full((replicates, *self._value.shape), np.nan)
        at = 0
        # Narrow batches, whose weights stay in the processor's cache.
        for item_counts, worker_counts in resamples(len(labels), len(names), 4 * len(item), replicates, seed):
            weights = worker_counts[one]
            weights *= worker_counts[other]
            self._drawn[at : at + item_counts.shape[1]] = self._means(table, weights, item_counts, of_side)
            at += item_counts.shape[1]

    def _means(self, table: csr_matrix, weights: np.ndarray, item_counts: np.ndarray, of_side: np.ndarray) -> np.ndarray:
        """(B, S, K) of weights (P, B) and (items, B); NaN where no item of a side has a pair."""
        n_items, size = item_counts.shape
        if not n_items:
            return np.full((size, len(of_side), len(self._of_pattern)), np.nan)
        sums = (table @ weights).reshape(-1, n_items, size)
        kinds = len(self._of_pattern)
        totals = sums[kinds:]
        counted = item_counts * (totals > 0)
        found = np.empty((size, len(of_side), kinds))
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(totals > 0, counted / totals, 0.0)
            of_sides = [of_side @ one for one in counted]
            for k, pattern in enumerate(self._of_pattern):
                found[:, :, k] = ((of_side @ (shares[pattern] * sums[k])) / of_sides[pattern]).T
        return found

    def mean(self, k: int, side: int = 0) -> Estimate:
        """The mean of value k over the items of a side. `n` and `n_items` are its items."""
        value, sizes = self._value[side, k], self._sizes[side][k]
        if not sizes.n_items:
            return Estimate(None, None, None, 0, 0, 0, self.confidence, NO_ITEMS)
        return self._estimate(value, self._drawn[:, side, k], sizes)

    def difference(self, k: int, first: int, second: int) -> Estimate:
        """The mean of value k over one side minus that over another, both from the same resamples."""
        sizes = [self._sizes[side][k] for side in (first, second)]
        n = sizes[0].n_items + sizes[1].n_items
        if not sizes[0].n_items or not sizes[1].n_items:
            which = "second" if sizes[0].n_items else "first"
            return Estimate(None, None, None, n, n, 0, self.confidence, f"no items on the {which} side")
        both = Sizes(n, max(size.n_workers for size in sizes))
        value = self._value[first, k] - self._value[second, k]
        if min(size.n_items for size in sizes) == 1:
            return estimate_of(value, None, None, both, self.confidence, ONE_VALUE)
        return self._estimate(value, self._drawn[:, first, k] - self._drawn[:, second, k], both)

    def _estimate(self, value: float, drawn: np.ndarray, sizes: Sizes) -> Estimate:
        defined = drawn[~np.isnan(drawn)]
        if sizes.n_items == 1 and sizes.n_workers <= 2:
            return estimate_of(value, None, None, sizes, self.confidence, ONE_PAIR)
        if len(defined) and np.ptp(defined) < 1e-12:
            return estimate_of(value, None, None, sizes, self.confidence, ALL_THE_SAME)
        return percentiles(value, drawn, sizes, self.confidence)
