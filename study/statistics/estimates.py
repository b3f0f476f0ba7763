"""A number with its interval, and the reasons why there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest

from barlow_core.errors import BarlowError
from study.statistics.resampling import Clusters

CONFIDENCE = 0.95

NOBODY = "nobody answered"
ONE_ITEM = "one item only: the interval says nothing about other items"
ONE_WORKER = "one worker only: the interval says nothing about other workers"
NO_ITEMS = "no item has a value"
ONE_VALUE = "one item only on a side: nothing to resample, so no interval"
ONE_OF_BOTH = "one item and one worker: nothing to resample, so no interval"
ALL_THE_SAME = "all answers are the same: nothing to resample, so no interval"
ALL_OR_NONE = "at 0 or 1 the interval is Clopper and Pearson's for as many independent answers as there are {what} ({n})"
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


class Sizes(NamedTuple):
    """How many items and workers an estimate rests on, where it counts items."""

    n_items: int
    n_workers: int

    @property
    def n(self) -> int:
        return self.n_items


def percentiles(value: float, drawn: np.ndarray, clusters: Clusters | Sizes, confidence: float) -> Estimate:
    """A value with the percentile interval of its resamples.

    Args:
        drawn: (replicates,) the value in each resample; NaN where it is undefined.
        clusters: what the value rests on.
    """
    if clusters.n_items == clusters.n_workers == 1:
        return estimate_of(value, None, None, clusters, confidence, ONE_OF_BOTH)
    drawn, share_defined = drawn[~np.isnan(drawn)], float(np.mean(~np.isnan(drawn)))
    if share_defined < 0.5:
        return estimate_of(value, None, None, clusters, confidence, RARELY_DEFINED)
    low, high = np.quantile(drawn, tails(confidence))
    reasons = [ONE_ITEM] * (clusters.n_items == 1) + [ONE_WORKER] * (clusters.n_workers == 1)
    if share_defined < 0.95:
        reasons.append(SOMETIMES_UNDEFINED.format(share=share_defined))
    return estimate_of(value, float(low), float(high), clusters, confidence, "; ".join(reasons) or None)


def estimate_of(
    value: float | None, low: float | None, high: float | None, clusters: Clusters | Sizes, confidence: float, reason: str | None
) -> Estimate:
    """An estimate of what rests on these clusters."""
    number = None if value is None else float(value)
    return Estimate(number, low, high, clusters.n, clusters.n_items, clusters.n_workers, confidence, reason)


def within(estimate: Estimate) -> Estimate:
    """A share's interval, cut at 0 and 1."""
    if estimate.low is None or estimate.high is None:
        return estimate
    return replace(estimate, low=max(estimate.low, 0.0), high=min(estimate.high, 1.0))


def all_or_none(estimate: Estimate) -> Estimate:
    """Clopper and Pearson's interval for a share of 0 or 1, counting the rarer kind of cluster as independent answers."""
    what, n = min([("items", estimate.n_items), ("workers", estimate.n_workers)], key=lambda kind: kind[1])
    interval = binomtest(n if estimate.value else 0, n).proportion_ci(estimate.confidence, method="exact")
    return replace(estimate, low=float(interval.low), high=float(interval.high), reason=ALL_OR_NONE.format(n=n, what=what))


def tails(confidence: float) -> list[float]:
    """The two quantiles between which an interval lies."""
    return [(1 - confidence) / 2, (1 + confidence) / 2]


def check_settings(confidence: float, replicates: int) -> None:
    """Raise a BarlowError unless these are settings of a bootstrap."""
    if not 0 < confidence < 1:
        raise BarlowError(f"The confidence is {confidence}; expected a number between 0 and 1, such as 0.95.")
    if replicates < 1:
        raise BarlowError(f"The number of replicates is {replicates}; expected 1 or more, 2000 for numbers to quote.")
