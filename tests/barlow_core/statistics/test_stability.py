from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from barlow_core.errors import BarlowError
from barlow_core.failure_modes import Settings, explain_depths
from barlow_core.statistics import stability
from barlow_core.statistics.blocks import half_of_blocks
from barlow_core.statistics.stability import _correlations

SETTINGS = Settings(k=3)


def group(n: int = 300, d: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Failures hang on feature 4 alone, and strongly."""
    rng = np.random.default_rng(seed)
    features = rng.exponential(size=(n, d)).astype(np.float32)
    return features, rng.random(n) < np.where(features[:, 4] < 0.4, 0.8, 0.05)


def test_a_strong_feature_is_always_chosen_again() -> None:
    features, failure = group()
    analyses = explain_depths(features, failure, SETTINGS, [1, 2])
    result = stability(features, failure, analyses, resamples=10)
    assert (result.resamples, result.reason) == (10, None)
    assert [tree.depth for tree in result.trees] == [1, 2]
    for leaf, node in zip(result.trees[0].leaves, analyses[0].leaves, strict=True):
        assert (leaf.number, leaf.feature) == (node.number, 4)
        assert (leaf.feature_share, leaf.rule_share) == (1, 1)
    assert [feature.feature for feature in result.features] == analyses[0].features.tolist()
    first, *others = result.features
    assert (first.feature, first.share, first.correlated_share) == (4, 1, 1)
    assert all(other.share < 1 for other in others)  # noise: 2 of 19 are chosen by luck


def test_second_splits_are_less_stable_than_the_first() -> None:
    features, failure = group()
    analyses = explain_depths(features, failure, SETTINGS, [2])
    leaves = stability(features, failure, analyses, resamples=10).trees[0].leaves
    deep = [leaf for leaf in leaves if leaf.feature != 4]
    assert deep
    for leaf in deep:
        assert leaf.feature_share is not None
        assert leaf.rule_share is not None
        assert leaf.rule_share <= leaf.feature_share < 1


def test_a_correlated_feature_counts_as_the_same() -> None:
    """Feature 9 is feature 4 with a little noise: either one carries the rule."""
    features, failure = group()
    rng = np.random.default_rng(1)
    features[:, 9] = features[:, 4] + 0.05 * rng.normal(size=300)
    features[:, 4] += 0.05 * rng.normal(size=300)
    analyses = explain_depths(features, failure, SETTINGS, [1])
    same = stability(features, failure, analyses, resamples=12, correlation=1.01).trees[0].leaves[0]
    alike = stability(features, failure, analyses, resamples=12, correlation=0.8).trees[0].leaves[0]
    assert same.feature in (4, 9)
    assert same.feature_share is not None
    assert 0 < same.feature_share < 1
    assert alike.feature_share == 1


def test_shares_count_resamples() -> None:
    """The oracle repeats the searches by hand, on halves drawn in the same order."""
    features, failure = group(seed=2)
    analyses = explain_depths(features, failure, SETTINGS, [3])
    result = stability(features, failure, analyses, resamples=4, correlation=1.01, seed=5)
    rng = np.random.default_rng(5)
    again = []
    for _ in range(4):
        outcomes = (np.flatnonzero(failure), np.flatnonzero(~failure))
        half = np.sort(np.concatenate([rng.choice(own, size=(len(own) + 1) // 2, replace=False) for own in outcomes]))
        again.append(explain_depths(features[half], failure[half], SETTINGS, [3])[0])
    splits = [{node.split.feature for node in a.tree.root if node.split} for a in again]
    for leaf, node in zip(result.trees[0].leaves, analyses[0].leaves, strict=True):
        assert leaf.feature_share == np.mean([node.features[0] in s for s in splits])
        assert leaf.rule_share == np.mean([set(node.features) <= s for s in splits])
    for feature in result.features:
        assert feature.share == feature.correlated_share == np.mean([feature.feature in a.features for a in again])
    assert result == stability(features, failure, analyses, resamples=4, correlation=1.01, seed=5)


def test_halves_keep_the_error_rate() -> None:
    failure = np.arange(100) < 21
    half = half_of_blocks(failure, None, np.random.default_rng(0))
    assert len(half) == len(set(half.tolist())) == 11 + 40
    assert failure[half].sum() == 11
    assert half_of_blocks(np.array([True]), None, np.random.default_rng(0)).tolist() == [0]


def test_correlations_are_numpys() -> None:
    rng = np.random.default_rng(0)
    features = rng.random((50, 6)).astype(np.float32)
    features[:, 2] = 3.3
    rows, columns = np.array([0, 2, 5]), np.arange(6)
    found = _correlations(features, rows, columns)
    with np.errstate(invalid="ignore"):
        oracle = np.abs(np.nan_to_num(np.corrcoef(features, rowvar=False)))[rows]
    oracle[:, 2] = oracle[1] = 0
    np.testing.assert_allclose(found, oracle, atol=1e-6)


@pytest.mark.parametrize(
    ("features", "failure"),
    [
        (np.empty((0, 3)), np.empty(0, dtype=bool)),
        (np.ones((1, 3)), np.array([False])),
        (np.random.default_rng(0).random((9, 3)), np.zeros(9, dtype=bool)),
        (np.random.default_rng(0).random((9, 3)), np.ones(9, dtype=bool)),
        (np.ones((9, 3)), np.arange(9) < 4),
    ],
)
def test_degenerate_groups_have_a_reason(features: np.ndarray, failure: np.ndarray) -> None:
    analyses = explain_depths(features, failure, SETTINGS, [1])
    result = stability(features, failure, analyses)
    assert result.reason == analyses[0].reason is not None
    assert (result.resamples, result.trees, result.features) == (0, (), ())


def test_one_failure_is_in_every_half() -> None:
    features = np.random.default_rng(0).random((20, 4))
    failure = np.arange(20) == 3
    result = stability(features, failure, explain_depths(features, failure, SETTINGS, [1]), resamples=3)
    assert result.reason is None
    json.dumps(asdict(result), allow_nan=False)


def test_mistakes() -> None:
    features, failure = group()
    analyses = explain_depths(features, failure, SETTINGS, [1])
    with pytest.raises(BarlowError, match="resamples is 0"):
        stability(features, failure, analyses, resamples=0)
    with pytest.raises(BarlowError, match="correlation is"):
        stability(features, failure, analyses, correlation=-0.1)
    with pytest.raises(BarlowError, match="Expected the same images"):
        stability(features[1:], failure[1:], analyses)
