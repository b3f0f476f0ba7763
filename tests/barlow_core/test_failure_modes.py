from __future__ import annotations

import numpy as np
import pytest

from barlow_core.errors import BarlowError
from barlow_core.failure_modes import explain, select_features


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
    ("settings", "message"),
    [({"k": 0}, "k is 0"), ({"depth": 0}, "depth is 0"), ({"delta": 1.5}, "delta is 1.5"), ({"estimator": "x"}, "knn")],
)
def test_settings_out_of_range(settings: dict, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        explain(np.zeros((2, 1)), np.array([True, False]), **settings)


def test_equal_information_is_ordered_by_index() -> None:
    assert select_features(np.array([0.1, 0.3, 0.1, 0.3]), 3).tolist() == [1, 3, 0]


def test_repr_is_readable() -> None:
    text = repr(explain(*planted(), depth=1))
    assert text.startswith("FailureAnalysis: ")
    assert "feature[23] < " in text
    assert "over BER" in text


# --- all groups of a run
