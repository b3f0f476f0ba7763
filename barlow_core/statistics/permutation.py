"""Is it luck? How often does a search for failure modes do as well on shuffled failures (a permutation test of the search)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import false_discovery_control

from barlow_core import information
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import FailureAnalysis, select_features
from barlow_core.information import check_inputs
from barlow_core.statistics.blocks import as_blocks, shuffled
from barlow_core.statistics.held_out import check_analyses
from barlow_core.statistics.tree_counts import TreeCounts

# Values of a statistic that are equal as fractions may differ in their last bits.
TOLERANCE = 1e-9
LARGEST_BATCH = 64


def _importance_values(images: np.ndarray, failures: np.ndarray) -> np.ndarray:
    importance: np.ndarray = failures / images * (failures / failures.sum())
    return importance


def _aler(images: np.ndarray, failures: np.ndarray) -> float:
    return float(_importance_values(images, failures).sum())


def _increase(images: np.ndarray, failures: np.ndarray) -> float:
    n, f = images.sum(), failures.sum()
    if len(images) == 1:
        return 0.0
    # The variance of a leaf's error rate when the failures are shuffled: that of the hypergeometric distribution.
    variance = f / n * (1 - f / n) / max(n - 1, 1)
    return float(((failures / images - f / n) / np.sqrt(variance * (n / images - 1))).max())


def _importance_value(images: np.ndarray, failures: np.ndarray) -> float:
    return float(_importance_values(images, failures).max())


# Of a tree, from (leaves,) images and failures of its leaves.
STATISTICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "aler": _aler,
    "increase": _increase,
    "importance_value": _importance_value,
}


@dataclass(frozen=True)
class PermutationTest:
    """The outcome for one group and depth.

    Attributes:
        depth: of the tree.
        statistic: of the observed failures; None for a group with nothing to explain.
        p: share of shuffles that do as well, see `permutation_test`; None for a group with nothing to explain.
        permutations: how many shuffles were made.
        exceedances: how many of them did as well or better.
        reason: why there is no p; else None.
    """

    depth: int
    statistic: float | None
    p: float | None
    permutations: int
    exceedances: int
    reason: str | None = None


def permutation_test(
    features: np.ndarray,
    failure: np.ndarray,
    analyses: Sequence[FailureAnalysis],
    *,
    statistic: str = "aler",
    permutations: int = 999,
    exceedances: int = 10,
    seed: int = 0,
    blocks: np.ndarray | None = None,
) -> list[PermutationTest]:
    """Test, for each depth, whether the search finds more in a group's failures than in shuffled ones.

    Null hypothesis: which images of the group fail has nothing to do with their features. Then every shuffle of `failure` is
    as likely as the observed one. The whole search (selection of features, tree) is repeated on every shuffle, so p accounts
    for how many features and thresholds were tried. It speaks of the search's result as a whole, not of each leaf.

    Statistic, always the larger the better:
        "aler": ALER of the tree (Definition 4). It finds most.
        "increase": ER - BER of the best leaf, in standard errors that it has under shuffling,
            sqrt(BER (1 - BER) (n / n_leaf - 1) / (n - 1)); best is the leaf with the most of it.
        "importance_value": IV of the leaf with the highest IV (Definition 5). IV is high for leaves of almost all images,
            which every shuffle has, so this one misses most failure modes.
    docs/calibration.md compares them. The number of images and failures is the same in every shuffle.

    Early stopping (Besag and Clifford 1991, Biometrika 78, 301-304): a depth is done after l shuffles, as soon as
    `exceedances` of them have a statistic at least the observed one, with p = exceedances / l; otherwise, after all
    `permutations`, p = (g + 1) / (permutations + 1) where g did as well. Under the null hypothesis P(p <= a) <= a for every a
    either way. The lowest p is 1 / (permutations + 1).

    Args:
        features: (n, D) features of the group's images.
        failure: (n,) bool.
        analyses: of `explain_depths` on exactly these images, one a depth; their settings, alike but for the depth, are those of
            the search.
        statistic: "aler", "increase" or "importance_value".
        permutations: most shuffles to make.
        exceedances: how many shuffles at least as good end the test of a depth; `permutations` + 1 for no early stopping.
        seed: of the shuffles: the i-th depends on `seed` and i alone.
        blocks: (n,) int, images that belong together have the same; the shuffles and the null hypothesis are then those of
            `blocks.shuffled`. None where every image stands for itself.

    Returns:
        One test for each of `analyses`. All depths share the shuffles, the selection of features and the tree: that of a lower
        depth is the top of the deepest one. Trees are those of `tree_counts`, of the observed failures too: where two splits are
        equally good, they may differ from the one that is shown.

    Raises:
        BarlowError: as `explain_depths`; analyses of other images; an unknown statistic; less than 1 permutation or exceedance.

    Cost: for each shuffle, one estimate of mutual information and the counts of one tree of the largest depth, together about a
    quarter of `explain_depths`. With the defaults, a group without failure modes is done after about 55 shuffles, one with clear
    failure modes takes all 999.
    """
    features, failure = check_inputs(features, failure)
    if statistic not in STATISTICS:
        raise BarlowError(f"Unknown statistic {statistic!r}. Expected one of: {', '.join(STATISTICS)}.")
    for name, value in (("permutations", permutations), ("exceedances", exceedances)):
        if value < 1:
            raise BarlowError(f"{name} is {value}. Expected a whole number of at least 1.")
    check_analyses(analyses, failure)
    depths = [analysis.settings.depth for analysis in analyses]
    reason = next((analysis.reason for analysis in analyses if analysis.reason), None)
    if reason is not None or not analyses:
        return [PermutationTest(depth, None, None, 0, 0, reason) for depth in depths]

    measure, settings = STATISTICS[statistic], analyses[0].settings
    trees = TreeCounts(features, depth=max(depths), weighted=settings.weighted, min_leaf=settings.min_leaf)
    found = trees(failure, analyses[0].features)
    observed = [measure(*found[depth]) for depth in depths]
    estimate = information.prepare(features, estimator=settings.estimator, n_neighbors=settings.n_neighbors, seed=settings.seed)
    done, reached = [0] * len(depths), [0] * len(depths)
    open_depths = set(range(len(depths)))
    together = as_blocks(blocks, len(failure))
    for permuted, its_information in _shuffles(estimate, failure, together, permutations, exceedances, seed):
        found = trees(permuted, select_features(its_information, settings.k))
        for i in sorted(open_depths):
            done[i] += 1
            reached[i] += measure(*found[depths[i]]) >= observed[i] * (1 - TOLERANCE)
            if reached[i] == exceedances:
                open_depths.remove(i)
        if not open_depths:
            break
    return [
        PermutationTest(
            depth=depth,
            statistic=observed[i],
            p=reached[i] / done[i] if reached[i] == exceedances else (reached[i] + 1) / (permutations + 1),
            permutations=done[i],
            exceedances=reached[i],
        )
        for i, depth in enumerate(depths)
    ]


def _shuffles(
    estimate: information.Estimator,
    failure: np.ndarray,
    together: np.ndarray | None,
    permutations: int,
    exceedances: int,
    seed: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield `permutations` times shuffled failures, (n,) bool, and the information (D,) of every feature with them.

    They are made in batches, in which the estimator can share work: first as few as can end the test, then ever more.
    """
    start, size = 0, exceedances
    while start < permutations:
        size = min(size, LARGEST_BATCH, permutations - start)
        batch = np.stack([shuffled(failure, together, np.random.default_rng([seed, i])) for i in range(start, start + size)])
        yield from zip(batch, estimate.many(batch), strict=True)
        start, size = start + size, 2 * size


def benjamini_hochberg(p: ArrayLike) -> np.ndarray:
    """Correct p-values for their number, so that among those with q < a at most a share a is false on average.

    Args:
        p: (m,) in [0, 1]; NaN or None where there is none (a group with nothing to explain).

    Returns:
        (m,) float64 q: the lowest false discovery rate at which each would count as a discovery (Benjamini and Hochberg 1995).
        NaN stays NaN and does not count in m.

    Raises:
        BarlowError: a p outside [0, 1].
    """
    values = np.asarray(p, dtype=np.float64)
    known = ~np.isnan(values)
    if not ((values[known] >= 0) & (values[known] <= 1)).all():
        raise BarlowError(f"p-values range from {np.nanmin(values)} to {np.nanmax(values)}. Expected numbers between 0 and 1.")
    q = np.full(values.shape, np.nan)
    if known.any():
        q[known] = false_discovery_control(values[known], method="bh")
    return q
