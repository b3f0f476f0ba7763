from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from barlow_core.information import mutual_information
from barlow_core.information.binned import BinnedInformation, bins_for, cut, mean_by_chance


def binned(features: np.ndarray, failure: np.ndarray) -> np.ndarray:
    return mutual_information(features, failure, estimator="binned")


def test_bins_worked_by_hand() -> None:
    """n = 10, B = 3. Feature 0: four zeros, so ceil(3 * 6 / 10) = 2 further bins. Feature 1: no ties, bins of 3, 3, 4."""
    features = np.array(
        [[0, 0, 5, 1, 3, 0, 9, 2, 0, 4], [3, 1, 4, 1.5, 9, 2, 6, 5, 3.5, 8], [7] * 10, [0, 0, 1, 1, 1, 1, 1, 1, 1, 1]]
    ).T
    assert cut(features, 3).tolist() == [
        [0, 0, 2, 1, 1, 0, 2, 1, 0, 2],
        [2, 1, 2, 1, 3, 1, 3, 3, 2, 3],
        [0] * 10,
        [0, 0, *[3] * 8],
    ]


@pytest.mark.parametrize(("n", "expected"), [(0, 2), (8, 2), (9, 3), (30, 4), (1000, 10), (1001, 11), (50_000, 32)])
def test_number_of_bins(n: int, expected: int) -> None:
    assert bins_for(n) == expected


@settings(deadline=None)
@given(
    values=st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0, 3.5]) | st.floats(0, 8, width=16), min_size=1, max_size=80),
    most=st.integers(1, 12),
)
def test_bins_follow_the_values(values: list[float], most: int) -> None:
    column = np.array(values)
    bins = cut(column[:, None], most)[0]
    order = np.argsort(column, kind="stable")
    assert (np.diff(bins[order].astype(int)) >= 0).all()
    assert all(len(set(bins[column == value])) == 1 for value in column)
    least = np.count_nonzero(column == column.min())
    assert np.count_nonzero(bins == 0) == (least if least > 1 else 0)
    distinct = np.unique(column)
    if len(distinct) == len(column):  # without ties, bins are of equal size
        sizes = np.unique(bins, return_counts=True)[1]
        assert len(sizes) == min(most, len(column))
        assert sizes.max() - sizes.min() <= 1


def test_the_estimate_by_all_shuffles() -> None:
    """Seven images, three failures: the correction is the mean of the plug-in estimate over all 35 ways to place the failures."""
    features = np.array([0.0, 0, 0, 1, 2, 3, 4])[:, None]
    bins = cut(features, bins_for(7))[0]
    assert bins.tolist() == [0, 0, 0, 1, 1, 2, 2]
    failures = np.array([np.isin(np.arange(7), chosen) for chosen in itertools.combinations(range(7), 3)])
    plug_in = np.array([mutual_info_score(bins, failure) for failure in failures])
    expected = np.maximum(0, plug_in - plug_in.mean())
    assert np.allclose(BinnedInformation(features).many(failures)[:, 0], expected, atol=1e-12)
    assert expected.max() > 0.3


