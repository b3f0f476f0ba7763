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
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from barlow_core.errors import BarlowError
from study.statistics.estimates import (
    ALL_THE_SAME,
    CONFIDENCE,
    NO_ITEMS,
    NOBODY,
    ONE_VALUE,
    Estimate,
    all_or_none,
    check_settings,
    estimate_of,
    percentiles,
    tails,
    within,
)
from study.statistics.resampling import DRAWS, REPLICATES, Clusters, ids_of


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
    return [all_or_none(estimate) if estimate.value in (0.0, 1.0) else within(estimate) for estimate in estimates]


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
            nothing = estimate_of(None, None, None, clusters, confidence, reason)
            estimates = [nothing if k in columns else estimate for k, estimate in enumerate(estimates)]
            continue
        # One after the other into tables, which hold no zeros: all sides of all values at once would be many times as large.
        made = itertools.chain(weights.T, (numbers[kept, k] * side for k in columns for side in weights.T))
        totals, tables = [], []
        for column in made:
            totals.append(float(column.sum()))
            tables.append(clusters.by_item_and_worker(column))
        drawn = clusters.sums_of(tables, replicates, seed)
        for place, k in enumerate(columns, start=1):
            at = 2 * place
            value = totals[at] / totals[0] - totals[at + 1] / totals[1]
            if (numbers[kept, k] == numbers[kept, k][0]).all():
                estimates[k] = estimate_of(value, None, None, clusters, confidence, ALL_THE_SAME)
                continue
            with np.errstate(divide="ignore", invalid="ignore"):
                differences = drawn[:, at] / drawn[:, 0] - drawn[:, at + 1] / drawn[:, 1]
            estimates[k] = percentiles(value, differences, clusters, confidence)
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
        return estimate_of(None, None, None, clusters, confidence, NOBODY)
    numbers = numbers[given]
    above = np.logical_and.reduce([clusters.item_sums(column - threshold) > 1e-9 for column in numbers.T])
    value = float(above.mean())
    drawn = clusters.resampled_shares_above(numbers, threshold, replicates=replicates, seed=seed)
    drawn += value - np.nanmean(drawn)
    estimate = percentiles(value, drawn, clusters, confidence)
    return all_or_none(estimate) if value in (0.0, 1.0) and estimate.low == estimate.high else within(estimate)


def item_mean(values: ArrayLike, *, confidence: float = CONFIDENCE, replicates: int = REPLICATES, seed: int = 0) -> Estimate:
    """The mean of one value an item, with a percentile interval over resampled items.

    For what only all answers of an item together have, such as their agreement; the interval speaks about other items and the same
    kind of workers, whose share in the noise is inside the items' own. `n` and `n_items` are items, `n_workers` is 0: none was resampled.

    Args:
        values: (n,) numbers; NaN for an item that has none, which then counts nowhere.
    """
    check_settings(confidence, replicates)
    numbers = _given(values)
    if not len(numbers):
        return Estimate(None, None, None, 0, 0, 0, confidence, NO_ITEMS)
    return _over_items([numbers], [np.random.default_rng(seed)], confidence, replicates)


def item_share(hits: ArrayLike, *, confidence: float = CONFIDENCE, **_: Any) -> Estimate:
    """The share of items that are hits, with Wilson's interval (by scipy, which is exact at 0 and 1), which takes items as independent.

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
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2)]
    return _over_items(sides, streams, confidence, replicates)


def _over_items(
    sides: Sequence[np.ndarray], streams: Sequence[np.random.Generator], confidence: float, replicates: int
) -> Estimate:
    """The mean of one side, or that minus the mean of a second one, each side's items resampled by a stream of its own."""
    n = sum(map(len, sides))
    value = float(_first_minus_second([side.mean() for side in sides]))
    everything = np.concatenate(sides)
    if min(map(len, sides)) == 1 or (everything == everything[0]).all():
        reason = ONE_VALUE if min(map(len, sides)) == 1 else ALL_THE_SAME
        return Estimate(value, None, None, n, n, 0, confidence, reason)
    drawn = [_resampled_means(side, replicates, stream) for side, stream in zip(sides, streams, strict=True)]
    low, high = np.quantile(_first_minus_second(drawn), tails(confidence))
    return Estimate(value, float(low), float(high), n, n, 0, confidence, None)


def _first_minus_second(means: Sequence[Any]) -> Any:
    return means[0] if len(means) == 1 else means[0] - means[1]


def _given(values: ArrayLike) -> np.ndarray:
    numbers = np.asarray(values, dtype=np.float64)
    return numbers[~np.isnan(numbers)]


def _resampled_means(numbers: np.ndarray, replicates: int, rng: np.random.Generator) -> np.ndarray:
    means = np.empty(replicates)
    batch = max(1, DRAWS // len(numbers))
    for at in range(0, replicates, batch):
        size = min(batch, replicates - at)
        means[at : at + size] = numbers[rng.integers(len(numbers), size=(size, len(numbers)))].mean(axis=1)
    return means


def _clusters(given: Any, items: ArrayLike, workers: ArrayLike) -> Clusters:
    """The clusters of the answers that are given, (n,) bool."""
    item, worker = ids_of(items), ids_of(workers)
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
        return [estimate_of(None, None, None, clusters, confidence, NOBODY)] * numerators.shape[1]
    values = numerators.sum(axis=0) / denominators.sum()
    drawn = clusters.resampled_sums(np.hstack([numerators, denominators]), replicates=replicates, seed=seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = drawn[:, :-1] / drawn[:, -1:]
    estimates = []
    for k, value in enumerate(values):
        if (numerators[:, k] == numerators[0, k]).all():
            estimates.append(estimate_of(value, None, None, clusters, confidence, ALL_THE_SAME))
        else:
            estimates.append(percentiles(value, ratios[:, k], clusters, confidence))
    return estimates
