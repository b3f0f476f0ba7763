"""The mean agreement of descriptions over items, of all and by grouping and tier, with two-way intervals of means and differences.

An item's agreement lies between its answers: it is a mean over pairs of them (`PairMeans`), and resampling workers weighs the pairs anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix

from study.agreement.descriptions import KINDS
from study.answers.table import attributes_of_items
from study.statistics.estimates import (
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
from study.statistics.resampling import REPLICATES, ids_of, resamples
from study.statistics.uncertainty import item_difference, item_mean

ONE_PAIR = "one item with two descriptions only: nothing to resample, so no interval"
TOO_MANY = "too many pairs of descriptions to weigh: the interval resamples items only"


class AgreementMeans:
    """Means of agreements from one set of resamples.

    An item's agreement is the mean over the pairs of its descriptions, and resampling workers weighs the pairs anew
    (`PairMeans`). Where the pairs are too many to hold, items alone are resampled, and the reason says so.

    Args:
        agreement: for kinds of description the agreement of the items, on their ids.
        pairs: those of `study.agreement.cosine.agreements_and_pairs`, or None for too many.
        levels: for names of sides the items of each; the side of all is always there.
        clusters: of each item what it is drawn together with, on its id; None: alone.
    """

    def __init__(
        self,
        agreement: Mapping[str, pd.Series],
        pairs: pd.DataFrame | None,
        levels: Mapping[tuple[str, str], pd.Index] | None = None,
        *,
        clusters: pd.Series | None = None,
        **bootstrap: Any,
    ):
        self._kinds = [kind for kind in KINDS if kind in agreement]
        self._agreement, self._bootstrap = agreement, bootstrap
        self._items = dict(levels or {})
        self._sides = list(self._items)
        self._means: PairMeans | None = None
        if pairs is not None:
            sides = np.ones((1 + len(self._sides), len(pairs)), dtype=bool)
            for row, side in zip(sides[1:], self._sides, strict=True):
                row[:] = pairs["item"].isin(self._items[side])
            together = None if clusters is None else clusters.reindex(pairs["item"]).to_numpy()
            self._means = PairMeans(
                pairs[self._kinds], pairs["item"], pairs["first"], pairs["second"], sides=sides, clusters=together, **bootstrap
            )

    def mean(self, kind: str) -> Estimate:
        """Over all items that have an agreement."""
        if self._means is not None:
            return self._means.mean(self._kinds.index(kind))
        return _with_reason(item_mean(_numbers(self._agreement[kind]), **self._bootstrap))

    def difference(self, kind: str, first: tuple[str, str], second: tuple[str, str]) -> Estimate:
        """The mean over the items of one side minus that of another."""
        if self._means is not None:
            return self._means.difference(self._kinds.index(kind), *(1 + self._sides.index(side) for side in (first, second)))
        parts = [_numbers(self._agreement[kind].reindex(self._items[side])) for side in (first, second)]
        return _with_reason(item_difference(*parts, **self._bootstrap))

    def drawn_difference(self, kind: str, first: tuple[str, str], second: tuple[str, str]) -> np.ndarray | None:
        """(replicates,) the difference in each resample; None where items alone are resampled."""
        if self._means is None:
            return None
        one, other = (1 + self._sides.index(side) for side in (first, second))
        return self._means.drawn_difference(self._kinds.index(kind), one, other)


def levels_of_items(answers: pd.DataFrame, factors: Sequence[str]) -> dict[tuple[str, str], pd.Index]:
    """For (factor, value) the items of it."""
    of_items = attributes_of_items(answers, factors)
    return {
        (factor, str(value)): of_items.index[of_items[factor] == value]
        for factor in map(str, of_items)
        for value in of_items[factor].dropna().unique()
    }


class PairMeans:
    """Means over items of a mean over pairs of answers, resampled two ways: for what lies between answers, such as their agreement.

    A pair counts as often as its item, its one and its other worker were drawn together: the item's value is the mean over its pairs,
    weighted by (times one worker was drawn) x (times the other was drawn), and the items are weighted by how often they were drawn. An item
    without a pair left counts nowhere in that resample.

    Args:
        values: (P, K) numbers, NaN for a pair that has none.
        items, first, second: (P,) the item of a pair, and its two workers.
        sides: (S, P) bool, which pairs each of S means is over; whole items. None for one mean over all.
        clusters: (P,) what the item of a pair is drawn together with, such as the one that it is compared with; None: alone.
    """

    def __init__(
        self,
        values: ArrayLike,
        items: ArrayLike,
        first: ArrayLike,
        second: ArrayLike,
        *,
        sides: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        confidence: float = CONFIDENCE,
        replicates: int = REPLICATES,
        seed: int = 0,
    ):
        check_settings(confidence, replicates)
        self.confidence = confidence
        item, labels = pd.factorize(ids_of(items))
        worker, names = pd.factorize(pd.concat([pd.Series(ids_of(first)), pd.Series(ids_of(second))], ignore_index=True))
        order = np.argsort(item, kind="stable")
        one, other = (codes[order].astype(np.int32) for codes in (worker[: len(item)], worker[len(item) :]))
        numbers = np.asarray(values, dtype=np.float64)[order]
        cluster = np.arange(len(labels))
        if clusters is not None:
            cluster[item] = pd.factorize(ids_of(clusters))[0]
        n_clusters = len(np.unique(cluster))
        item = item[order].astype(np.int32)
        chosen = np.ones((1, len(item)), dtype=bool) if sides is None else np.asarray(sides, dtype=bool)[:, order]
        of_side = np.zeros((len(chosen), len(labels)))
        for row, pairs in zip(of_side, chosen, strict=True):
            row[item[pairs]] = 1.0
        given = ~np.isnan(numbers)
        self._sizes = [
            [_sizes(item[kept], one[kept], other[kept]) for kept in (pairs & column for column in given.T)] for pairs in chosen
        ]
        # The pairs of an item lie beside each other, so that all tables share their places; each pattern of missing ones is held once.
        starts = np.searchsorted(item, np.arange(len(labels) + 1)).astype(np.int32)
        places = np.arange(len(item), dtype=np.int32)
        patterns: dict[bytes, int] = {}
        self._of_pattern: list[int] = []
        totals: list[csr_matrix] = []
        sums: list[csr_matrix] = []
        for column, there in zip(numbers.T, given.T, strict=True):
            sums.append(csr_matrix((np.where(there, column, 0.0), places, starts), (len(labels), len(item))))
            pattern = patterns.setdefault(there.tobytes(), len(patterns))
            if pattern == len(totals):
                totals.append(csr_matrix((there.astype(np.float64), places, starts), (len(labels), len(item))))
            self._of_pattern.append(pattern)
        del numbers, given, patterns, chosen, worker, order, item  # of a million pairs, a hundred megabytes
        self._value = self._means(sums, totals, np.ones((len(one), 1)), np.ones((len(labels), 1)), of_side)[0]
        self._drawn = np.full((replicates, *self._value.shape), np.nan)
        at = 0
        # Narrow batches, whose weights stay in the processor's cache.
        for cluster_counts, worker_counts in resamples(n_clusters, len(names), 4 * len(one), replicates, seed):
            item_counts = cluster_counts[cluster]
            weights = worker_counts[one]
            weights *= worker_counts[other]
            self._drawn[at : at + item_counts.shape[1]] = self._means(sums, totals, weights, item_counts, of_side)
            at += item_counts.shape[1]

    def _means(
        self,
        sums: Sequence[csr_matrix],
        totals: Sequence[csr_matrix],
        weights: np.ndarray,
        item_counts: np.ndarray,
        of_side: np.ndarray,
    ) -> np.ndarray:
        """(B, S, K) of weights (P, B) and (items, B); NaN where no item of a side has a pair."""
        found = np.full((weights.shape[1], len(of_side), len(sums)), np.nan)
        if not len(item_counts):
            return found
        with np.errstate(divide="ignore", invalid="ignore"):
            for pattern, ones in enumerate(totals):
                total = ones @ weights
                counted = item_counts * (total > 0)
                of_sides = of_side @ counted
                share = np.where(total > 0, counted / total, 0.0)
                for k, one in enumerate(sums):
                    if self._of_pattern[k] == pattern:
                        found[:, :, k] = ((of_side @ (share * (one @ weights))) / of_sides).T
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

    def drawn_difference(self, k: int, first: int, second: int) -> np.ndarray:
        """(replicates,) the difference in each resample; NaN where a side has no item left."""
        return np.asarray(self._drawn[:, first, k] - self._drawn[:, second, k])

    def _estimate(self, value: float, drawn: np.ndarray, sizes: Sizes) -> Estimate:
        defined = drawn[~np.isnan(drawn)]
        if sizes.n_items == 1 and sizes.n_workers <= 2:
            return estimate_of(value, None, None, sizes, self.confidence, ONE_PAIR)
        if len(defined) and np.ptp(defined) < 1e-12:
            return estimate_of(value, None, None, sizes, self.confidence, ALL_THE_SAME)
        return percentiles(value, drawn, sizes, self.confidence)


def _with_reason(estimate: Estimate) -> Estimate:
    return estimate if estimate.low is None else replace(estimate, reason=TOO_MANY)


def _numbers(values: pd.Series) -> np.ndarray:
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _sizes(item: np.ndarray, first: np.ndarray, second: np.ndarray) -> Sizes:
    return Sizes(len(np.unique(item)), len(np.unique(np.concatenate([first, second]))))