@settings(max_examples=50, deadline=None)
@given(n=st.integers(3, 300), share=st.floats(0.02, 0.98), silent=st.floats(0, 0.95), seed=st.integers(0, 10**6))
def test_is_scikit_learns_plug_in_less_its_expected_mutual_information(n: int, share: float, silent: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = np.where(rng.random((n, 4)) < silent, 0, np.round(rng.exponential(size=(n, 4)), 2))
    failure = rng.random(n) < share
    for column, estimate in enumerate(binned(features, failure)):
        bins = cut(features[:, column : column + 1], bins_for(n))[0]
        table = contingency_matrix(failure, bins, sparse=True)
        correction = expected_mutual_information(table, n) if 0 < failure.sum() < n else 0.0
        assert estimate == pytest.approx(max(0, mutual_info_score(bins, failure) - correction), abs=1e-9)


@pytest.mark.parametrize(("n", "total"), [(50_000, 20_000), (50_000, 3), (4000, 100)])
def test_chance_in_large_groups_tends_to_miller_and_madow(n: int, total: int) -> None:
    """Where all four counts are large, g(a) exceeds its value at the mean count by 1/2; and nothing overflows at either end."""
    sizes = np.array([0, 1, n // 10, n // 2, n])
    share = total / n
    at_the_mean = sizes * (
        share * np.log(np.maximum(sizes * share, 1e-300)) + (1 - share) * np.log(np.maximum(sizes * (1 - share), 1e-300))
    )
    excess = mean_by_chance(sizes, n, total) - np.where(sizes > 0, at_the_mean, 0)
    assert np.isfinite(excess).all()
    assert excess[0] == 0
    assert excess[-1] == pytest.approx(0, abs=1e-6)  # all images: no chance left
    if total >= 100:
        assert excess[2] == pytest.approx(0.5 * 0.9, rel=0.05)
        assert excess[3] == pytest.approx(0.5 * 0.5, rel=0.05)


def test_exact_for_a_feature_of_three_values() -> None:
    """P(value) = 1/2, 1/4, 1/4 and P(failure | value) = 0.1, 0.2, 0.8, in exactly these proportions."""
    n = 4000
    values = np.repeat([0.0, 1.5, 3.0], [n // 2, n // 4, n // 4])
    failure = np.concatenate([np.arange(n // 2) < 0.1 * n / 2, np.arange(n // 4) < 0.2 * n / 4, np.arange(n // 4) < 0.8 * n / 4])

    def entropy(p: float) -> float:
        return -p * np.log(p) - (1 - p) * np.log(1 - p)

    exact = entropy(0.3) - 0.5 * entropy(0.1) - 0.25 * entropy(0.2) - 0.25 * entropy(0.8)
    assert binned(values[:, None], failure)[0] == pytest.approx(exact, abs=2 / n)


@pytest.mark.parametrize("n_failures", [5, 40, 300, 970])
def test_no_bias_for_features_that_have_nothing_to_do_with_failure(n_failures: int) -> None:
    rng = np.random.default_rng(n_failures)
    n, width = 1000, 1500
    features = np.where(rng.random((n, width)) < rng.random(width), 0, rng.exponential(size=(n, width))).astype(np.float32)
    failure = rng.permutation(n) < n_failures
    before = np.array([mutual_info_score(bins, failure) for bins in cut(features[:, :300], bins_for(n))])
    after = binned(features, failure)
    assert before.mean() > 3 * after.mean()
    assert 0.3 < (after == 0).mean() < 0.75  # cut at 0 for about half of them: the middle of the estimates is 0
    assert after.mean() < 1 / n


@pytest.mark.parametrize("transform", [np.exp, np.cbrt, lambda x: 3 * x - 7, lambda x: np.argsort(np.argsort(x, axis=0), axis=0)])
def test_increasing_transforms_change_nothing(transform: Callable[[np.ndarray], np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 8))
    failure = rng.random(300) < 1 / (1 + np.exp(-features[:, 0]))
    assert np.array_equal(binned(transform(features), failure), binned(features, failure))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_images_and_of_features_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = np.maximum(rng.normal(size=(80, 6)), 0)
    failure = rng.random(80) < 0.3
    images, columns = rng.permutation(80), rng.permutation(6)
    expected = binned(features, failure)
    assert np.array_equal(binned(features[images], failure[images]), expected)
    assert np.array_equal(binned(features[:, columns], failure), expected[columns])
    assert np.allclose(binned(features, ~failure), expected, rtol=0, atol=1e-12)


def test_a_large_group_of_float16() -> None:
    rng = np.random.default_rng(1)
    features = np.maximum(rng.normal(size=(50_000, 3)), 0).astype(np.float16)
    failure = rng.random(50_000) < np.where(features[:, 1] > 1, 0.3, 0.1)
    informative = 0.1587 * 0.3 + 0.8413 * 0.1

    def entropy(p: float) -> float:
        return -p * np.log(p) - (1 - p) * np.log(1 - p)

    exact = entropy(informative) - 0.1587 * entropy(0.3) - 0.8413 * entropy(0.1)
    result = binned(features, failure)
    assert result[1] == pytest.approx(exact, rel=0.08)
    assert result[[0, 2]].max() < 3e-4
