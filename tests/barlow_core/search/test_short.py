"""A rule over many features said with few."""

from __future__ import annotations

import numpy as np
import pytest

from barlow_core.search import search
from barlow_core.search.short import agreement, shorten


def test_a_sum_of_three_features_is_found_again_with_three() -> None:
    features = np.random.default_rng(0).normal(size=(400, 20)) * np.arange(1, 21) + 5
    scores = features[:, 3] - 0.5 * features[:, 8] + 0.2 * features[:, 15] - 3
    found = shorten(features, [scores], most=6)[0]
    assert found is not None
    direction, threshold = found
    assert set(direction.features) <= {3, 8, 15}
    assert np.linalg.norm(direction.weights) == pytest.approx(1)
    assert (agreement(direction.values(features) > threshold, scores > 0) or 0) >= 0.9


def test_one_feature_is_enough_where_it_is() -> None:
    features = np.random.default_rng(1).normal(size=(300, 10))
    found = shorten(features, [features @ np.eye(10)[4] - 1 + 0.001 * features[:, 2]], most=5)[0]
    assert found is not None
    assert found[0].features == (4,)
    assert found[1] == pytest.approx(1, abs=0.1)


def test_no_more_features_than_asked_for() -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(300, 40))
    found = shorten(features, [features @ rng.normal(size=40) - 5], most=4)[0]
    assert found is not None
    assert len(found[0].features) == 4


def test_nothing_to_say() -> None:
    assert shorten(np.ones((50, 3)), [np.ones(50)], most=3) == [None]
    assert shorten(np.random.default_rng(0).random((50, 3)), [-np.ones(50)], most=3) == [None]


def test_threshold_does_not_part_equal_values() -> None:
    features = np.array([[0.0], [0.0], [1.0], [1.0], [1.0], [2.0]])
    found = shorten(features, [np.array([-1, -1, -1, 1, 1, 1.0])], most=1)[0]
    assert found is not None
    assert (found[0].values(features) > found[1]).tolist() == [False, False, True, True, True, True]


def test_agreement_by_hand() -> None:
    assert agreement(np.array([True, True, False]), np.array([False, True, True])) == pytest.approx(1 / 3)
    assert agreement(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool)) is None


def test_search_counts_the_short_form_on_images_that_it_did_not_see() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(900, 12))
    failure = features[:, 2] + features[:, 7] > 2
    result = search(features, failure, short=2)
    rule = result.confirmed[0]
    assert rule.short is not None
    assert set(rule.short.direction.features) == {2, 7}
    held = rule.short.holds(features) & result.confirming
    assert (rule.short.held_out_n_images, rule.short.held_out_n_failures) == (held.sum(), (held & failure).sum())
    assert rule.short.agreement == agreement(held, rule.holds(features) & result.confirming)
