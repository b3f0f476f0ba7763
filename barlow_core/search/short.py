"""A rule over many features said with few: what a person can read, and how nearly it selects the same images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import orthogonal_mp

from barlow_core.directions import Direction

MOST_PURSUED = 10_000
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


def shorten(
    features: np.ndarray, rules: Sequence[np.ndarray], *, most: int, rows: np.ndarray | None = None
) -> list[tuple[Direction, float] | None]:
    """For each rule the fewest features, at most `most`, of which a weighted sum selects nearly the images with scores above 0.

    Features are added by orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad, 1993) for the scores, over at most about
    `MOST_PURSUED` images; of each number of features, the threshold is the one with the highest Jaccard index, over all images.

    Args:
        features: (n, D). rows: positions of the images that were searched; None for all.
        rules: (len(rows),) float64 each, the scores of a rule.

    Returns:
        Direction and threshold: the shortest that reaches `NEARLY`, else that of `most` features. None where no feature tells
        anything of the scores, or no score is above 0.
    """
    if not rules:
        return []
    rows = np.arange(len(features)) if rows is None else rows
    every = slice(None, None, -(-len(rows) // MOST_PURSUED))
    standard = features[rows[every]].astype(np.float64)
    standard -= standard.mean(axis=0)
    deviation = standard.std(axis=0)
    varying = np.flatnonzero(deviation > 1e-12)
    standard = standard[:, varying] / deviation[varying]

    def short(scores: np.ndarray) -> tuple[Direction, float] | None:
        target, pursued = scores > 0, scores[every]
        if not target.any() or not len(varying):
            return None
        with warnings.catch_warnings():
            # It warns when nothing is left to explain, which is all the better.
            warnings.simplefilter("ignore", RuntimeWarning)
            path = orthogonal_mp(standard, pursued - pursued.mean(), n_nonzero_coefs=min(most, len(varying)), return_path=True)
        best = None
        for column in np.atleast_2d(path.T):
            taken = np.flatnonzero(column)
            if not len(taken):
                continue
            order = taken[np.argsort(-np.abs(column[taken]), kind="stable")]
            weights = column[order] / deviation[varying[order]]
            weights /= np.linalg.norm(weights)
            direction = Direction(tuple(varying[order].tolist()), tuple(weights.tolist()))
            threshold, agreement = _closest(direction.values(features, rows), target)
            best = direction, threshold
            if agreement >= NEARLY:
                break
        return best

    return [short(scores) for scores in rules]


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
