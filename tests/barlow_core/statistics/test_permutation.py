from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from barlow_core.errors import BarlowError
from barlow_core.failure_modes import FailureAnalysis, Settings, explain_depths
from barlow_core.statistics import benjamini_hochberg, permutation, permutation_test
from barlow_core.statistics.tree_counts import TreeCounts

SETTINGS = Settings(k=3)


def group(n: int = 120, d: int = 8, *, seed: int = 0, planted: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Where planted, failures hang on feature 4 alone, and strongly; else on nothing."""
    rng = np.random.default_rng(seed)
    features = rng.exponential(size=(n, d)).astype(np.float32)
    features[rng.random((n, d)) < 0.3] = 0
    return features, rng.random(n) < (np.where(features[:, 4] < 0.4, 0.7, 0.1) if planted else 0.25)


def analyses_of(
    features: np.ndarray,
    failure: np.ndarray,
    depths: tuple[int, ...] = (1, 2, 3),
    estimator: str = "knn",
    min_leaf: int = 1,
) -> list[FailureAnalysis]:
    return explain_depths(features, failure, Settings(k=3, estimator=estimator, min_leaf=min_leaf), depths)


@pytest.mark.parametrize("statistic", ["increase", "aler"])
def test_a_planted_failure_mode_is_no_luck(statistic: str) -> None:
    """No shuffle comes near: p at its floor, 1 / (B + 1)."""
    features, failure = group()
    for test in permutation_test(features, failure, analyses_of(features, failure), statistic=statistic, permutations=49):
        assert (test.p, test.permutations, test.exceedances, test.reason) == (1 / 50, 49, 0, None)


@pytest.mark.parametrize("estimator", ["knn", "binned"])
@pytest.mark.parametrize("planted", [True, False])
def test_p_worked_step_by_step(planted: bool, estimator: str) -> None:
    """The oracle repeats `explain_depths` on each shuffle, and stops as Besag and Clifford do. With 240 images and leaves of 5 hardly any
    two splits are equally good."""
    features, failure = group(240, planted=planted, seed=1)
    analyses = analyses_of(features, failure, (1, 3), estimator, 5)
    measured = permutation_test(features, failure, analyses, statistic="importance_value", permutations=30, exceedances=4, seed=9)
    shuffled = [np.random.default_rng([9, i]).permutation(failure) for i in range(30)]
    again = [analyses_of(features, f, (1, 3), estimator, 5) for f in shuffled]
    null = np.array([[analysis.leaves[0].importance_value for analysis in one] for one in again])
    for i, test in enumerate(measured):
        assert test.statistic == analyses[i].leaves[0].importance_value
        as_good = np.flatnonzero(null[:, i] >= test.statistic * (1 - 1e-9))
        if len(as_good) >= 4:
            assert (test.permutations, test.exceedances) == (as_good[3] + 1, 4)
            assert test.p == 4 / (as_good[3] + 1)
        else:
            assert (test.permutations, test.exceedances) == (30, len(as_good))
            assert test.p == (len(as_good) + 1) / 31


def test_p_hardly_ever_is_low_by_luck() -> None:
    """Under the null hypothesis P(p <= a) <= a. 100 groups; counts stay under the 0.9999 quantile of their binomials."""
    p = []
    for seed in range(100):
        features, failure = group(60, 6, seed=seed, planted=False)
        analyses = analyses_of(features, failure, (2,), "binned")
        (test,) = permutation_test(features, failure, analyses, permutations=39, exceedances=4, seed=seed)
        p.append(test.p)
    for level in (0.05, 0.1, 0.25, 0.5):
        assert np.sum(np.array(p) <= level) <= binom.ppf(0.9999, 100, level)
    assert np.mean(np.array(p, dtype=float)) < 0.65  # nor is the test blind: the mean of a uniform p is 0.5


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    features, failure = group(planted=False, seed=3)
    for estimator in ("knn", "binned"):
        analyses = analyses_of(features, failure, estimator=estimator)
        monkeypatch.setattr(permutation, "LARGEST_BATCH", 64)
        large = permutation_test(features, failure, analyses, permutations=40, exceedances=6)
        monkeypatch.setattr(permutation, "LARGEST_BATCH", 1)
        assert permutation_test(features, failure, analyses, permutations=40, exceedances=6) == large


def test_depths_do_not_touch_each_other() -> None:
    features, failure = group(planted=False, seed=4)
    analyses = analyses_of(features, failure)
    first, second, third = permutation_test(features, failure, analyses, permutations=30, exceedances=3)
    assert [first.depth, second.depth, third.depth] == [1, 2, 3]
    for alone, test in ((analyses[0], first), (analyses[2], third)):
        assert permutation_test(features, failure, [alone], permutations=30, exceedances=3) == [test]
    back = permutation_test(features, failure, analyses[::-1], permutations=30, exceedances=3)
    assert back == [third, second, first]


def test_hopeless_groups_cost_little() -> None:
    features, failure = group(planted=False, seed=5)
    (test,) = permutation_test(features, failure, analyses_of(features, failure, (1,)), permutations=999)
    assert test.exceedances == 10
    assert test.permutations < 100
    assert test.p == 10 / test.permutations


def test_the_seed_decides() -> None:
    features, failure = group(planted=False, seed=6)
    analyses = analyses_of(features, failure, (1,))
    runs = [permutation_test(features, failure, analyses, permutations=60, seed=seed)[0] for seed in (0, 0, 1, 2)]
    assert runs[0] == runs[1]
    assert len({(run.p, run.permutations) for run in runs}) > 1


def test_increase_in_standard_errors() -> None:
    """8 of 10 images fail in one leaf, 4 of 30 in the other. Shuffled, the first holds a hypergeometric number of failures."""
    features = np.repeat([1.0, 0.0], [10, 30])[:, None]
    failure = np.concatenate([np.arange(10) < 8, np.arange(30) < 4])
    leaves = TreeCounts(features, depth=1)(failure, np.array([0]))[1]
    null = hypergeom(40, 12, 10)
    of = {name: statistic(*leaves) for name, statistic in permutation.STATISTICS.items()}
    assert of["increase"] == pytest.approx((8 - null.mean()) / null.std())
    assert of["aler"] == pytest.approx(8 / 12 * 8 / 10 + 4 / 12 * 4 / 30)
    assert of["importance_value"] == pytest.approx(8 / 12 * 8 / 10)


def test_a_tree_without_splits_is_no_better_than_a_shuffle() -> None:
    """Leaves of at least 100 of 120 images: there is no split, observed or shuffled, so every shuffle does as well."""
    features, failure = group()
    analyses = explain_depths(features, failure, Settings(k=3, min_leaf=100), [1])
    for statistic, value in (("increase", 0.0), ("aler", failure.mean())):
        (test,) = permutation_test(features, failure, analyses, statistic=statistic)
        assert (test.p, test.permutations) == (1, 10)
        assert test.statistic == pytest.approx(value)


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
    analyses = explain_depths(features, failure, SETTINGS, [1, 2])
    tests = permutation_test(features, failure, analyses)
    assert [(test.depth, test.p, test.permutations) for test in tests] == [(1, None, 0), (2, None, 0)]
    assert {test.reason for test in tests} == {analyses[0].reason}
    json.dumps([asdict(test) for test in tests], allow_nan=False)


@pytest.mark.parametrize("n_failures", [1, 2, 19])
def test_a_single_failure_or_success_can_be_tested(n_failures: int) -> None:
    features = np.random.default_rng(0).random((20, 4))
    failure = np.arange(20) < n_failures
    (test,) = permutation_test(features, failure, analyses_of(features, failure, (1,)), permutations=20)
    assert test.p is not None
    assert 0 < test.p <= 1
    json.dumps(asdict(test), allow_nan=False)


def test_mistakes() -> None:
    features, failure = group()
    analyses = analyses_of(features, failure)
    with pytest.raises(BarlowError, match="Unknown statistic 'ivv'. Expected one of: aler, increase, importance_value"):
        permutation_test(features, failure, analyses, statistic="ivv")
    with pytest.raises(BarlowError, match="permutations is 0"):
        permutation_test(features, failure, analyses, permutations=0)
    with pytest.raises(BarlowError, match="exceedances is 0"):
        permutation_test(features, failure, analyses, exceedances=0)
    with pytest.raises(BarlowError, match="Expected the same images"):
        permutation_test(features[1:], failure[1:], analyses)


# --- Benjamini and Hochberg


def test_the_example_of_benjamini_and_hochberg() -> None:
    """Their paper of 1995, section 4.1: of 15 p-values, four are discoveries at q = 0.05 (Bonferroni finds three)."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    q = benjamini_hochberg(p)
    assert (q <= 0.05).tolist() == [True] * 4 + [False] * 11
    assert q[3] == pytest.approx(0.0095 * 15 / 4)


@given(st.lists(st.one_of(st.floats(0, 1), st.none()), max_size=30))
def test_correction(p: list[float | None]) -> None:
    q = benjamini_hochberg(p)  # type: ignore[arg-type]
    known = np.array([value is not None for value in p], dtype=bool)
    assert np.isnan(q[~known]).all()
    values = np.array([value for value in p if value is not None])
    assert ((q[known] >= values) & (q[known] <= 1)).all()
    order = np.argsort(values)
    assert (np.diff(q[known][order]) >= 0).all()
    if len(values):  # groups without a p do not count
        np.testing.assert_array_equal(q[known], benjamini_hochberg(values))
        assert q[known].max() == values.max()


def test_correction_takes_probabilities() -> None:
    with pytest.raises(BarlowError, match="between 0 and 1"):
        benjamini_hochberg([0.5, 1.5])
