"""Images that belong together (frames of a video, photos of one shelf, slices of one patient) are kept together by every check.

Blocks are numbers, one an image: images with the same number belong together. Images of one block fail alike and look alike, so
they are not as many independent observations as there are images:

    cross-fitting       a block stands on one side of every fold
    permutation test    blocks are shuffled as wholes, see `shuffled`
    stability           halves are made of blocks, see `half_of_blocks`
    intervals           count as many images as the blocks are worth, see `BlockCounts`

Where every image is a block of its own, all of this is exactly what is done without blocks.

References: Kish (1965), Survey Sampling, section 8.2 (design effect); Rao and Scott (1992), Biometrics 48, 577-585 (effective
counts of clustered binary data); Korn and Graubard (1998), Survey Methodology 24, 193-201 (degrees of freedom).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from barlow_core.errors import BarlowError


def as_blocks(blocks: ArrayLike | None, n_images: int) -> np.ndarray | None:
    """(n,) int64 blocks numbered from 0 by their first image; None where every image is its own.

    Raises:
        BarlowError: not one whole number an image.
    """
    if blocks is None:
        return None
    given = np.asarray(blocks)
    if given.shape != (n_images,) or given.dtype.kind not in "iu":
        raise BarlowError(
            f"blocks has shape {given.shape} and type {given.dtype}. Expected one whole number for each of {n_images} images."
        )
    _, first, inverse = np.unique(given, return_index=True, return_inverse=True)
    if len(first) == n_images:
        return None
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def n_folds(failure: np.ndarray, blocks: np.ndarray | None, folds: int) -> int:
    """How many folds can be made: at most as many as blocks with a failure, and as blocks with a success."""
    if blocks is None:
        return min(folds, int(failure.sum()), int((~failure).sum()))
    return min(folds, len(np.unique(blocks[failure])), len(np.unique(blocks[~failure])))


def split_folds(failure: np.ndarray, blocks: np.ndarray | None, folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (searched, held out), positions of images, for each part; parts have about equal size and equal BER.

    Without blocks by scikit-learn's StratifiedKFold, with them by StratifiedGroupKFold, which deals large blocks first. Parts that
    would be empty (few blocks, of very different sizes) are left out.
    """
    nothing = np.zeros(len(failure))
    if blocks is None:
        yield from StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed).split(nothing, failure)
        return
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    for searched, held_out in splitter.split(nothing, failure, blocks):
        if len(held_out):
            yield searched, held_out


@dataclass(frozen=True)
class BlockCounts:
    """A share k / n of images in blocks, and how many independent images it is worth.

    The variance of the share is estimated by the ratio estimator over blocks, B / (B - 1) * sum over blocks of
    (k_b - p n_b)^2 / n^2 with p = k / n (linearization). Divided by p (1 - p) / (n - 1) it is the design effect, and n over it the
    effective number of images; with few blocks the estimate is itself uncertain, so the number is scaled by
    (t(n - 1) / t(B - 1))^2, the quantiles of Student's t at the confidence asked for (Korn and Graubard). It is kept between Kish's
    n^2 / sum n_b^2, which holds when images of a block always fail together, and n. Where all images fail, or none, nothing
    shows how alike those of a block are, and it is Kish's.

    Attributes:
        count, total: k and n.
        n_blocks: B, blocks with an image among the n.
        robust: n / design effect; None where it cannot be estimated.
        kish: n^2 / sum n_b^2.
    """

    count: int
    total: int
    n_blocks: int
    robust: float | None
    kish: float

    @classmethod
    def of(cls, hits: np.ndarray, blocks: np.ndarray) -> BlockCounts:
        """Of images with blocks (n,) and what is counted among them, (n,) bool."""
        n, k = len(hits), int(hits.sum())
        if n == 0:
            return cls(0, 0, 0, None, 0.0)
        _, inside = np.unique(blocks, return_inverse=True)
        sizes, counts = np.bincount(inside), np.bincount(inside, weights=hits)
        n_blocks, p = len(sizes), k / n
        kish = n**2 / float((sizes**2).sum())
        if n_blocks == 1 or k in (0, n):
            return cls(k, n, n_blocks, None, kish)
        variance = n_blocks / (n_blocks - 1) * float(((counts - p * sizes) ** 2).sum()) / n**2
        return cls(k, n, n_blocks, p * (1 - p) / (n - 1) / variance * n if variance > 0 else float(n), kish)

    def effective(self, confidence: float) -> tuple[float, float]:
        """(k, n) that are worth as much as independent images; exactly the counts where each image is its own block."""
        if self.n_blocks == self.total:
            return self.count, self.total
        n = self.kish
        if self.robust is not None:
            quantile = (1 + confidence) / 2
            n = self.robust * (t.ppf(quantile, self.total - 1) / t.ppf(quantile, self.n_blocks - 1)) ** 2
            n = min(max(n, self.kish), float(self.total))
        return n * (self.count / self.total), n


