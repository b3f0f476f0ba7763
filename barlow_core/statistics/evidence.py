"""Does a leaf fail more often than its group, on images that took no part in finding it? A test for each leaf, and its correction.

A permutation test speaks of a tree as a whole: where one leaf of it is true, it says nothing of the others. This one is for
the leaf. Its counts are those of `held_out`, whose module says what they are counted on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import false_discovery_control, hypergeom

from barlow_core.errors import BarlowError

# Rules that share fewer of their images (mean Jaccard index over the folds) are not the same rule for a reader: at one half, two
# leaves of equal size have two thirds of their images in common. A convention: higher limits cost findings and make held-out numbers no truer (docs/calibration.md).
SAME_RULE = 0.5


def held_out_p(n_images: ArrayLike, n_failures: ArrayLike, all_images: ArrayLike, all_failures: ArrayLike) -> np.ndarray:
    """Fisher's exact test, one-sided, of a leaf's held-out images against the other held-out images of its group.

    Null hypothesis: the leaf fails no more often than the rest of the group, which is to say ER <= BER. Given how many
    images fail in all, the failures in the leaf are then at most hypergeometric.

    By `by_split` the rule is fixed before the held-out images are looked at, and p is exact: P(p <= a) <= a. By `cross_fit`
    it is so on average over *all* leaves of the trees, but not over those alone that were chosen because they fail often: a
    rule that luck made strong enough is found again without any fifth of the images. Correct for all leaves that were
    counted, not for the chosen ones (`held_out_q`); docs/calibration.md measures both.

    Args:
        n_images, n_failures: (m,) held-out images of each leaf, and how many of them fail.
        all_images, all_failures: (m,) of its whole group.

    Returns:
        (m,) float64 in [0, 1]; 1 for a leaf without held-out images.

    Raises:
        BarlowError: more failures than images, or more in the leaf than in the group.
    """
    n, f, all_n, all_f = (np.asarray(count, dtype=np.int64) for count in (n_images, n_failures, all_images, all_failures))
    if not ((f >= 0) & (f <= n) & (f <= all_f) & (n - f <= all_n - all_f)).all():
        raise BarlowError("Counts that cannot be: expected 0 <= failures <= images in every leaf, and no more than in its group.")
    return np.where(n > 0, np.minimum(hypergeom.sf(f - 1, np.maximum(all_n, 1), all_f, n), 1.0), 1.0)


def lowest_held_out_p(n_images: ArrayLike, all_images: ArrayLike, all_failures: ArrayLike) -> np.ndarray:
    """The p that the leaf would have if all its held-out images failed, or all failures were in it: none can be lower."""
    n, all_f = np.asarray(n_images, dtype=np.int64), np.asarray(all_failures, dtype=np.int64)
    return held_out_p(n, np.minimum(n, all_f), all_images, all_f)


def held_out_q(p: ArrayLike, tested: int) -> np.ndarray:
    """Correct the p of the leaves that are shown for all leaves that were tested (Benjamini and Hochberg 1995).

    The leaves that are shown were chosen by the same images that the test counts, so that they alone are no fair family. All
    leaves are, and discoveries are counted among the shown ones only: the false discovery rate is then that of what is
    shown (Katsevich, Sabatti and Bogomolov 2023, JASA 118, 165-176).

    Args:
        p: (m,) of the leaves that are shown.
        tested: how many leaves were tested, at least m.

    Returns:
        (m,) float64 q. Of those with q below a, a share of at most a is expected to be false.

    Raises:
        BarlowError: fewer tested than shown.
    """
    values = np.asarray(p, dtype=np.float64)
    if tested < len(values):
        raise BarlowError(f"{len(values)} leaves are shown, but only {tested} were tested. Expected at least as many.")
    padded = np.concatenate([values, np.ones(tested - len(values))])
    corrected: np.ndarray = false_discovery_control(padded, method="bh")[: len(values)]
    return corrected
