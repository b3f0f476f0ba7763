from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.feature_selection import mutual_info_classif

from barlow_core.errors import BarlowError
from barlow_core.information import mutual_information


def test_agrees_with_the_exact_value_for_two_normals() -> None:
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
    informative, noise = mutual_information(features, failure)
    assert informative == pytest.approx(exact, abs=0.02)
    assert noise == pytest.approx(0, abs=0.02)


def test_a_feature_that_decides_failure_has_all_of_its_entropy() -> None:
    rng = np.random.default_rng(0)
    failure = rng.random(500) < 0.3
    features = (failure + rng.uniform(0, 0.5, 500))[:, None]
    share = failure.mean()
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert mutual_information(features, failure)[0] == pytest.approx(entropy, abs=0.01)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_is_scikit_learns(dtype: type) -> None:
    rng = np.random.default_rng(5)
    features = np.maximum(rng.normal(size=(120, 6)), 0).astype(dtype)  # sparse, as rectified features are
    failure = rng.random(120) < 0.25
    expected = mutual_info_classif(features, failure, n_neighbors=4, random_state=9)
    assert np.array_equal(mutual_information(features, failure, n_neighbors=4, seed=9), expected)


@pytest.mark.parametrize("failure", [[True] * 4, [False] * 4, [], [True], [True, False]])
def test_nothing_to_be_informed_about(failure: list[bool]) -> None:
    features = np.arange(3.0 * len(failure)).reshape(len(failure), 3)
    result = mutual_information(features, np.array(failure, dtype=bool))
    assert result.dtype == np.float64
    assert result.tolist() == [0, 0, 0]


def test_constant_features_carry_nothing() -> None:
    failure = np.arange(40) % 4 == 0
    features = np.stack([np.full(40, 2.5), failure + np.linspace(0, 0.1, 40)], axis=1)
    constant, informative = mutual_information(features, failure)
    assert informative > 0.3
    assert constant < 0.3 * informative


@pytest.mark.parametrize(
    ("features", "failure", "arguments", "message"),
    [
        (np.zeros((3, 2)), np.zeros(4, bool), {}, r"shape \(3, 2\) and failure \(4,\)"),
        (np.zeros(3), np.zeros(3, bool), {}, r"Expected \(n, D\)"),
        (np.array([[0.0], [np.nan]]), np.zeros(2, bool), {}, "Feature 0 of image 1 is nan"),
        (np.zeros((2, 1)), np.array([0, 2]), {}, "other than 0 and 1"),
        (np.zeros((2, 1)), np.zeros(2, bool), {"estimator": "magic"}, "'magic'.*knn"),
    ],
)
def test_errors_say_what_does_not_fit(features: np.ndarray, failure: np.ndarray, arguments: dict, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        mutual_information(features, failure, **arguments)
