from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barlow_core.errors import BarlowError
from barlow_core.failure_modes import explain, is_failure_mode, select_features


def planted(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.exponential(size=(n, 40)).astype(np.float32)
    return features, rng.random(n) < np.where(features[:, 23] < 0.4, 0.7, 0.05)


def test_recovers_a_planted_failure_mode() -> None:
    features, failure = planted()
    analysis = explain(features, failure, depth=1)
    assert analysis.features[0] == 23
    (mode,) = analysis.failure_modes
    (condition,) = mode.conditions
    assert (condition.feature, condition.operator) == (23, "<")
    assert condition.threshold == pytest.approx(0.4, abs=0.02)
    inside = features[:, 23] < condition.threshold
    assert mode.error_rate == failure[inside].mean()
    assert mode.error_coverage == failure[inside].sum() / failure.sum()


def test_default_is_the_papers_and_depth_three() -> None:
    analysis = explain(*planted())
    assert (analysis.settings.k, analysis.settings.depth, analysis.settings.delta, analysis.settings.tau) == (20, 3, 0.1, 0.2)
    assert len(analysis.features) == 20
    assert 3 <= len(analysis.leaves) <= 8
    assert [leaf.importance_value for leaf in analysis.leaves] == sorted(
        (leaf.importance_value for leaf in analysis.leaves), reverse=True
    )


def test_delta_and_tau_are_strict() -> None:
    """BER 0.4; the leaf below has ER 0.6 and EC 0.75: increase exactly 0.2, so delta = 0.2 leaves it out, and tau = 0.75 too."""
    features = np.repeat([0.0, 1.0], 50)[:, None]
    failure = np.concatenate([np.arange(50) < 30, np.arange(50) < 10])
    base = {"depth": 1, "k": 1}
    assert [mode.n_failures for mode in explain(features, failure, delta=0.19, tau=0.74, **base).failure_modes] == [30]
    assert explain(features, failure, delta=0.19, tau=0.75, **base).failure_modes == []
    assert explain(features, failure, delta=0.21, tau=0.2, **base).failure_modes == []


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 100))
def test_no_rounding_makes_an_equality_pass(n: int, rest: int, f: int, rest_f: int, percent: int) -> None:
    """Against exact fractions; the increase that the counts have exactly is among the deltas that are tried."""
    f, rest_f = min(f, n), min(rest_f, rest)
    er, ber = Fraction(f, n), Fraction(f + rest_f, n + rest)
    ec = Fraction(f, f + rest_f) if f + rest_f else Fraction(0)
    exact = [bound for bound in (er - ber, ec) if bound >= 0 and bound == Fraction(str(float(bound)))]
    for delta, tau in itertools.product((percent / 100, *map(float, exact)), (0.2, *map(float, exact))):
        expected = er - ber > Fraction(str(delta)) and ec > Fraction(str(tau))
        assert is_failure_mode(n, f, n + rest, f + rest_f, delta=delta, tau=tau) == expected


def test_eight_of_ten_are_not_more_than_a_tenth_above_seven_tenths() -> None:
    """ER = BER + delta exactly, though 0.7 + 0.1 < 0.8 in floating point."""
    assert not is_failure_mode(10, 8, 100, 70, delta=0.1, tau=0.0)
    assert is_failure_mode(10, 8, 100, 70, delta=0.0999, tau=0.0)
    assert not is_failure_mode(5, 1, 10, 5, delta=0.0, tau=0.2)  # EC = tau exactly
    assert not is_failure_mode(0, 0, 10, 5, delta=0.0, tau=0.0)
    assert not is_failure_mode(5, 0, 10, 0, delta=0.0, tau=0.0)


def test_order_of_images_does_not_matter_to_the_leaves() -> None:
    """With one feature there is no estimator noise in the selection, so shuffling must give the same tree."""
    features, failure = planted()
    order = np.random.default_rng(1).permutation(len(failure))
    straight = explain(features[:, [23]], failure, k=1)
    shuffled = explain(features[order][:, [23]], failure[order], k=1)
    assert straight.tree == shuffled.tree


@pytest.mark.parametrize(
    ("features", "failure", "reason"),
    [
        (np.zeros((0, 3)), np.zeros(0, bool), "no images"),
        (np.random.default_rng(0).random((5, 3)), np.zeros(5, bool), "never fails"),
        (np.random.default_rng(0).random((5, 3)), np.ones(5, bool), "always fails"),
        (np.ones((1, 3)), np.ones(1, bool), "always fails"),
        (np.ones((6, 3)), np.arange(6) < 2, "no feature varies"),
    ],
)
def test_nothing_to_explain_has_a_reason(features: np.ndarray, failure: np.ndarray, reason: str) -> None:
    analysis = explain(features, failure)
    assert reason in str(analysis.reason)
    assert analysis.failure_modes == []
    assert len(analysis.leaves) == 1
    assert analysis.aler == analysis.ber == (failure.mean() if len(failure) else 0)
    assert reason in repr(analysis)


def test_two_images_are_enough() -> None:
    analysis = explain(np.array([[0.0], [1.0]]), np.array([True, False]))
    assert [str(mode.conditions[0]) for mode in analysis.failure_modes] == ["feature[0] < 0.5000"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"k": 0}, "k is 0"), ({"depth": 0}, "depth is 0"), ({"delta": 1.5}, "delta is 1.5"), ({"estimator": "x"}, "knn")],
)
def test_settings_out_of_range(wrong: dict, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        explain(np.zeros((2, 1)), np.array([True, False]), **wrong)


@pytest.mark.parametrize(
    ("value", "message"),
    [(1e39, r"Feature 1 of image 2 is 1e\+39\. .* float32"), (np.nan, "image 2 is nan"), (-np.inf, "is -inf")],
)
def test_values_that_no_tree_can_compare(value: float, message: str) -> None:
    features = np.arange(12.0).reshape(6, 2)
    features[2, 1] = value
    with pytest.raises(BarlowError, match=message):
        explain(features, np.arange(6) < 2)


def test_equal_information_is_ordered_by_index() -> None:
    assert select_features(np.array([0.1, 0.3, 0.1, 0.3]), 3).tolist() == [1, 3, 0]


def test_repr_is_readable() -> None:
    text = repr(explain(*planted(), depth=1))
    assert text.startswith("FailureAnalysis: ")
    assert "feature[23] < " in text
    assert "over BER" in text


# --- all groups of a run
