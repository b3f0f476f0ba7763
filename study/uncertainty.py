"""Intervals for a study in which a worker answers many items and an item has the answers of several workers.

Answers about one item resemble each other, and so do answers of one worker; an interval that takes 6,000 answers for 6,000 independent
observations is too short. The bootstrap here resamples both, items and workers, each with replacement and independently of the
other, and gives an answer the product of how often its item and its worker were drawn: the pigeonhole bootstrap (Owen 2007,
Annals of Applied Statistics 1, 386-411; Owen and Eckles 2012, ibid. 6, 895-927). It speaks about other items and other workers
like these. It is known to err on the long side, the more so the less items and workers matter; docs/study_calibration.md shows by how
much, and how short the usual intervals are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix, vstack
from scipy.stats import beta, binomtest

from barlow_core.errors import BarlowError

REPLICATES = 2000
CONFIDENCE = 0.95
# Numbers drawn at a time, so that memory does not grow with the replicates.
_DRAWS = 1 << 20

NOBODY = "nobody answered"
ONE_ITEM = "one item only: the interval says nothing about other items"
ONE_WORKER = "one worker only: the interval says nothing about other workers"
NO_ITEMS = "no item has a value"
ONE_PAIR = "one item with two descriptions only: nothing to resample, so no interval"
ONE_VALUE = "one item only on a side: nothing to resample, so no interval"
ONE_OF_BOTH = "one item and one worker: nothing to resample, so no interval"
ALL_THE_SAME = "all answers are the same: nothing to resample, so no interval"
ALL_OR_NONE = (
    "all answers are the same: the interval is Clopper and Pearson's for {n} independent answers, as many as there are {what}"
)
SOMETIMES_UNDEFINED = "defined in {share:.0%} of the resamples only; the interval is from those"
RARELY_DEFINED = "defined in fewer than half of the resamples, so no interval"


@dataclass(frozen=True)
class Estimate:
    """A number with its interval and what it rests on.

    Attributes:
        value, low, high: None where they are undefined; `reason` says why.
        n: answers.
        n_items, n_workers: that these answers are about and from.
        confidence: of the interval.
        reason: why something is missing, or what the interval leaves out; None when there is nothing to say.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_items: int
    n_workers: int
    confidence: float = CONFIDENCE
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON or a row of a table."""
        return asdict(self)


class Clusters:
    """The items and workers of some answers, and resamples of both.

    Args:
        items, workers: (n,) ids of any kind, one each for an answer; none missing.
    """

    def __init__(self, items: ArrayLike, workers: ArrayLike):
        self.item, item_labels = pd.factorize(_ids(items))
        self.worker, worker_labels = pd.factorize(_ids(workers))
        self.n_items, self.n_workers = len(item_labels), len(worker_labels)

    def __len__(self) -> int:
        return len(self.item)

    def resampled_sums(self, values: np.ndarray, *, replicates: int = REPLICATES, seed: int = 0) -> np.ndarray:
        """Sums of values over resampled answers.

        Args:
            values: (n, K) float64, finite.

        Returns:
            (replicates, K) float64: sum over answers of (times the item was drawn) x (times the worker was drawn) x value.
        """
        return self._sums([self._by_item_and_worker(values[:, k]) for k in range(values.shape[1])], replicates, seed)

    def _sums(self, tables: Sequence[csr_matrix], replicates: int, seed: int) -> np.ndarray:
        """`resampled_sums` of values that stand in a table of items and workers each."""
        sums = np.empty((replicates, len(tables)))
        at = 0
        for item_counts, worker_counts in self._resamples(replicates, seed):
            size = item_counts.shape[1]
            for k, table in enumerate(tables):
                sums[at : at + size, k] = np.einsum("ib,ib->b", item_counts, table @ worker_counts)
            at += size
        return sums

    def resampled_shares_above(
        self, values: np.ndarray, threshold: float, *, replicates: int = REPLICATES, seed: int = 0
    ) -> np.ndarray:
        """Among resampled items, the share whose averages over the resampled workers are above a threshold in all K values.

        Args:
            values: (n, K) float64, finite.

        Returns:
            (replicates,) float64; NaN where no item has an answer left.
        """
        tables = [self._by_item_and_worker(values[:, k] - threshold) for k in range(values.shape[1])]
        counts = self._by_item_and_worker(np.ones(len(self)))
        shares = np.empty(replicates)
        at = 0
        for item_counts, worker_counts in self._resamples(replicates, seed):
            size = item_counts.shape[1]
            weights = item_counts * (counts @ worker_counts > 0)
            above = np.logical_and.reduce([table @ worker_counts > 1e-9 for table in tables])
            with np.errstate(invalid="ignore"):
                shares[at : at + size] = (weights * above).sum(axis=0) / weights.sum(axis=0)
            at += size
        return shares

    def item_sums(self, values: np.ndarray) -> np.ndarray:
        """(n_items,) sums of values over the answers of an item."""
        return np.bincount(self.item, weights=values, minlength=self.n_items)

    def _by_item_and_worker(self, values: np.ndarray) -> csr_matrix:
        kept = values != 0
        return csr_matrix((values[kept], (self.item[kept], self.worker[kept])), shape=(self.n_items, self.n_workers))

    def _resamples(self, replicates: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return _resamples(self.n_items, self.n_workers, 0, replicates, seed)

    @property
    def n(self) -> int:
        return len(self)


def _resamples(n_items: int, n_workers: int, width: int, replicates: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """How often each item and each worker is drawn, (n_items, B) and (n_workers, B), until there are enough; the same draws in batches of
    any size, which are smaller where `width` further numbers are held a resample."""
    items, workers = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    batch = int(np.clip(_DRAWS // max(n_items, n_workers, width, 1), 4 if width else 8, 256))
    for at in range(0, replicates, batch):
        size = min(batch, replicates - at)
        yield _counts(items, n_items, size), _counts(workers, n_workers, size)


def _counts(rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    """(n, size) float64: how often each of n is drawn in n draws with replacement, `size` times over."""
    draws = rng.integers(n, size=(size, n)) if n else np.empty((size, 0), dtype=np.int64)
    # A resample after the other, and turned over at the end: counting all over the place takes twice as long.
    draws += n * np.arange(size)[:, None]
    return np.bincount(draws.ravel(), minlength=n * size).reshape(size, n).T.astype(np.float64, order="C")


def _ids(ids: ArrayLike) -> Any:
    """Ids as they are held; as Python objects, those of 600,000 answers would take a hundred megabytes."""
    return ids.array if isinstance(ids, pd.Series) else np.asarray(ids)


def mean(
    values: ArrayLike,
    items: ArrayLike,
    workers: ArrayLike,
    *,
    confidence: float = CONFIDENCE,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Estimate:
    """The mean over answers, with a percentile interval of the two-way bootstrap.

    Args:
        values: (n,) numbers; NaN for an answer that is missing, which then counts nowhere.
        items, workers: (n,) ids.
    """
    numbers = np.asarray(values, dtype=np.float64)
    given = ~np.isnan(numbers)
    clusters = _clusters(given, items, workers)
    return _ratios(numbers[given, None], np.ones((int(given.sum()), 1)), clusters, confidence, replicates, seed)[0]


def shares(
    hits: ArrayLike,
    items: ArrayLike,
    workers: ArrayLike,
    *,
    confidence: float = CONFIDENCE,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[Estimate]:
    """The share of answers that are hits, for each of K kinds of hit, with percentile intervals from the same resamples.

    Where all or none are hits, resampling sees no variation; the interval is then Clopper and Pearson's for as many independent answers
    as there are items or workers, whichever are fewer.

    Args:
        hits: (n, K) bool.
        items, workers: (n,) ids.
    """
    table = np.asarray(hits, dtype=np.float64)
    clusters = _clusters(np.ones(len(table), dtype=bool), items, workers)
    estimates = _ratios(table, np.ones((len(table), 1)), clusters, confidence, replicates, seed)
    return [_all_or_none(estimate) if estimate.value in (0.0, 1.0) else _within(estimate) for estimate in estimates]


def share(
    hits: ArrayLike,
    items: ArrayLike,
    workers: ArrayLike,
    *,
    confidence: float = CONFIDENCE,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Estimate:
    """`shares` of one kind of hit, (n,) bool."""
    table = np.asarray(hits, dtype=bool)[:, None]
    return shares(table, items, workers, confidence=confidence, replicates=replicates, seed=seed)[0]


def mean_difference(
    values: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    items: ArrayLike,
    workers: ArrayLike,
    *,
    confidence: float = CONFIDENCE,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Estimate:
    """Mean of some answers minus mean of others, both from the same resamples.

    The two may share items (two kinds of answer) or workers (two groupings), and the interval knows it.

    Args:
        values: (n,) numbers; NaN for an answer that is missing.
        first, second: (n,) bool, which answers belong to which.
    """
    settings: dict[str, Any] = {"confidence": confidence, "replicates": replicates, "seed": seed}
    return mean_differences(np.asarray(values, dtype=np.float64)[:, None], first, second, items, workers, **settings)[0]


def mean_differences(
    values: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    items: ArrayLike,
    workers: ArrayLike,
    *,
    confidence: float = CONFIDENCE,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[Estimate]:
    """`mean_difference` of K values at once, (n, K), which is quicker than one by one."""
    check_settings(confidence, replicates)
    numbers = np.asarray(values, dtype=np.float64)
    sides = np.column_stack([np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)])
    estimates: list[Estimate | None] = [None] * numbers.shape[1]
    # Values that are missing in the same answers share their denominators and their resamples.
    patterns: dict[bytes, list[int]] = {}
    for k in range(numbers.shape[1]):
        patterns.setdefault(np.isnan(numbers[:, k]).tobytes(), []).append(k)
    for columns in patterns.values():
        kept = ~np.isnan(numbers[:, columns[0]]) & sides.any(axis=1)
        clusters = _clusters(kept, items, workers)
        weights = sides[kept].astype(np.float64)
        if not weights.any(axis=0).all():
            reason = f"no answers on the {'first' if not weights[:, 0].any() else 'second'} side"
            nothing = _estimate(None, None, None, clusters, confidence, reason)
            estimates = [nothing if k in columns else estimate for k, estimate in enumerate(estimates)]
            continue
        # One after the other into tables, which hold no zeros: all sides of all values at once would be many times as large.
        made = itertools.chain(weights.T, (numbers[kept, k] * side for k in columns for side in weights.T))
        totals, tables = [], []
        for column in made:
            totals.append(float(column.sum()))
            tables.append(clusters._by_item_and_worker(column))
        drawn = clusters._sums(tables, replicates, seed)
        for place, k in enumerate(columns, start=1):
            at = 2 * place
            value = totals[at] / totals[0] - totals[at + 1] / totals[1]
            if (numbers[kept, k] == numbers[kept, k][0]).all():
                estimates[k] = _estimate(value, None, None, clusters, confidence, ALL_THE_SAME)
                continue
            with np.errstate(divide="ignore", invalid="ignore"):
                differences = drawn[:, at] / drawn[:, 0] - drawn[:, at + 1] / drawn[:, 1]
            estimates[k] = _with_interval(value, differences, clusters, confidence)
    return [estimate for estimate in estimates if estimate is not None]


def share_of_items_above(
    values: ArrayLike,
    items: ArrayLike,
    workers: ArrayLike,
    *,
    threshold: float = 3.0,
    confidence: float = CONFIDENCE,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Estimate:
    """The share of items whose average is above a threshold, in every one of K values.

    An average over resampled workers is noisier than the observed one and crosses the threshold more easily, so the resampled shares
    lie off the observed one on average; the interval is theirs, moved so that its resamples centre on the observed share, and cut at
    0 and 1. (The percentiles as they are, and resampling items alone, miss the truth far more often than they say.)

    Args:
        values: (n,) or (n, K) numbers. An answer with a NaN counts nowhere.
    """
    check_settings(confidence, replicates)
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[:, None] if numbers.ndim == 1 else numbers
    given = ~np.isnan(numbers).any(axis=1)
    clusters = _clusters(given, items, workers)
    if not len(clusters):
        return _estimate(None, None, None, clusters, confidence, NOBODY)
    numbers = numbers[given]
    above = np.logical_and.reduce([clusters.item_sums(column - threshold) > 1e-9 for column in numbers.T])
    value = float(above.mean())
    drawn = clusters.resampled_shares_above(numbers, threshold, replicates=replicates, seed=seed)
    drawn += value - np.nanmean(drawn)
    estimate = _with_interval(value, drawn, clusters, confidence)
    return _all_or_none(estimate) if value in (0.0, 1.0) and estimate.low == estimate.high else _within(estimate)


def item_mean(values: ArrayLike, *, confidence: float = CONFIDENCE, replicates: int = REPLICATES, seed: int = 0) -> Estimate:
    """The mean of one value an item, with a percentile interval over resampled items.

    For what only all answers of an item together have, such as their agreement; the interval speaks about other items and the same
    kind of workers, whose share in the noise is inside the items' own. `n` and `n_items` are items, `n_workers` is 0: none was resampled.

    Args:
        values: (n,) numbers; NaN for an item that has none, which then counts nowhere.
    """
    check_settings(confidence, replicates)
    numbers = _given(values)
    n = len(numbers)
    if not n:
        return Estimate(None, None, None, 0, 0, 0, confidence, NO_ITEMS)
    value = float(numbers.mean())
    if n == 1 or (numbers == numbers[0]).all():
        return Estimate(value, None, None, n, n, 0, confidence, ONE_VALUE if n == 1 else ALL_THE_SAME)
    low, high = np.quantile(_resampled_means(numbers, replicates, np.random.default_rng(seed)), _tails(confidence))
    return Estimate(value, float(low), float(high), n, n, 0, confidence, None)


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
        item, labels = pd.factorize(_ids(items))
        codes, names = pd.factorize(pd.concat([pd.Series(_ids(first)), pd.Series(_ids(second))], ignore_index=True))
        one, other = codes[: len(item)], codes[len(item) :]
        chosen = np.ones((1, len(item)), dtype=bool) if sides is None else np.asarray(sides, dtype=bool)
        shape = (len(labels), len(item))
        of_side = np.zeros((len(chosen), len(labels)))
        for row, pairs in zip(of_side, chosen, strict=True):
            row[item[pairs]] = 1.0
        self._sizes = [
            [
                _Sizes(len(np.unique(item[kept])), len(np.unique(codes[np.concatenate([kept, kept])])))
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
        for item_counts, worker_counts in _resamples(len(labels), len(names), 4 * len(item), replicates, seed):
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
        both = _Sizes(n, max(size.n_workers for size in sizes))
        value = self._value[first, k] - self._value[second, k]
        if min(size.n_items for size in sizes) == 1:
            return _estimate(value, None, None, both, self.confidence, ONE_VALUE)
        return self._estimate(value, self._drawn[:, first, k] - self._drawn[:, second, k], both)

    def _estimate(self, value: float, drawn: np.ndarray, sizes: _Sizes) -> Estimate:
        defined = drawn[~np.isnan(drawn)]
        if sizes.n_items == 1 and sizes.n_workers <= 2:
            return _estimate(value, None, None, sizes, self.confidence, ONE_PAIR)
        if len(defined) and np.ptp(defined) < 1e-12:
            return _estimate(value, None, None, sizes, self.confidence, ALL_THE_SAME)
        return _with_interval(value, drawn, sizes, self.confidence)


class _Sizes(NamedTuple):
    """How many items and workers an estimate rests on, where it counts items."""

    n_items: int
    n_workers: int

    @property
    def n(self) -> int:
        return self.n_items


def item_share(hits: ArrayLike, *, confidence: float = CONFIDENCE, **_: Any) -> Estimate:
    """The share of items that are hits, with Wilson's interval (by scipy), which takes items as independent.

    For what only all answers of an item together have, such as its vote; see `item_mean`. Settings of a bootstrap are taken and not used.

    Args:
        hits: (n,) bool.
    """
    check_settings(confidence, 1)
    table = np.asarray(hits, dtype=bool)
    n = len(table)
    if not n:
        return Estimate(None, None, None, 0, 0, 0, confidence, NO_ITEMS)
    interval = binomtest(int(table.sum()), n).proportion_ci(confidence, method="wilson")
    return Estimate(float(table.mean()), float(interval.low), float(interval.high), n, n, 0, confidence, None)


def item_difference(
    first: ArrayLike, second: ArrayLike, *, confidence: float = CONFIDENCE, replicates: int = REPLICATES, seed: int = 0
) -> Estimate:
    """Mean of one value an item minus that of other items, with a percentile interval over items, each side resampled by itself.

    See `item_mean`.
    """
    check_settings(confidence, replicates)
    sides = [_given(first), _given(second)]
    n = len(sides[0]) + len(sides[1])
    if not len(sides[0]) or not len(sides[1]):
        which = "second" if len(sides[0]) else "first"
        return Estimate(None, None, None, n, n, 0, confidence, f"no items on the {which} side")
    value = float(sides[0].mean() - sides[1].mean())
    both = np.concatenate(sides)
    if min(map(len, sides)) == 1 or (both == both[0]).all():
        reason = ONE_VALUE if min(map(len, sides)) == 1 else ALL_THE_SAME
        return Estimate(value, None, None, n, n, 0, confidence, reason)
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2)]
    drawn = [_resampled_means(side, replicates, stream) for side, stream in zip(sides, streams, strict=True)]
    low, high = np.quantile(drawn[0] - drawn[1], _tails(confidence))
    return Estimate(value, float(low), float(high), n, n, 0, confidence, None)


def _given(values: ArrayLike) -> np.ndarray:
    numbers = np.asarray(values, dtype=np.float64)
    return numbers[~np.isnan(numbers)]


def _tails(confidence: float) -> list[float]:
    return [(1 - confidence) / 2, (1 + confidence) / 2]


def _resampled_means(numbers: np.ndarray, replicates: int, rng: np.random.Generator) -> np.ndarray:
    means = np.empty(replicates)
    batch = max(1, _DRAWS // len(numbers))
    for at in range(0, replicates, batch):
        size = min(batch, replicates - at)
        means[at : at + size] = numbers[rng.integers(len(numbers), size=(size, len(numbers)))].mean(axis=1)
    return means


def _clusters(given: Any, items: ArrayLike, workers: ArrayLike) -> Clusters:
    """The clusters of the answers that are given, (n,) bool."""
    item, worker = _ids(items), _ids(workers)
    if not len(given) == len(item) == len(worker):
        raise BarlowError(
            f"There are {len(given):,} values, {len(item):,} items and {len(worker):,} workers; expected one of each for every answer."
        )
    return Clusters(item[given], worker[given])


def _ratios(
    numerators: np.ndarray, denominators: np.ndarray, clusters: Clusters, confidence: float, replicates: int, seed: int
) -> list[Estimate]:
    """Estimates of sum(numerator) / sum(denominator), (n, K) and (n, 1)."""
    check_settings(confidence, replicates)
    if not len(clusters):
        return [_estimate(None, None, None, clusters, confidence, NOBODY)] * numerators.shape[1]
    values = numerators.sum(axis=0) / denominators.sum()
    drawn = clusters.resampled_sums(np.hstack([numerators, denominators]), replicates=replicates, seed=seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = drawn[:, :-1] / drawn[:, -1:]
    estimates = []
    for k, value in enumerate(values):
        if (numerators[:, k] == numerators[0, k]).all():
            estimates.append(_estimate(value, None, None, clusters, confidence, ALL_THE_SAME))
        else:
            estimates.append(_with_interval(value, ratios[:, k], clusters, confidence))
    return estimates


def _with_interval(value: float, drawn: np.ndarray, clusters: Clusters | _Sizes, confidence: float) -> Estimate:
    if clusters.n_items == clusters.n_workers == 1:
        return _estimate(value, None, None, clusters, confidence, ONE_OF_BOTH)
    drawn, share_defined = drawn[~np.isnan(drawn)], float(np.mean(~np.isnan(drawn)))
    if share_defined < 0.5:
        return _estimate(value, None, None, clusters, confidence, RARELY_DEFINED)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    reasons = [ONE_ITEM] * (clusters.n_items == 1) + [ONE_WORKER] * (clusters.n_workers == 1)
    if share_defined < 0.95:
        reasons.append(SOMETIMES_UNDEFINED.format(share=share_defined))
    return _estimate(value, float(low), float(high), clusters, confidence, "; ".join(reasons) or None)


def _estimate(
    value: float | None, low: float | None, high: float | None, clusters: Clusters | _Sizes, confidence: float, reason: str | None
) -> Estimate:
    number = None if value is None else float(value)
    return Estimate(number, low, high, clusters.n, clusters.n_items, clusters.n_workers, confidence, reason)


def _within(estimate: Estimate) -> Estimate:
    """A share's interval, cut at 0 and 1."""
    if estimate.low is None or estimate.high is None:
        return estimate
    return Estimate(**{**estimate.to_dict(), "low": max(estimate.low, 0.0), "high": min(estimate.high, 1.0)})


def _all_or_none(estimate: Estimate) -> Estimate:
    """Clopper and Pearson's interval for a share of 0 or 1, counting the rarer kind of cluster as independent answers."""
    what, n = min([("items", estimate.n_items), ("workers", estimate.n_workers)], key=lambda kind: kind[1])
    tail = (1 - estimate.confidence) / 2
    low, high = (0.0, float(beta.isf(tail, 1, n))) if estimate.value == 0 else (float(beta.ppf(tail, n, 1)), 1.0)
    return Estimate(**{**estimate.to_dict(), "low": low, "high": high, "reason": ALL_OR_NONE.format(n=n, what=what)})


def check_settings(confidence: float, replicates: int) -> None:
    """Raise a BarlowError unless these are settings of a bootstrap."""
    if not 0 < confidence < 1:
        raise BarlowError(f"The confidence is {confidence}; expected a number between 0 and 1, such as 0.95.")
    if replicates < 1:
        raise BarlowError(f"The number of replicates is {replicates}; expected 1 or more, 2000 for numbers to quote.")
