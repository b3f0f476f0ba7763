"""The model of the search: its gradient, and what it does with known parameters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression
from statsmodels.stats.multitest import multipletests

from barlow_core.search import holm, noisy_or


def test_gradient_is_that_of_the_objective() -> None:
    rng = np.random.default_rng(0)
    x, failure = rng.normal(size=(60, 4)), rng.random(60) < 0.4
    theta = rng.normal(size=3 * 4 + 3 + 1)

    def value(t: np.ndarray) -> float:
        return noisy_or._objective(t, x, failure, 3, 0.2)[0]

    def slope(t: np.ndarray) -> np.ndarray:
        return noisy_or._objective(t, x, failure, 3, 0.2)[1]

    assert check_grad(value, slope, theta) < 1e-3


def test_objective_by_hand() -> None:
    """One image, one reason: P(failure) = 1 - (1 - 1/2)(1 - 1/2) = 3/4."""
    x = np.zeros((1, 1))
    theta = np.zeros(3)
    assert noisy_or._objective(theta, x, np.array([True]), 1, 1.0)[0] == pytest.approx(-np.log(0.75))
    assert noisy_or._objective(theta, x, np.array([False]), 1, 1.0)[0] == pytest.approx(-np.log(0.25))


def test_one_reason_without_chance_is_logistic_regression() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3000, 3))
    failure = rng.random(3000) < 1 / (1 + np.exp(-(x @ [2.0, -1.0, 0.0] - 0.5)))
    model = noisy_or.fit(x, failure, penalty=1.0, most=1, starts=2, seed=0)
    peer = LogisticRegression(C=1.0).fit(x, failure)
    assert model.chance < 0.05
    assert model.weights[0] == pytest.approx(peer.coef_[0], abs=0.25)


def test_two_reasons_are_told_apart() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3000, 6))
    failure = (x[:, 0] > 1.3) | (x[:, 1] < -1.3)
    model = noisy_or.fit(x, failure, penalty=0.1, most=4, starts=4, seed=0)
    main = {(int(np.argmax(np.abs(w))), bool(w[np.argmax(np.abs(w))] > 0)) for w in model.weights}
    assert main == {(0, True), (1, False)}


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.5])) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm(np.array([])).shape == (0,)


def test_holm_is_that_of_statsmodels() -> None:
    p = np.random.default_rng(4).random(40) ** 3
    p[:2] = 0.001
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
