"""Failures that lie apart from each other: where a search begins.

One direction may hold two blindspots, and then explains all failures: nothing in the failures themselves asks for a second one. What
tells two blindspots is that they lie further apart than images which do not fail do. So failures are taken as a mixture,

    p(x | failure) = c_0 N(x; m, S) + sum_k c_k N(x; m_k, S),

with mean m and covariance S of the images that do not fail: some fail by chance, as these lie, and the others in clusters, each as wide
as these. All covariances are equal, so failures are odds that are exponentials of linear functions: half-spaces, as the reasons of
`noisy_or`. An attribute that divides failures as it divides successes, half and half, is no cause to split a cluster: two deviations lie
between its values, and two normal distributions so near to each other are less likely than one. Attributes that every failure of a
cluster has do no harm, and two clusters that contradict each other in some are split.

Fitted by expectation maximisation; the number of clusters by the Bayesian information criterion (Schwarz, 1978).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

RIDGE = 0.01  # of the mean variance, added to each: directions in which successes hardly vary
MOST_CLUSTERED = 5_000  # failures that the mixture is fitted to, at random where there are more
LEAST_CLUSTERED = 12  # failures, without which a cluster is a few outliers
_STEPS, _TOLERANCE = 100, 1e-6


def clusters(x: np.ndarray, failure: np.ndarray, *, most: int, starts: int, seed: int) -> list[np.ndarray]:
    """The failures of each cluster.

    Args:
        x: (n, m) float64. failure: (n,) bool, both values present.
        most: clusters at most. starts: how often each number of clusters is begun; the likeliest is kept.

    Returns:
        (n,) bool each, no failure in two of them; outliers, and those that chance explains best, are in none.
    """
    if not x.shape[1]:
        return []
    rng = np.random.default_rng([seed, 3])
    z = _as_successes_vary(x, failure)
    few = z if len(z) <= MOST_CLUSTERED else z[rng.choice(len(z), MOST_CLUSTERED, replace=False)]
    a_cluster = 0.5 * (z.shape[1] + 1) * np.log(len(few))
    shares, means, best = np.ones(1), np.zeros((1, z.shape[1])), -0.5 * float((few**2).sum())
    for k in range(1, most + 1):
        more = max((_mixture(few, k, rng) for _ in range(starts)), key=lambda found: found[2])
        if more[2] - k * a_cluster < best:
            break
        shares, means, best = more[0], more[1], more[2] - k * a_cluster
    nearest = _densities(z, shares, means).argmax(axis=1)
    found = []
    for k in range(1, len(means)):
        inside = np.zeros(len(x), dtype=bool)
        inside[np.flatnonzero(failure)[nearest == k]] = True
        found.append(inside)
    return [inside for inside in found if inside.sum() >= LEAST_CLUSTERED]


def _as_successes_vary(x: np.ndarray, failure: np.ndarray) -> np.ndarray:
    """The failures, (f, m), where images that do not fail have mean 0 and covariance 1."""
    successes = x[~failure]
    mean = successes.mean(axis=0)
    covariance = (successes - mean).T @ (successes - mean) / len(successes)
    covariance += max(RIDGE * np.trace(covariance) / len(covariance), 1e-12) * np.eye(len(covariance))
    return np.asarray(solve_triangular(np.linalg.cholesky(covariance), (x[failure] - mean).T, lower=True)).T


def _mixture(z: np.ndarray, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Shares (k + 1,), means (k + 1, m), of which the first is chance, and log-likelihood but for a constant.

    Begun at failures far from each other, as k-means++ does (Arthur and Vassilvitskii, 2007).
    """
    centres = [z[rng.integers(len(z))]]
    for _ in range(k - 1):
        apart = np.min([((z - centre) ** 2).sum(axis=1) for centre in centres], axis=0) + 1e-12
        centres.append(z[rng.choice(len(z), p=apart / apart.sum())])
    means, shares = np.vstack([np.zeros(z.shape[1]), *centres]), np.full(k + 1, 1 / (k + 1))
    likelihood = -np.inf
    for _ in range(_STEPS):
        joint = _densities(z, shares, means)
        each = logsumexp(joint, axis=1)
        before, likelihood = likelihood, float(each.sum())
        if likelihood - before < _TOLERANCE * abs(likelihood):
            break
        belongs = np.exp(joint - each[:, None])
        total = belongs.sum(axis=0) + 1e-9
        shares = total / total.sum()
        means = np.vstack([means[:1], belongs[:, 1:].T @ z / total[1:, None]])
    return shares, means, likelihood


def _densities(z: np.ndarray, shares: np.ndarray, means: np.ndarray) -> np.ndarray:
    """(f, k + 1), log of share and density, but for a constant."""
    squares = (z**2).sum(axis=1)[:, None] - 2 * z @ means.T + (means**2).sum(axis=1)
    return np.asarray(np.log(shares) - 0.5 * squares)
