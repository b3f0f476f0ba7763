"""Do two kinds of answer differ in their means, with items and workers both drawn at random? A difference with its interval and test.

The variance of the difference is that of two-way clusters (Cameron, Gelbach and Miller 2011, Journal of Business and Economic Statistics
29, 238-249): squared sums of what each answer contributes, by item, plus those by worker, minus those of what is both the same. Whatever
the design is, it is in these sums: what an item or a worker does on both sides cancels out of theirs, and what stands on one side only
does not. Clusters may be wider than items, such as pairs of items that are alike but for what is compared. The variance is never taken
to be smaller than that of answers without what their items and workers have in common, which would be left if these mattered on no side;
where so few answers are given that this is not known, not smaller than the largest of the three sums.

Interval and p are of one Student's t. Its degrees of freedom are those of the items or of the workers, whichever has fewer: one less than
there are, and two where no item (no worker) is on both sides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.stats import t

from study.statistics.estimates import ALL_THE_SAME, CONFIDENCE, Estimate, check_settings, estimate_of
from study.statistics.resampling import Clusters, ids_of

FEWEST = 3
ROUNDS = 20
TOO_FEW = "fewer than {n} {what} on a side: neither interval nor test"


class MeanDifference(NamedTuple):
    """The means of two sides compared.

    Attributes:
        estimate: mean of the first minus that of the second; its interval leaves out 0 exactly where p < 1 - confidence.
        p: two-sided, that the difference is 0; None where there is no test.
        degrees_of_freedom: of Student's t.
    """

    estimate: Estimate
    p: float | None
    degrees_of_freedom: int | None


def difference_of_means(
    values: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    items: ArrayLike,
    workers: ArrayLike,
    *,
    confidence: float = CONFIDENCE,
) -> MeanDifference:
    """Mean of some answers minus mean of others.

    Args:
        values: (n,) numbers; NaN for an answer that is missing.
        first, second: (n,) bool, which answers belong to which.
        items, workers: (n,) ids of the clusters.
    """
    check_settings(confidence, 1)
    numbers = np.asarray(values, dtype=np.float64)
    sides = np.array([np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)])
    kept = ~np.isnan(numbers) & sides.any(axis=0)
    numbers, sides = numbers[kept], sides[:, kept]
    clusters = Clusters(ids_of(items)[kept], ids_of(workers)[kept])
    sizes = sides.sum(axis=1)
    if not sizes.all():
        reason = f"no answers on the {'first' if not sizes[0] else 'second'} side"
        return MeanDifference(estimate_of(None, None, None, clusters, confidence, reason), None, None)
    means = [float(numbers[side].mean()) for side in sides]
    value = means[0] - means[1]

    def without(reason: str) -> MeanDifference:
        return MeanDifference(estimate_of(value, None, None, clusters, confidence, reason), None, None)

    if (numbers == numbers[0]).all():
        return without(ALL_THE_SAME)
    both, _ = pd.factorize(pd.Series(clusters.item.astype(np.int64) * (clusters.n_workers + 1) + clusters.worker))
    codes = {"items": clusters.item, "workers": clusters.worker, "answers": both}
    per_side = {what: [len(np.unique(of[side])) for side in sides] for what, of in codes.items()}
    for what in ("items", "workers"):
        if min(per_side[what]) < FEWEST:
            return without(TOO_FEW.format(n=FEWEST, what=what))
    # What each answer adds to the difference, beyond its side's mean.
    parts = np.where(sides[0], (numbers - means[0]) / sizes[0], -(numbers - means[1]) / sizes[1])
    variances = {}
    for what, of in codes.items():
        fewest = min(per_side[what])
        variances[what] = fewest / (fewest - 1) * float((np.bincount(of, weights=parts) ** 2).sum())
    floor = _noise(parts, sizes, sides, clusters)
    variance = max(
        floor if floor is not None else max(variances.values()), variances["items"] + variances["workers"] - variances["answers"]
    )
    degrees = min(_degrees(codes[what], sides) for what in ("items", "workers"))
    if variance <= 0:  # every side is the same all over
        return without("no answers differ on either side: neither interval nor test")
    error = float(np.sqrt(variance))
    half = float(t.ppf((1 + confidence) / 2, degrees)) * error
    p = float(2 * t.sf(abs(value) / error, degrees))
    return MeanDifference(estimate_of(value, value - half, value + half, clusters, confidence, None), p, degrees)


def _noise(parts: np.ndarray, sizes: np.ndarray, sides: np.ndarray, clusters: Clusters) -> float | None:
    """The variance of the difference if answers differed by noise alone: what is left of them without the means of items and workers.

    None where as many answers are given as there are such means.
    """
    n_means = clusters.n_items + clusters.n_workers
    joined = csr_matrix((np.ones(len(clusters)), (clusters.item, clusters.n_items + clusters.worker)), shape=(n_means, n_means))
    # One less for every part that is joined to no other, and one more for the difference of the sides.
    degrees = len(clusters) - (n_means - connected_components(joined, directed=False)[0] + 1)
    if degrees < 1:
        return None
    # As deviations from the mean of a side, on the scale of answers; the means are taken out in turn until nothing changes.
    left = parts * np.where(sides[0], sizes[0], -sizes[1])
    for _ in range(ROUNDS):
        for codes, n in ((clusters.item, clusters.n_items), (clusters.worker, clusters.n_workers)):
            left = left - (np.bincount(codes, weights=left, minlength=n) / np.bincount(codes, minlength=n))[codes]
    noise = float((left**2).sum()) / degrees
    return noise * float((1 / sizes).sum())


def _degrees(codes: np.ndarray, sides: np.ndarray) -> int:
    """Clusters less the means that are estimated from them: one where some are on both sides, else two."""
    one, other = (np.unique(codes[side]) for side in sides)
    return len(np.union1d(one, other)) - (1 if len(np.intersect1d(one, other)) else 2)
