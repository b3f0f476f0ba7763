from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from barlow_core.errors import BarlowError
from barlow_core.information import ESTIMATORS, check_inputs, mutual_information, prepare

BOTH = pytest.mark.parametrize("estimator", ESTIMATORS)


def sparse_features(rng: np.random.Generator, n: int, width: int) -> np.ndarray:
    """Heavy-tailed, with zeros, as rectified and pooled features are."""
    return np.where(rng.random((n, width)) < 0.4, 0, rng.exponential(size=(n, width)) ** 2).astype(np.float32)


@BOTH
def test_agrees_with_the_exact_value_for_two_normals(estimator: str) -> None:
    """I(failure; feature) for N(0, 1) and N(2, 1), half each, by numerical integration of the definition."""

    def density(x: float) -> float:
        p, q = stats.norm.pdf(x, 0), stats.norm.pdf(x, 2)
        mixture = (p + q) / 2
        return 0.5 * (p * np.log(p / mixture) + q * np.log(q / mixture))

    exact, _ = integrate.quad(density, -8, 10)
    rng = np.random.default_rng(0)
    failure = np.arange(4000) % 2 == 0
    features = rng.normal(size=(4000, 2))
    features[:, 0] += 2 * failure
    informative, noise = mutual_information(features, failure, estimator=estimator)
    assert informative == pytest.approx(exact, abs=0.02)
    assert noise == pytest.approx(0, abs=0.02)


@BOTH
def test_a_feature_that_decides_failure_has_all_of_its_entropy(estimator: str) -> None:
    rng = np.random.default_rng(0)
    failure = np.arange(500) % 4 == 0  # a quarter: the edge between two of eight bins
    features = (failure + rng.uniform(0, 0.5, 500))[:, None]
    entropy = -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    assert mutual_information(features, failure, estimator=estimator)[0] == pytest.approx(entropy, abs=0.01)


@BOTH
@pytest.mark.parametrize("failure", [[True] * 4, [False] * 4, [], [True], [True, False]])
def test_nothing_to_be_informed_about(failure: list[bool], estimator: str) -> None:
    features = np.arange(3.0 * len(failure)).reshape(len(failure), 3)
    result = mutual_information(features, np.array(failure, dtype=bool), estimator=estimator)
    assert result.dtype == np.float64
    assert result.tolist() == [0, 0, 0]


@BOTH
def test_constant_features_carry_nothing(estimator: str) -> None:
    failure = np.arange(40) % 4 == 0
    features = np.stack([np.full(40, 2.5), failure + np.linspace(0, 0.1, 40)], axis=1)
    constant, informative = mutual_information(features, failure, estimator=estimator)
    assert informative > 0.3
    assert constant < 0.3 * informative


@BOTH
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_numbers_count_as_what_they_are_in_any_type_and_layout(estimator: str, dtype: type) -> None:
    rng = np.random.default_rng(3)
    features = np.round(sparse_features(rng, 90, 5) * 8).clip(0, 2000)  # whole numbers that float16 holds
    failure = rng.random(90) < 0.3
    expected = mutual_information(features.astype(np.float64), failure, estimator=estimator)
    given = np.asfortranarray(features.astype(dtype))
    kept = given.copy()
    assert np.array_equal(mutual_information(given, failure, estimator=estimator), expected)
    assert np.array_equal(given, kept)


@BOTH
def test_no_features_at_all(estimator: str) -> None:
    failure = np.array([True, False] * 5)
    assert mutual_information(np.empty((10, 0)), failure, estimator=estimator).shape == (0,)
    assert prepare(np.empty((10, 0)), estimator=estimator).many(np.array([failure, ~failure])).shape == (2, 0)


@BOTH
@pytest.mark.parametrize("share", [0.004, 0.02, 0.3, 0.9])
def test_prepared_once_it_gives_what_a_fresh_call_gives(estimator: str, share: float) -> None:
    rng = np.random.default_rng(1)
    features = sparse_features(rng, 250, 40)
    failures = np.array([rng.permutation(250) < 250 * share for _ in range(5)] + [np.zeros(250, bool), np.ones(250, bool)])
    estimate = prepare(features, estimator=estimator, n_neighbors=2, seed=7)
    fresh = [mutual_information(features, failure, estimator=estimator, n_neighbors=2, seed=7) for failure in failures]
    assert np.array_equal([estimate(failure) for failure in failures], fresh)
    assert np.array_equal(estimate.many(failures), fresh)
    assert np.array_equal(estimate.many(failures.astype(int)), fresh)
    assert estimate.many(failures[:0]).shape == (0, 40)


@BOTH
def test_threads_do_not_change_a_bit(estimator: str) -> None:
    rng = np.random.default_rng(2)
    features, failure = sparse_features(rng, 400, 700), rng.random(400) < 0.2
    one, three = (mutual_information(features, failure, estimator=estimator, threads=threads) for threads in (1, 3))
    assert np.array_equal(one, three)


@pytest.mark.parametrize(
    ("features", "failure", "arguments", "message"),
    [
        (np.zeros((3, 2)), np.zeros(4, bool), {}, r"shape \(3, 2\) and failure \(4,\)"),
        (np.zeros(3), np.zeros(3, bool), {}, r"Expected \(n, D\)"),
        (np.array([[0.0], [np.nan]]), np.zeros(2, bool), {}, "Feature 0 of image 1 is nan"),
        (np.zeros((2, 1), complex), np.zeros(2, bool), {}, "complex128.*real numbers"),
        (np.array([["a"], ["b"]]), np.zeros(2, bool), {}, "real numbers"),
        (np.zeros((2, 1)), np.array([0, 2]), {}, "other than 0 and 1"),
        (np.zeros((2, 1)), np.zeros(2, bool), {"estimator": "magic"}, "'magic'.*knn, binned"),
        (np.zeros((2, 1)), np.zeros(2, bool), {"n_neighbors": 0}, "n_neighbors is 0.*at least 1"),
        (np.zeros((2, 1)), np.zeros(2, bool), {"seed": 2**32}, "seed is 4294967296.*at most 4294967295"),
        (np.zeros((2, 1)), np.zeros(2, bool), {"threads": 0}, "threads is 0"),
    ],
)
def test_errors_say_what_does_not_fit(features: np.ndarray, failure: np.ndarray, arguments: dict, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        mutual_information(features, failure, **arguments)


def test_the_place_of_a_bad_number_is_named_far_down_a_large_matrix() -> None:
    features = np.zeros((9000, 600), dtype=np.float16)
    features[8000, 17] = np.inf
    with pytest.raises(BarlowError, match="Feature 17 of image 8000 is inf"):
        check_inputs(features, np.zeros(9000, bool))


@BOTH
def test_a_prepared_estimator_refuses_what_does_not_fit(estimator: str) -> None:
    estimate = prepare(np.arange(6.0).reshape(3, 2), estimator=estimator)
    with pytest.raises(BarlowError, match=r"shape \(4,\). Expected \(3,\)"):
        estimate(np.zeros(4, bool))
    with pytest.raises(BarlowError, match=r"shape \(3,\). Expected \(P, 3\)"):
        estimate.many(np.zeros(3, bool))
    with pytest.raises(BarlowError, match="other than 0 and 1"):
        estimate(np.array([0, 1, 2]))
    with pytest.raises(BarlowError, match="Feature 1 of image 0 is nan"):
        prepare(np.array([[0.0, np.nan]]), estimator=estimator)
