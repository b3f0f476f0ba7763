"""Beam search, against every conjunction there is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from benchmarks.blindspots.alternatives import beam_search
from benchmarks.blindspots.beam import best_subgroup, conditions
from benchmarks.blindspots.making import Case


def test_both_sides_of_every_threshold() -> None:
    found = conditions(np.arange(10.0)[:, None], parts=5)
    assert sorted(set(found.thresholds.tolist())) == [2, 4, 6, 8]
    holds = found.holds(np.array([[3.0], [4.0]]))
    at_four = holds[found.thresholds == 4]
    assert sorted(at_four.tolist()) == [[False, True], [True, False]]


@pytest.mark.parametrize("seed", range(3))
def test_a_beam_of_everything_finds_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, failure = rng.normal(size=(60, 3)), rng.random(60) < 0.3
    covers = conditions(features, parts=3).holds(features)
    expected = max(
        (covers[list(chosen)].all(axis=0).mean() ** 0.5) * (failure[covers[list(chosen)].all(axis=0)].mean() - failure.mean())
        for size in (1, 2)
        for chosen in combinations(range(len(covers)), size)
        if covers[list(chosen)].all(axis=0).any()
    )
    quality, _ = best_subgroup(covers, failure, depth=2, width=1000)
    assert quality == pytest.approx(expected, rel=1e-5)


def test_a_box_is_discovered_and_luck_is_not() -> None:
    rng = np.random.default_rng(1)
    features = rng.random((1500, 6)).astype(np.float32)
    box = (features[:, 0] > 0.6) & (features[:, 3] < 0.4)
    labels = np.ones(1500, dtype=bool)
    case = Case(features, labels, ~(rng.random(1500) < np.where(box, 0.9, 0.05)), np.full(1500, 0.5), box[:, None])
    found = beam_search(case)
    assert (found[0] & box).sum() > 0.8 * (found[0] | box).sum()
    nothing = Case(features, labels, rng.random(1500) > 0.1, np.full(1500, 0.5), box[:, None])
    assert len(beam_search(nothing)) <= 1
