"""Weighted sums of features: what a rule of `barlow_core.search` measures, and what a panel can show of it.

A direction is seen as a feature is: its value in an image is the weighted sum of features, and because features are means of feature
maps, that is the mean of the weighted sum of the maps. A feature is the direction with weight 1 along it alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from barlow_core.errors import BarlowError
from barlow_core.wording import count

ROWS_AT_ONCE = 4_096


@dataclass(frozen=True)
class Direction:
    """A weighted sum of features.

    Attributes:
        features: indices into the D features of an extractor, each once; the one that takes the most part first, where that is known.
        weights: one a feature, finite, not 0.
    """

    features: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        fits = len(self.features) == len(self.weights) == len(set(self.features)) > 0
        if not fits or min(self.features) < 0 or not all(weight != 0 and np.isfinite(weight) for weight in self.weights):
            raise BarlowError(
                f"A direction of features {list(self.features)} with weights {list(self.weights)}. Expected one or more features, each "
                "once and from 0 on, with one finite weight other than 0 each."
            )

    @classmethod
    def of(cls, feature: int | Direction) -> Direction:
        """A feature as a direction; a direction as it is."""
        return feature if isinstance(feature, Direction) else cls((int(feature),), (1.0,))

    def values(self, features: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """(n,) float64, the weighted sum for features (n, D), or for n rows of them: nothing else of a file is read."""
        columns, weights = np.asarray(self.features), np.asarray(self.weights)
        rows = np.arange(len(features)) if rows is None else rows
        many = 2 * len(columns) > features.shape[1]  # whole rows are read faster than most of their columns
        if many:
            weights = np.zeros(features.shape[1])
            weights[columns] = self.weights
        found = np.empty(len(rows))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            chosen = features[part] if many else features[np.ix_(part, columns)]
            found[start : start + len(part)] = chosen.astype(np.float64) @ weights
        return found

    @property
    def noun(self) -> str:
        """What it is to people: "feature" or "weighted sum"."""
        return "feature" if self.weights == (1.0,) else "weighted sum"

    @property
    def words(self) -> str:
        """What to call it in a sentence: "feature 12", "weighted sum of 5 features"."""
        if self.weights == (1.0,):
            return f"feature {self.features[0]}"
        return f"weighted sum of {count(len(self.features), 'feature')}"

    @property
    def slug(self) -> str:
        """A name for a file or folder: other weights, another name."""
        if self.weights == (1.0,):
            return str(self.features[0])
        return f"direction-{hashlib.blake2b(repr((self.features, self.weights)).encode(), digest_size=6).hexdigest()}"

    def __str__(self) -> str:
        """0.80 feature[12] - 0.60 feature[7]"""
        return " ".join(
            f"{'- ' if weight < 0 else '+ ' if number else ''}{abs(weight):.2f} feature[{feature}]"
            for number, (feature, weight) in enumerate(zip(self.features, self.weights, strict=True))
        )
