from __future__ import annotations

import numpy as np
import pytest

from barlow_core.failure_tree import FailureTree, fit
from barlow_core.statistics import tree_counts
from barlow_core.statistics.tree_counts import TreeCounts


def group(n: int, d: int, *, seed: int, zeros: float = 0.4, rate: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.exponential(size=(n, d)).astype(np.float32)
    features[rng.random((n, d)) < zeros] = 0
    return features, rng.random(n) < rate


def leaves(tree: FailureTree) -> list[tuple[int, int]]:
    return sorted((leaf.n_images, leaf.n_failures) for leaf in tree.leaves)


def counted(counts: np.ndarray) -> list[tuple[int, int]]:
    return sorted(map(tuple, counts.T.tolist()))


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(("n", "min_leaf"), [(300, 1), (300, 7), (800, None)])
@pytest.mark.parametrize("rate", [0.03, 0.3, 0.9])
def test_the_same_leaves_as_the_trees(n: int, min_leaf: int | None, weighted: bool, rate: float) -> None:
    """scikit-learn's trees are the oracle, for seeds at which every node has one best split."""
    for seed in range(3):
        features, failure = group(n, 40, seed=seed, rate=rate)
        count = TreeCounts(features, depth=3, weighted=weighted, min_leaf=min_leaf)
        selected = np.random.default_rng(seed).permutation(40)[:6]
        found = count(failure, selected)
        assert counted(found[0]) == [(n, int(failure.sum()))]
        for depth in (1, 2, 3):
            tree = fit(features[:, selected], failure, selected, depth=depth, weighted=weighted, min_leaf=min_leaf)
            assert counted(found[depth]) == leaves(tree)


def test_one_failure_after_another_and_sorting_again(monkeypatch: pytest.MonkeyPatch) -> None:
    features, failure = group(200, 12, seed=1)
    rng = np.random.default_rng(0)
    chosen = [(rng.permutation(failure), rng.permutation(12)[:4]) for _ in range(4)]
    alone = [TreeCounts(features, depth=2)(*one) for one in chosen]
    together = TreeCounts(features, depth=2)
    kept = [together(*one) for one in chosen]
    monkeypatch.setattr(tree_counts, "KEEP", 0)
    without = TreeCounts(features, depth=2)
    forgotten = [without(*one) for one in chosen]
    for found in (kept, forgotten):
        assert [[depth.tolist() for depth in one] for one in found] == [[depth.tolist() for depth in one] for one in alone]
    assert not without._sorted


def test_values_that_cannot_be_told_apart_are_not_split() -> None:
    """Within 1e-7 values count as equal, in scikit-learn's trees as here; integers and halves are compared as float32."""
    failure = np.arange(8) < 3
    close = (1e-9 * np.arange(8))[:, None].astype(np.float32)
    assert counted(TreeCounts(close, depth=2)(failure, np.array([0]))[2]) == [(8, 3)]
    for dtype in (np.float16, np.int64):
        apart = np.arange(8)[:, None].astype(dtype)
        assert counted(TreeCounts(apart, depth=2)(failure, np.array([0]))[2]) == [(3, 3), (5, 0)]


def test_nothing_to_split() -> None:
    features, failure = group(30, 3, seed=0)
    for outcome in (np.zeros(30, dtype=bool), np.ones(30, dtype=bool)):
        assert counted(TreeCounts(features, depth=2)(outcome, np.array([0, 1]))[2]) == [(30, int(outcome.sum()))]
    assert counted(TreeCounts(features, depth=2, min_leaf=16)(failure, np.array([0]))[2]) == [(30, int(failure.sum()))]
