"""A difference of means with clusters on both sides, against the tests that it is where nothing is shared, or everything."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t, ttest_ind, ttest_rel

from study.statistics.two_way_difference import difference_of_means

N = 12


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(3).normal(0, 1, 2 * N) + np.repeat([0.6, 0.0], N)


FIRST = np.repeat([True, False], N)


def test_where_nothing_is_shared_it_is_students_test_of_two_samples(values: np.ndarray) -> None:
    found = difference_of_means(values, FIRST, ~FIRST, np.arange(2 * N), np.arange(2 * N))
    expected = ttest_ind(values[:N], values[N:])
    ends = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.degrees_of_freedom == 2 * N - 2
    assert (found.estimate.low, found.estimate.high) == pytest.approx((ends.low, ends.high))


def test_where_each_pair_has_a_worker_of_its_own_it_is_the_test_of_pairs(values: np.ndarray) -> None:
    pairs = np.tile(np.arange(N), 2)
    found = difference_of_means(values, FIRST, ~FIRST, pairs, pairs)
    expected = ttest_rel(values[:N], values[N:])
    assert found.p == pytest.approx(expected.pvalue)
    assert found.degrees_of_freedom == N - 1
    assert (found.estimate.low, found.estimate.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_by_hand_with_pairs_and_workers() -> None:
    """Three pairs, three workers on either side who answer all of theirs: what pairs do alike cancels out, what workers do does not."""
    first = np.array([[1, 2, 3], [2, 3, 4], [3, 4, 5]], dtype=float)  # workers x pairs
    second = first - 1 + np.array([[0, 0, 0], [1, 1, 1], [2, 2, 2]])
    numbers = np.concatenate([first.ravel(), second.ravel()])
    is_first = np.repeat([True, False], 9)
    pairs = np.tile([0, 1, 2], 6)
    workers = np.repeat(np.arange(6), 3)
    found = difference_of_means(numbers, is_first, ~is_first, pairs, workers)
    # Means of the workers: 2, 3, 4 and 1, 3, 5. Sums by worker of what they contribute: (-1, 0, 1) / 3 and (2, 0, -2) / 3. By pair it is 0.
    by_worker = 3 / 2 * (2 + 8) / 9
    by_answer = 9 / 8 * (((first - 3) ** 2).sum() + ((second - 3) ** 2).sum()) / 81
    error = np.sqrt(0 + by_worker - by_answer)
    assert found.estimate.value == pytest.approx(0)
    assert found.degrees_of_freedom == 2, "three pairs, all on both sides"
    assert found.estimate.high == pytest.approx(t.ppf(0.975, 2) * error)


def test_what_is_missing_counts_nowhere_and_too_few_have_no_interval(values: np.ndarray) -> None:
    pairs, workers = np.tile(np.arange(N), 2), np.tile(np.arange(N), 2)
    gone = values.copy()
    gone[[0, N]] = np.nan
    kept = difference_of_means(gone, FIRST, ~FIRST, pairs, workers)
    shorter = difference_of_means(
        np.delete(values, [0, N]),
        np.delete(FIRST, [0, N]),
        ~np.delete(FIRST, [0, N]),
        np.delete(pairs, [0, N]),
        np.delete(workers, [0, N]),
    )
    assert kept == shorter
    one_worker = difference_of_means(values, FIRST, ~FIRST, pairs, np.where(FIRST, 0, workers))
    assert (one_worker.p, one_worker.estimate.low) == (None, None)
    assert "fewer than 3 workers on a side" in str(one_worker.estimate.reason)
    assert difference_of_means(np.ones(2 * N), FIRST, ~FIRST, pairs, workers).estimate.reason is not None
    nobody = difference_of_means(np.where(FIRST, np.nan, values), FIRST, ~FIRST, pairs, workers)
    assert nobody.estimate.reason == "no answers on the first side"
