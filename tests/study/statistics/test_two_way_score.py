"""The test of a mean with items and workers at random: statsmodels as oracle, test and interval that agree, studies too small to say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t
from statsmodels.api import OLS
from statsmodels.stats.sandwich_covariance import cov_cluster, cov_cluster_2groups

from barlow_core.errors import BarlowError
from study.statistics import two_way_score
from study.statistics.two_way_score import mean_against_zero

Answers = dict[tuple[int, int], int]
ANSWERS = st.dictionaries(st.tuples(st.integers(0, 11), st.integers(0, 11)), st.integers(-1, 1), min_size=1, max_size=80)


def arrays(answers: Answers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    items, workers = np.array(list(answers)).T
    return np.array(list(answers.values())), items, workers


def made_up(n_items: int = 60, n_workers: int = 20, share: float = 0.5, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    items = np.repeat(np.arange(n_items), 5)
    workers = np.concatenate([rng.permutation(n_workers)[:5] for _ in range(n_items)])
    liked = rng.normal(size=n_items)[items] + rng.normal(size=n_workers)[workers]
    return np.where(liked + rng.logistic(size=len(items)) < np.log(share / (1 - share)), 1, -1), items, workers


def test_variances_are_those_of_statsmodels() -> None:
    values, items, workers = made_up()
    for d in (0.0, float(values.mean()), 0.4):
        # With the mean held at d, as the score test has it: the residuals of a constant of d.
        fit = OLS(values - d, np.ones(len(values))).fit()
        scores = ((values - d)[:, None], np.eye(1) / len(values))
        found = [
            variance.at(d) / len(values) ** 2
            for variance in two_way_score._variances(values, two_way_score.Clusters(items, workers))
        ]
        one_way = [
            cov_cluster(scores, groups, use_correction=False).item() for groups in (items, workers, np.arange(len(values)))
        ]
        np.testing.assert_allclose(found, [*one_way, one_way[0] + one_way[1] - one_way[2]])
        if d == values.mean():
            theirs = cov_cluster_2groups(fit, items, workers, use_correction=False)[0]
            assert found[-1] == pytest.approx(theirs.item())


@given(ANSWERS, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_interval_leaves_out_nought_exactly_where_the_test_rejects_it(answers: Answers, confidence: float) -> None:
    found = mean_against_zero(*arrays(answers), confidence=confidence)
    low, high = found.estimate.low, found.estimate.high
    assert (found.p is None) == (found.reason is not None)
    if low is None or high is None:
        assert found.estimate.reason
        return
    assert found.p is not None
    assert -1 <= low <= (found.estimate.value or 0) + 1e-9
    assert (found.estimate.value or 0) - 1e-9 <= high <= 1
    if abs(found.p - (1 - confidence)) > 1e-9:
        assert (low <= 0 <= high) == (found.p > 1 - confidence)


@given(ANSWERS)
def test_the_other_side_and_other_names_give_the_same(answers: Answers) -> None:
    values, items, workers = arrays(answers)
    found, turned = mean_against_zero(values, items, workers), mean_against_zero(-values, 11 - workers, items)
    assert (found.p is None) == (turned.p is None)
    assert found.p is None or found.p == pytest.approx(turned.p)
    if found.estimate.low is not None:
        assert found.estimate.low == pytest.approx(-(turned.estimate.high or 0), abs=1e-9)


def test_every_end_of_the_interval_is_a_mean_that_the_test_just_rejects() -> None:
    values, items, workers = made_up(share=0.6)
    found = mean_against_zero(values, items, workers).estimate
    for end in (found.low or 0, found.high or 0):
        rest = values - end
        squares = [np.square(np.bincount(codes, weights=rest)).sum() for codes in (items, workers, np.arange(len(rest)))]
        error = np.sqrt(max(*squares, squares[0] + squares[1] - squares[2]))
        assert 2 * t.sf(abs(rest.sum()) / error, 19) == pytest.approx(0.05)


def test_answers_of_one_worker_each_and_of_one_item_each_are_independent_ones() -> None:
    values = np.array([1] * 14 + [-1] * 6)
    found = mean_against_zero(values, np.arange(20), np.arange(20))
    assert found.p == pytest.approx(2 * t.sf(8 / np.sqrt(20), 19))


def test_items_of_many_answers_are_no_more_than_so_many_items() -> None:
    values, items = np.repeat([1, 1, 1, -1], 25), np.repeat([0, 1, 2, 3], 25)
    found = mean_against_zero(values, items, np.arange(100))
    assert found.p == pytest.approx(2 * t.sf(1.0, 3)), "50 over the root of four times 25 squared"
    assert (found.estimate.low, found.estimate.high) == (None, None)
    assert found.estimate.reason == two_way_score.UNBOUNDED


def test_too_little_for_a_test_says_so() -> None:
    nobody = mean_against_zero([], [], [])
    assert (nobody.estimate.value, nobody.p, nobody.reason) == (None, None, "nobody answered")
    neither = mean_against_zero([0, 0], [0, 1], [0, 1])
    assert (neither.estimate.value, neither.p, neither.reason) == (0, None, two_way_score.NO_SIDE)
    alone = mean_against_zero([1, -1, 0], [0, 1, 2], [0, 0, 1])
    assert (alone.p, alone.reason) == (None, two_way_score.ONE_CLUSTER)
    unanimous = mean_against_zero(np.ones(40), np.arange(40) // 2, np.arange(40) % 20)
    assert (unanimous.estimate.low, unanimous.estimate.reason) == (None, two_way_score.ONE_SIDE)
    assert (unanimous.p or 1) < 0.01


def test_mistakes_are_named() -> None:
    with pytest.raises(BarlowError, match="A value of an answer is 2.0; expected numbers from -1 to 1"):
        mean_against_zero([1, 2], [0, 1], [0, 1])
    with pytest.raises(BarlowError, match="A value of an answer is nan"):
        mean_against_zero([1, np.nan], [0, 1], [0, 1])
    with pytest.raises(BarlowError, match="The confidence is 1.5"):
        mean_against_zero([1, 1], [0, 1], [0, 1], confidence=1.5)
