"""Is a mean over answers nought, with items and workers both drawn at random? A test and its interval, which cannot contradict each other.

The score test of a mean d: the sum of all values minus d, over its standard error, against Student's t. The variance is that of two-way clusters (Cameron,
Gelbach and Miller 2011, Journal of Business and Economic Statistics 29, 238-249): squared sums by item, plus those by worker, minus those of single
answers; where one of these alone is larger, it is taken (MacKinnon, Nielsen and Webb 2021, ibid. 39, 505-519). All sums are of values
minus d, with the d that is tested and not the observed mean, which keeps the test from calling too much where a few workers gave most answers.
Degrees of freedom are one less than the items, or the workers, that have a value other than 0, whichever are fewer.

The interval is every d that the test does not reject. docs/study_calibration.md shows how often the test rejects what is true.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from barlow_core.errors import BarlowError
from study.statistics.estimates import CONFIDENCE, NOBODY, Estimate, check_settings, estimate_of
from study.statistics.resampling import Clusters

ONE_CLUSTER = "the answers for one of the two alone are all about one item, or all from one worker, so no test"
NO_SIDE = "nobody chose one of the two alone, so no test"
ONE_SIDE = "all answers are for the same side, so no interval"
UNBOUNDED = "so few items or workers, or so unequal ones, that no interval can be given"


class MeanAgainstZero(NamedTuple):
    """The test of a mean.

    Attributes:
        estimate: the mean with its interval, which leaves out 0 exactly where p < 1 - confidence.
        p: two-sided, that the mean is 0; None where there is no test.
        degrees_of_freedom: of Student's t.
        reason: why there is no p; else None.
    """

    estimate: Estimate
    p: float | None
    degrees_of_freedom: int | None
    reason: str | None


def mean_against_zero(
    values: ArrayLike, items: ArrayLike, workers: ArrayLike, *, confidence: float = CONFIDENCE
) -> MeanAgainstZero:
    """Test that the mean of values is 0, with items and workers both taken as drawn at random.

    Args:
        values: (n,) numbers from -1 to 1, one an answer; 0 takes no side.
        items, workers: (n,) ids.

    Raises:
        BarlowError: another confidence than one between 0 and 1, a value that is not from -1 to 1.
    """
    check_settings(confidence, 1)
    numbers = np.asarray(values, dtype=np.float64)
    if not (np.abs(numbers) <= 1).all():
        worst = numbers[~(np.abs(numbers) <= 1)][0]
        raise BarlowError(f"A value of an answer is {worst}; expected numbers from -1 to 1.")
    clusters = Clusters(items, workers)
    if not len(clusters):
        return MeanAgainstZero(estimate_of(None, None, None, clusters, confidence, NOBODY), None, None, NOBODY)
    mean = float(numbers.mean())
    sided = numbers != 0
    taking = min(len(np.unique(codes[sided])) for codes in (clusters.item, clusters.worker))
    if taking < 2:
        reason = ONE_CLUSTER if sided.any() else NO_SIDE
        return MeanAgainstZero(estimate_of(mean, None, None, clusters, confidence, reason), None, None, reason)
    variances = _variances(numbers, clusters)
    total = float(numbers.sum())
    largest = max(variance.at(0.0) for variance in variances)
    p = float(2 * t.sf(abs(total) / np.sqrt(largest), taking - 1))
    if (numbers == numbers[0]).all():
        return MeanAgainstZero(estimate_of(mean, None, None, clusters, confidence, ONE_SIDE), p, taking - 1, None)
    quantile = float(t.ppf((1 + confidence) / 2, taking - 1))
    ends = [variance.not_rejected(total, len(clusters), quantile) for variance in variances]
    bounded = [pair for pair in ends if pair is not None]
    if len(bounded) < len(ends):
        return MeanAgainstZero(estimate_of(mean, None, None, clusters, confidence, UNBOUNDED), p, taking - 1, None)
    low, high = max(min(pair[0] for pair in bounded), -1.0), min(max(pair[1] for pair in bounded), 1.0)
    return MeanAgainstZero(estimate_of(mean, low, high, clusters, confidence, None), p, taking - 1, None)


class _Variance(NamedTuple):
    """The variance of a sum of values minus d, as a polynomial of d: constant - 2 linear d + square d^2."""

    constant: float
    linear: float
    square: float

    def at(self, d: float) -> float:
        return self.constant - 2 * self.linear * d + self.square * d * d

    def not_rejected(self, total: float, n: int, quantile: float) -> tuple[float, float] | None:
        """Where (total - n d)^2 <= quantile^2 variance: between two roots, or, of too little to say, None.

        At the observed mean the left side is 0, so that with a variance of 0 or more there the roots exist, and the mean is between them.
        """
        q = quantile**2
        square, linear, constant = n**2 - q * self.square, n * total - q * self.linear, total**2 - q * self.constant
        if square <= 0:
            return None
        half = np.sqrt(max(linear**2 - square * constant, 0.0))
        return float((linear - half) / square), float((linear + half) / square)


def _variances(values: np.ndarray, clusters: Clusters) -> list[_Variance]:
    """By item, by worker, of answers taken as independent, and by both at once, which is left out where it is below 0 at the mean."""
    kinds = [clusters.item, clusters.worker, np.arange(len(values))]
    parts = []
    for codes in kinds:
        sums, sizes = np.bincount(codes, weights=values), np.bincount(codes).astype(np.float64)
        parts.append(_Variance(float(sums @ sums), float(sums @ sizes), float(sizes @ sizes)))
    by_item, by_worker, by_answer = parts
    two_way = _Variance(*(a + b - c for a, b, c in zip(by_item, by_worker, by_answer, strict=True)))
    return [*parts, two_way] if two_way.at(float(values.mean())) >= 0 else parts
