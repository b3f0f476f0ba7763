"""Near-duplicates among the images of a group, found from their features: frames of one video, photos of one crate.

Two images are near-duplicates when the cosine similarity of their features, standardized over the group, is at least what a
pair of the group would reach by chance once in a hundred such groups: with m and s the median and the robust standard deviation
(1.4826 * median absolute deviation) of Fisher's z = artanh(similarity) over all pairs of the n images, tanh(m + s * q), q the
normal quantile of 1 - 0.01 / (n (n - 1) / 2), and never below 0.71 (half of what varies is shared) or above 0.98. Blocks are what
such pairs connect. The rule takes for granted that most pairs are no duplicates: where a group is a few scenes and nothing else, it
finds too few.

Where near-duplicates stand on both sides of a fold, a held-out image was as good as searched: a rule that only recognizes one crate
is measured on other photos of that crate, and held-out rates come out too good. `held_out` counts such images for each rule, and
`blocks` keeps them together where that is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import ndtri

CHANCE = 0.01
LOWEST, HIGHEST = 0.5**0.5, 0.98
# In larger groups nobody is made to wait unasked: 20,000 images of 2,048 features are 0.4e12 multiplications and additions.
MOST_IMAGES = 20_000
FEWEST_IMAGES = 10  # below, the spread of the similarities says nothing, and the threshold is the highest one
SAMPLE = 500  # images whose 125,000 pairs set the threshold; all where there are no more
ROWS_AT_ONCE = 1_024


@dataclass(frozen=True)
class Duplicates:
    """The near-duplicates of a group of n images.

    Attributes:
        blocks: (n,) int64, the same number for images that belong together.
        threshold: similarity from which on two images are near-duplicates, in [-1, 1].
    """

    blocks: np.ndarray
    threshold: float

    @property
    def n_images(self) -> int:
        """Images that have a near-duplicate."""
        return int(self._sizes[self._sizes > 1].sum())

    @property
    def n_blocks(self) -> int:
        """Blocks of two or more images."""
        return int((self._sizes > 1).sum())

    @property
    def _sizes(self) -> np.ndarray:
        return np.bincount(self.blocks) if len(self.blocks) else np.zeros(0, dtype=np.int64)


def near_duplicates(features: np.ndarray, *, seed: int = 0) -> Duplicates:
    """Find the near-duplicates of a group by the rule of this module.

    Args:
        features: (n, D) features of the group's images, finite.
        seed: of the sample of images that sets the threshold, in groups of more than `SAMPLE`.

    Cost: n^2 D / 2 multiplications and additions, as matrix products of `ROWS_AT_ONCE` rows (1,300 images of 2,048 features: 0.2 s on
    a core); memory for a standardized copy of the features and ROWS_AT_ONCE * n similarities.
    """
    n = len(features)
    rows = _standardized(features)
    threshold = _threshold(rows, n, seed)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for start in range(0, n, ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, n)
        similar = rows[start:stop] @ rows[start:].T >= threshold
        one, two = np.nonzero(similar)
        found.append((one[one < two] + start, two[one < two] + start))
    pairs = [np.concatenate(side) for side in zip(*found, strict=True)] if found else [np.zeros(0, dtype=np.int64)] * 2
    graph = coo_matrix((np.ones(len(pairs[0]), dtype=bool), (pairs[0], pairs[1])), shape=(n, n))
    _, blocks = connected_components(graph, directed=False)
    return Duplicates(np.asarray(blocks, dtype=np.int64), threshold)


def _standardized(features: np.ndarray) -> np.ndarray:
    """(n, d) float32 of the d features that vary, with mean 0 and deviation 1, then every row of length 1."""
    rows = np.asarray(features, dtype=np.float32)
    if not len(rows):
        return rows
    rows = rows[:, (rows != rows[0]).any(axis=0)]
    rows = rows - rows.mean(axis=0)
    rows /= np.maximum(rows.std(axis=0), np.finfo(np.float32).tiny)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


def _threshold(rows: np.ndarray, n: int, seed: int) -> float:
    if n < FEWEST_IMAGES:
        return HIGHEST
    if n > SAMPLE:
        rows = rows[np.sort(np.random.default_rng(seed).choice(n, size=SAMPLE, replace=False))]
    similar = (rows @ rows.T)[np.triu_indices(len(rows), 1)].astype(np.float64)
    z = np.arctanh(np.clip(similar, -HIGHEST, HIGHEST))
    middle = float(np.median(z))
    spread = 1.4826 * float(np.median(np.abs(z - middle)))
    reach = middle - spread * float(ndtri(CHANCE / (n * (n - 1) / 2)))
    return float(np.clip(np.tanh(reach), LOWEST, HIGHEST))
