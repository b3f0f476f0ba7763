"""A fast estimator of mutual information between a real feature and failure: cut the feature into bins and count.

Bins. The images that share a feature's least value, if there are at least two of them, have bin 0 to themselves: in rectified
features these are the images where the feature is silent, often most of them. The others, m of the n, are cut into
ceil(B m / n) bins of equal frequency, where B = `bins_for(n)`. Equal values share a bin.

Estimate. With n_b images and f_b failures in bin b, F failures in all, and 0 log 0 = 0,

    I_plugin = sum_b [ f_b / n * log(f_b n / (n_b F)) + (n_b - f_b) / n * log((n_b - f_b) n / (n_b (n - F))) ],
    I        = max(0, I_plugin - E),

where E is the mean of I_plugin over all ways to shuffle failure among the images, so that each f_b is hypergeometric. With many
images of both outcomes in every bin, E is the correction of Miller and Madow, (bins - 1) / 2n; unlike that, it is exact for a
handful of failures too: before it is cut at 0, the estimate for a feature that has nothing to do with failure is 0 on average.
It is the correction for chance of Vinh, Epps and Bailey (2010), without their division. Written with t(x) = x log x,

    I_plugin - E = 1/n sum_b [ t(f_b) + t(n_b - f_b) - g(n_b) ],   g(a) = mean of t(f) + t(a - f), f hypergeometric (n, F, a).

Nothing is random, and a strictly increasing transform of a feature leaves its estimate as it is.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, xlogy

BLOCK = 1 << 17
"""Numbers of a block of columns while bins are made."""

PRODUCT = 32 << 20
"""Bytes of the largest matrix that `BinnedInformation.many` works with."""


def bins_for(n: int) -> int:
    """How many bins of equal frequency for n images: the least B with B**3 >= n, but from 2 to 32."""
    return next(bins for bins in range(2, 33) if bins**3 >= n or bins == 32)


class BinnedInformation:
    """I(failure; feature) from bins, for one failure after another over the same features.

    Args:
        features: (n, D) finite real numbers. Only their bins are kept, a byte each.
        bins: B of the module, up to 254; None for `bins_for(n)`.
    """

    def __init__(self, features: np.ndarray, *, bins: int | None = None):
        n, width = features.shape
        most = bins or bins_for(n)
        self._bins = np.empty((width, n), dtype=np.uint8)
        self._sizes = np.empty((width, most + 1), dtype=np.int64)
        step = max(8, BLOCK // max(1, n))
        for start in range(0, width, step):
            columns = slice(start, start + step)
            self._bins[columns] = cut(features[:, columns], most)
            self._sizes[columns] = _count(self._bins[columns], most + 1)
        self._t = xlogy(np.arange(n + 1.0), np.arange(n + 1.0))
        self._chance: dict[int, np.ndarray] = {}

    def __call__(self, failure: np.ndarray) -> np.ndarray:
        """The estimate for failure, (n,) bool: (D,) float64 in nats, at least 0."""
        rarer = failure if 2 * np.count_nonzero(failure) <= len(failure) else ~failure
        counts = _count(np.take(self._bins, np.flatnonzero(rarer), axis=1), self._sizes.shape[1])
        return self._estimate(counts, self._sizes, int(np.count_nonzero(rarer)))

    def many(self, failures: np.ndarray) -> np.ndarray:
        """The estimates for failures, (P, n) bool: (P, D), the same as one call each at a fraction of the time.

        All are counted together, as a product of 0/1 matrices in float32 (exact up to 2**24 images). Counting one by one is
        quicker where one outcome is rare.
        """
        width, n = self._bins.shape
        n_bins = self._sizes.shape[1]
        rarer = np.where((2 * np.count_nonzero(failures, axis=1) > n)[:, None], ~failures, failures)
        totals = np.count_nonzero(rarer, axis=1)
        estimates = np.empty((len(failures), width))
        if totals.max(initial=0) * n_bins < n:
            for row, failure in enumerate(rarer):
                estimates[row] = self(failure)
            return estimates
        ones = rarer.astype(np.float32)
        step = max(1, PRODUCT // (4 * n_bins * max(1, n, 4 * len(failures))))
        for start in range(0, width, step):
            columns = slice(start, start + step)
            in_bin = (self._bins[columns, None, :] == np.arange(n_bins, dtype=np.uint8)[:, None]).astype(np.float32)
            counts = (ones @ in_bin.reshape(-1, n).T).astype(np.int64).reshape(len(failures), -1, n_bins)
            for total in np.unique(totals):
                rows = totals == total
                estimates[rows, columns] = self._estimate(counts[rows], self._sizes[columns], int(total), columns)
        return estimates

    def _estimate(self, counts: np.ndarray, sizes: np.ndarray, total: int, columns: slice = slice(None)) -> np.ndarray:
        """The module's last equation for counts (..., columns, bins) of the rarer outcome, which `total` images have."""
        n = self._bins.shape[1]
        if total == 0:
            return np.zeros(counts.shape[:-1])
        terms = np.take(self._t, counts)
        terms += np.take(self._t, sizes - counts)
        return np.maximum(0.0, (terms.sum(axis=-1) - self._by_chance(total)[columns]) / n)

    def _by_chance(self, total: int) -> np.ndarray:
        """(D,): the sum of g over the bins of every feature. Kept for one `total`: shuffling failure does not change it."""
        if total not in self._chance:
            sizes, place = np.unique(self._sizes, return_inverse=True)
            self._chance = {
                total: mean_by_chance(sizes, self._bins.shape[1], total)[place.reshape(self._sizes.shape)].sum(axis=1)
            }
        return self._chance[total]


