"""Clusters of failures: where they lie apart further than successes do, and nowhere else."""

from __future__ import annotations

import numpy as np

from barlow_core.search import noisy_or
from barlow_core.search.clusters import clusters


def found(x: np.ndarray, failure: np.ndarray) -> list[np.ndarray]:
    return clusters(x, failure, most=6, starts=4, seed=0)


def test_two_places_and_chance_between_them() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 5))
    spots = [np.arange(2000) < 150, (np.arange(2000) >= 150) & (np.arange(2000) < 250)]
    x[spots[0], 0] += 6
    x[spots[1], 1] += 6
    failure = spots[0] | spots[1] | (rng.random(2000) < 0.03)
    both = found(x, failure)
    assert len(both) == 2
    for spot in spots:
        assert max((near & spot).sum() / (near | spot).sum() for near in both) > 0.95
    assert not (both[0] & both[1]).any()
    assert not any((near & ~failure).any() for near in both)


def test_an_attribute_that_successes_have_as_often_splits_nothing() -> None:
    """Failures are a conjunction of two attributes; six others are free in them, as everywhere."""
    rng = np.random.default_rng(1)
    hidden = rng.random((3000, 8)) < 0.5
    x = hidden + rng.normal(0, 0.05, size=hidden.shape)
    spot = hidden[:, :2].all(axis=1)
    (near,) = found(x, spot & (rng.random(3000) < 0.95))
    assert (near & spot).sum() > 0.9 * spot.sum()


def test_failures_by_chance_have_no_clusters() -> None:
    rng = np.random.default_rng(2)
    assert [found(rng.normal(size=(600, 8)), rng.random(600) < 0.2) for _ in range(10)] == [[]] * 10


def test_two_places_on_one_side_are_two_reasons() -> None:
    """One direction separates both from the successes, and explains every failure; they are two blindspots all the same."""
    rng = np.random.default_rng(3)
    x = rng.normal(0, 0.15, size=(2000, 4))
    spots = [np.arange(2000) < 100, (np.arange(2000) >= 100) & (np.arange(2000) < 180)]
    for spot, side in zip(spots, (1, -1), strict=True):
        x[spot] += [1.5, 1.2 * side, 0, 0]
    model = noisy_or.fit(x, spots[0] | spots[1], penalty=0.02, most=4, starts=4, seed=0)
    held = model.scores(x).T > 0
    for spot in spots:
        assert max((inside & spot).sum() / (inside | spot).sum() for inside in held) > 0.95
