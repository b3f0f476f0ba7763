"""Features as a search sees them: a few principal components on one scale. Worked out in blocks of rows, without a copy of the features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from barlow_core.directions import ROWS_AT_ONCE

VARIANCE_KEPT = 0.995
MOST_COMPONENTS = 64


@dataclass(frozen=True)
class Space:
    """Principal components of the features on one common scale: less to fit, and no feature counts for more than it varies.

    Attributes:
        mean: (D,) float64.
        axes: (m, D) float64, divided by the scale: the standard deviation along the first of them.
    """

    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, rows: np.ndarray) -> Space:
        """The components of features (n, D) over the images `rows`, increasing positions."""
        n, d = len(rows), features.shape[1]
        mean = _mean(features, rows)
        few = n < d
        if few:
            # Of fewer images than features, the products of images have the same eigenvalues, and fewer of them.
            centred = features[rows] - mean
            products = centred @ centred.T
        else:
            products = np.zeros((d, d))
            for _, block in _blocks(features, rows):
                block -= mean
                products += block.T @ block
        products /= max(n, 1)
        total = float(np.trace(products))
        if not total > 0:
            return cls(mean, np.zeros((0, d)))
        variance, axes = _largest(products)
        kept = int(np.searchsorted(np.cumsum(variance), VARIANCE_KEPT * total)) + 1
        axes = axes[: min(kept, int((variance > 1e-10 * variance[0]).sum()))]
        if few:
            axes = axes @ centred
            axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        return cls(mean, axes / np.sqrt(variance[0]))

    def coordinates(self, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(len(rows), m) float64, for features (n, D)."""
        found = np.empty((len(rows), len(self.axes)))
        for place, block in _blocks(features, rows):
            block -= self.mean
            found[place] = block @ self.axes.T
        return found

    def direction(self, weights: np.ndarray, offset: float) -> tuple[np.ndarray, float]:
        """Weights of length 1 over the features and the threshold for which `weights . coordinates + offset > 0`."""
        over = weights @ self.axes
        length = float(np.linalg.norm(over)) or 1.0
        return over / length, float(over @ self.mean - offset) / length


def _largest(products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest `MOST_COMPONENTS` eigenvalues of a symmetric matrix, the largest first, none below 0, and their eigenvectors as rows."""
    size = len(products)
    if size <= 4 * MOST_COMPONENTS:  # all of them take no longer
        values, vectors = np.linalg.eigh(products)
    else:
        values, vectors = eigh(products, subset_by_index=(size - MOST_COMPONENTS, size - 1), overwrite_a=True, check_finite=False)
    return np.maximum(values[::-1], 0)[:MOST_COMPONENTS], vectors[:, ::-1].T[:MOST_COMPONENTS]


def deviation(features: np.ndarray) -> np.ndarray:
    """(D,) float64, the standard deviation of each of the features (n, D)."""
    rows = np.arange(len(features))
    mean = _mean(features, rows)
    squares = np.zeros(features.shape[1])
    for _, block in _blocks(features, rows):
        block -= mean
        squares += np.einsum("ij,ij->j", block, block)
    return np.sqrt(squares / max(len(rows), 1))


def _mean(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    total = np.zeros(features.shape[1])
    for _, block in _blocks(features, rows):
        total += block.sum(axis=0)
    return total / max(len(rows), 1)


def _blocks(features: np.ndarray, rows: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Some of `rows` after the other, as slices of them and as float64 copies."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        yield part, features[rows[part]].astype(np.float64)