def cut(features: np.ndarray, most: int) -> np.ndarray:
    """The bin of every image for every feature, as the module says.

    Args:
        features: (n, columns) real numbers.
        most: B.

    Returns:
        (columns, n) uint8, from 0 to `most`; 0 only for images that share the least value.
    """
    n = len(features)
    values = np.ascontiguousarray(np.ascontiguousarray(features).T)
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float64)
    bins = np.zeros(values.shape, dtype=np.uint8)
    if n == 0:
        return bins
    ranked = np.sort(values, axis=1)
    least = np.count_nonzero(ranked == ranked[:, :1], axis=1)
    least[least == 1] = 0
    others = n - least
    parts = -(-most * others // n)
    for part in range(most):
        # Bin `part` + 1 begins at the value of this rank, unless the feature has fewer bins.
        begins = np.flatnonzero(part < parts)
        rank = least[begins] + part * others[begins] // parts[begins]
        edge = np.full(len(values), np.inf, dtype=values.dtype)
        edge[begins] = ranked[begins, rank]
        bins += (values >= edge[:, None]).view(np.uint8)
    return bins


def _count(bins: np.ndarray, n_bins: int) -> np.ndarray:
    """How often each bin occurs in each row of `bins`, (columns, images) uint8: (columns, n_bins) int64."""
    width = len(bins)
    flat = bins + np.arange(0, width * n_bins, n_bins)[:, None]
    return np.bincount(flat.ravel(), minlength=width * n_bins).reshape(width, n_bins)


def mean_by_chance(sizes: np.ndarray, n: int, total: int) -> np.ndarray:
    """g of the module: the mean of t(f) + t(a - f) for f hypergeometric, the failures among `a` of n images with `total` failures.

    Args:
        sizes: (m,) int64, the values of a, from 0 to n.

    Returns:
        (m,) float64. What lies more than nine standard deviations and twenty counts from the mean is left out.
    """
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    t = xlogy(np.arange(n + 1.0), np.arange(n + 1.0))
    share = total / n
    mean = sizes * share
    spread = 9 * np.sqrt(mean * (1 - share) * (1 - sizes / n)) + 20
    low = np.maximum(np.floor(mean - spread).astype(np.int64), np.maximum(0, sizes - (n - total)))
    high = np.minimum(np.ceil(mean + spread).astype(np.int64), np.minimum(sizes, total))
    result = np.empty(len(sizes))
    widest = int((high - low).max(initial=0)) + 1
    step = max(1, (1 << 20) // widest)
    for start in range(0, len(sizes), step):
        part = slice(start, start + step)
        a = sizes[part, None]
        f = low[part, None] + np.arange(widest)
        possible = f <= high[part, None]
        f = np.minimum(f, high[part, None])
        log_ways = -(log_factorial[f] + log_factorial[total - f] + log_factorial[a - f] + log_factorial[n - total - a + f])
        ways = np.where(possible, np.exp(log_ways - log_ways.max(axis=1, keepdims=True)), 0.0)
        result[part] = (ways * (t[f] + t[a - f])).sum(axis=1) / ways.sum(axis=1)
    return result