def shuffled(failure: np.ndarray, blocks: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Failures dealt anew among the images, (n,) bool, as many as before; blocks change places as wholes.

    Each block takes over the share of failures of another, drawn without replacement among the blocks of about its size (1, 2, 3
    to 4, 5 to 8, … images); which of its images fail is drawn anew. Where the sizes differ, the number of failures that a share
    stands for is rounded up or down at random, and failures are added or taken away at random until there are as many as before.

    The null hypothesis that a test by such shuffles has: neither how much a block fails, among blocks of about its size, nor which of
    its images fail, has to do with features. With blocks of one size within each class of sizes the shuffles are exchangeable with
    what was observed and the test is exact; otherwise it is approximate (docs/calibration.md). Without blocks every image may change
    places with every other.
    """
    if blocks is None:
        return rng.permutation(failure)
    order = np.argsort(blocks, kind="stable")
    sizes = np.bincount(blocks)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    shares = np.bincount(blocks, weights=failure) / sizes
    taken = np.empty(len(sizes))
    strata = np.ceil(np.log2(sizes)).astype(np.int64)
    for stratum in np.unique(strata):
        own = np.flatnonzero(strata == stratum)
        taken[own] = shares[rng.permutation(own)]
    wanted = taken * sizes
    whole = np.round(wanted)
    exact = np.abs(wanted - whole) < 1e-9
    n_failures = np.where(exact, whole, np.floor(wanted + rng.random(len(sizes)))).astype(np.int64)
    # Which images of a block fail: those with the lowest of random numbers, ranked within the block.
    ranked = order[np.lexsort((rng.random(len(failure)), blocks[order]))]
    found = np.zeros(len(failure), dtype=bool)
    found[ranked] = np.arange(len(failure)) - np.repeat(starts, sizes) < np.repeat(n_failures, sizes)
    surplus = int(found.sum() - failure.sum())
    if surplus:
        candidates = np.flatnonzero(found == (surplus > 0))
        found[rng.choice(candidates, size=abs(surplus), replace=False)] = surplus < 0
    return found


def half_of_blocks(failure: np.ndarray, blocks: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Positions, increasing, of a random half of the images: half of the blocks with a failure, and half of those without.

    Each half is rounded up, so that a single block is always in.
    """
    of_image = np.arange(len(failure)) if blocks is None else blocks
    failing = np.zeros(of_image.max() + 1, dtype=bool)
    failing[of_image[failure]] = True
    halves = []
    for outcome in (True, False):
        own = np.flatnonzero(failing == outcome)
        halves.append(rng.choice(own, size=(len(own) + 1) // 2, replace=False))
    chosen = np.zeros(len(failing), dtype=bool)
    chosen[np.concatenate(halves)] = True
    return np.flatnonzero(chosen[of_image])


def aler_increase_by_blocks(
    trees: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """`intervals.aler_increase` and both ends of its interval, where images come in blocks.

    The rate of a failure's leaf, and the base rate, are taken over the images of *other* blocks: those of its own fail with it. The
    interval resamples blocks within each tree: percentiles of ALER - BER as defined, laid around the estimate as they lie around
    their mean.

    Args:
        trees: (leaf, block, failure) of the held-out images of each tree, (n,) int64, int64 and bool; blocks of their own each.

    Cost: resamples * leaves * blocks.
    """
    tables = [_leaf_by_block(*tree) for tree in trees]
    all_failures = sum(failures.sum() for _, failures in tables)
    if not all_failures:
        return 0.0, 0.0, 0.0
    estimate = sum(_other_blocks_increase(images, failures) for images, failures in tables) / all_failures
    rng = np.random.default_rng(seed)
    scatter, weight = np.zeros(resamples), np.zeros(resamples)
    for images, failures in tables:
        n_blocks = images.shape[1]
        for start in range(0, resamples, _RESAMPLES_AT_ONCE):
            part = slice(start, min(start + _RESAMPLES_AT_ONCE, resamples))
            times = rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=part.stop - part.start)
            n, f = times @ images.T, times @ failures.T
            all_f = f.sum(axis=1)
            aler = np.divide(f**2, n, out=np.zeros(n.shape), where=n > 0).sum(axis=1)  # times the failures
            scatter[part] += aler - all_f**2 / n.sum(axis=1)
            weight[part] += all_f
    scatter = np.divide(scatter, weight, out=np.zeros(resamples), where=weight > 0)
    tail = (1 - confidence) / 2
    low, high = np.quantile(scatter, [tail, 1 - tail]) - scatter.mean() + estimate
    return float(estimate), float(min(low, estimate)), float(max(high, estimate))


_RESAMPLES_AT_ONCE = 100


def _leaf_by_block(leaf: np.ndarray, block: np.ndarray, failure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images and failures, (leaves, blocks) float64."""
    _, inside = np.unique(block, return_inverse=True)
    shape = (int(leaf.max()) + 1, int(inside.max()) + 1)
    cell = np.ravel_multi_index((leaf, inside), shape)
    size = shape[0] * shape[1]
    images = np.bincount(cell, minlength=size).reshape(shape).astype(np.float64)
    return images, np.bincount(cell[failure], minlength=size).reshape(shape).astype(np.float64)


def _other_blocks_increase(images: np.ndarray, failures: np.ndarray) -> float:
    """Sum over failures of the rate of their leaf less that of the tree, both over the images of other blocks."""
    in_leaf, in_tree = images.sum(axis=1, keepdims=True) - images, images.sum() - images.sum(axis=0)
    f_leaf, f_tree = failures.sum(axis=1, keepdims=True) - failures, failures.sum() - failures.sum(axis=0)
    base = np.divide(f_tree, in_tree, out=np.zeros(in_tree.shape), where=in_tree > 0)
    rate = np.where(in_leaf > 0, f_leaf / np.maximum(in_leaf, 1), base)
    return float((failures * (rate - base)).sum())
