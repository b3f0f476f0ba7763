"""A rule over many features said with few: what a person can read, and how nearly it selects the same images."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import orthogonal_mp

from barlow_core.directions import Direction

NEARLY = 0.9  # Jaccard index from which on two rules select nearly the same images


@dataclass(frozen=True)
class ShortRule:
    """The images whose weighted sum of a few features lies above a threshold, in the place of a rule over many.

    Attributes:
        direction: of length 1; the feature that takes the most part first.
        threshold: in the unit of the features.
        agreement: Jaccard index of the images that it and the rule select, among those that were not searched; None where neither
            selects one of them.
        held_out_n_images, held_out_n_failures: that it selects among those, and how many of them fail.
    """

    direction: Direction
    threshold: float
    agreement: float | None
    held_out_n_images: int
    held_out_n_failures: int

    def holds(self, features: np.ndarray) -> np.ndarray:
        """(n,) bool for features (n, D): the images that it selects."""
        return self.direction.values(features) > self.threshold


def shorten(features: np.ndarray, scores: np.ndarray, *, most: int) -> tuple[Direction, float] | None:
    """The fewest features, at most `most`, of which a weighted sum selects nearly the images with scores above 0.

    Features are added by orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad, 1993) for the scores; of each number of
    them, the threshold is the one with the highest Jaccard index.

    Args:
        features: (n, D), of the images that were searched. scores: (n,) float64, of the rule.

    Returns:
        Direction and threshold: the shortest that reaches `NEARLY`, else that of `most` features. None where no feature tells
        anything of the scores, or no score is above 0.
    """
    target = scores > 0
    deviation = features.std(axis=0, dtype=np.float64)
    varying = np.flatnonzero(deviation > 0)
    if not target.any() or not len(varying):
        return None
    rows = (features[:, varying] - features[:, varying].mean(axis=0, dtype=np.float64)) / deviation[varying]
    with warnings.catch_warnings():
        # It warns when nothing is left to explain, which is all the better.
        warnings.simplefilter("ignore", RuntimeWarning)
        path = orthogonal_mp(rows, scores - scores.mean(), n_nonzero_coefs=min(most, len(varying)), return_path=True)
    best = None
    for column in np.atleast_2d(path.T):
        taken = np.flatnonzero(column)
        if not len(taken):
            continue
        order = taken[np.argsort(-np.abs(column[taken]), kind="stable")]
        weights = column[order] / deviation[varying[order]]
        weights /= np.linalg.norm(weights)
        direction = Direction(tuple(varying[order].tolist()), tuple(weights.tolist()))
        threshold, agreement = _closest(direction.values(features), target)
        best = direction, threshold
        if agreement >= NEARLY:
            break
    return best


def agreement(one: np.ndarray, other: np.ndarray) -> float | None:
    """Jaccard index of two choices of images, (n,) bool; None where both are empty."""
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else None


def _closest(values: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """The threshold of values, (n,) float64, above which lie most nearly the images of target, (n,) bool; and the Jaccard index."""
    order = np.argsort(-values, kind="stable")
    inside = np.cumsum(target[order])
    n = np.arange(1, len(values) + 1)
    found = inside / (n + target.sum() - inside)
    ranked = values[order]
    ends = np.append(ranked[:-1] > ranked[1:], True)  # a threshold cannot part equal values
    last = int(np.argmax(np.where(ends, found, -1)))
    below = ranked[last + 1] if last + 1 < len(ranked) else ranked[last] - 1
    return float(ranked[last] + below) / 2, float(found[last])
