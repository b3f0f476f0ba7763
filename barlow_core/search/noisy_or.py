"""Several reasons to fail, each a direction in feature space: the model that a search fits, and how.

    P(failure | x) = 1 - (1 - e) * prod_k (1 - s(w_k . x + b_k)),      s(t) = 1 / (1 + exp(-t))

an image fails by chance with probability e, or for any of K reasons, each of which is a logistic function of one direction.
This is a noisy OR (Pearl, 1988) of logistic regressions. A conjunction of attributes that features show linearly is a half-space
of their sum, so one reason can hold a conjunction of any length, and several reasons several of them at once.

Fitted by penalised maximum likelihood (L-BFGS). The first reasons are begun at clusters of failures that lie apart (`clusters`); more
are added one by one, each begun at several failures that the others do not explain. All of them are fitted together after each step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from barlow_core.search.clusters import clusters

# A reason must add this many nats of penalised log-likelihood a parameter. Half of what Akaike's criterion asks: weights are
# penalised already, and what is luck will not be confirmed.
LEAST_GAIN = 0.5
NEIGHBOURS = 12  # failures around a start that a new reason is first fitted to
_FIRST_STEPS, _JOINT_STEPS, _LAST_STEPS = 30, 50, 150


@dataclass(frozen=True)
class NoisyOr:
    """A fitted model.

    Attributes:
        weights: (K, m) float64. offsets: (K,) float64, b. chance: e, in (0, 1).
        objective: penalised negative log-likelihood, nats.
    """

    weights: np.ndarray
    offsets: np.ndarray
    chance: float
    objective: float

    def scores(self, x: np.ndarray) -> np.ndarray:
        """(n, K) log-odds of failing for each reason: above 0 where an image fails for it more often than not."""
        return x @ self.weights.T + self.offsets


def fit(x: np.ndarray, failure: np.ndarray, *, penalty: float, most: int, starts: int, seed: int) -> NoisyOr:
    """Fit up to `most` reasons.

    Args:
        x: (n, m) float64. failure: (n,) bool, both values present.
        penalty: half the weight of the squared length of every w_k.
        starts: failures at which each new reason, and each number of clusters, is begun; the best is kept.
    """
    rng = np.random.default_rng(seed)
    rate = float(failure.mean())
    none = -len(failure) * (rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
    model = NoisyOr(np.zeros((0, x.shape[1])), np.zeros(0), rate, none)
    for near in clusters(x, failure, most=most, starts=starts, seed=seed):
        model = _with(model, _alone(x, failure, near, penalty))
    if len(model.offsets):
        model = _minimise(model, x, failure, penalty, _LAST_STEPS)
    failed = np.flatnonzero(failure)
    while len(model.offsets) < most:
        unexplained = np.exp(-np.logaddexp(0, model.scores(x[failed])).sum(axis=1))
        if unexplained.sum() < 3:
            break
        begun = (
            _add(model, x, failure, failed, unexplained, int(rng.choice(len(failed), p=unexplained / unexplained.sum())), penalty)
            for _ in range(starts)
        )
        best = min(begun, key=lambda candidate: candidate.objective)
        best = _minimise(best, x, failure, penalty, _LAST_STEPS)
        if best.objective > model.objective - LEAST_GAIN * (x.shape[1] + 1):
            break
        model = best
    return model


def _add(
    model: NoisyOr, x: np.ndarray, failure: np.ndarray, failed: np.ndarray, unexplained: np.ndarray, start: int, penalty: float
) -> NoisyOr:
    """One more reason, begun with the failures around the one numbered `start` that are not explained yet."""
    distance = ((x[failed] - x[failed[start]]) ** 2).sum(axis=1) / np.maximum(unexplained, 1e-3)
    near = np.zeros(len(x), dtype=bool)
    near[failed[np.argsort(distance, kind="stable")[:NEIGHBOURS]]] = True
    return _minimise(_with(model, _alone(x, failure, near, penalty)), x, failure, penalty, _JOINT_STEPS)


def _alone(x: np.ndarray, failure: np.ndarray, near: np.ndarray, penalty: float) -> NoisyOr:
    """One reason for the failures `near`, (n,) bool, and none for the others."""
    rows = near | ~failure
    alone = NoisyOr(np.zeros((1, x.shape[1])), np.array([-2.0]), 1e-4, np.inf)
    return _minimise(alone, x[rows], near[rows], penalty, _FIRST_STEPS)


def _with(model: NoisyOr, more: NoisyOr) -> NoisyOr:
    """The reasons of both, not yet fitted together."""
    return NoisyOr(np.vstack([model.weights, more.weights]), np.append(model.offsets, more.offsets), model.chance, np.inf)


def _minimise(model: NoisyOr, x: np.ndarray, failure: np.ndarray, penalty: float, steps: int) -> NoisyOr:
    k, m = model.weights.shape
    start = np.concatenate([model.weights.ravel(), model.offsets, [np.log(model.chance / (1 - model.chance))]])
    found = minimize(_objective, start, (x, failure, k, penalty), "L-BFGS-B", jac=True, options={"maxiter": steps})
    weights, offsets, chance = found.x[: k * m].reshape(k, m), found.x[k * m : -1], float(expit(found.x[-1]))
    return NoisyOr(weights, offsets, min(max(chance, 1e-9), 1 - 1e-9), float(found.fun))


def _objective(theta: np.ndarray, x: np.ndarray, failure: np.ndarray, k: int, penalty: float) -> tuple[float, np.ndarray]:
    """Penalised negative log-likelihood and its gradient."""
    m = x.shape[1]
    weights = theta[: k * m].reshape(k, m)
    scores = x @ weights.T + theta[k * m : -1]
    small = np.exp(-np.abs(scores))
    softplus = np.maximum(scores, 0) + np.log1p(small)
    chance = expit(theta[-1])
    # log P(no failure); never quite 0, so that its complement has a logarithm.
    log_right = np.minimum(-softplus.sum(axis=1) - np.logaddexp(0, theta[-1]), -1e-12)
    wrong = -np.expm1(log_right[failure])
    value = -log_right[~failure].sum() - np.log(wrong).sum() + penalty / 2 * (weights**2).sum()
    slope = np.ones(len(x))
    slope[failure] = -(1 - wrong) / wrong
    by_score = np.where(scores > 0, 1, small) / (1 + small) * slope[:, None]
    gradient = np.concatenate([(by_score.T @ x + penalty * weights).ravel(), by_score.sum(axis=0), [slope.sum() * chance]])
    return float(value), gradient
