"""The published measures, on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.blindspots.measures import discoveries


def images(n: int, *rows: range) -> np.ndarray:
    mask = np.zeros(n, dtype=bool)
    for part in rows:
        mask[part] = True
    return mask


SPOTS = np.column_stack([images(40, range(10)), images(40, range(10, 20))])


def test_exact_hypothesis_discovers_its_blindspot() -> None:
    found = discoveries([images(40, range(10))], SPOTS)
    assert found.discovered.tolist() == [True, False]
    assert found.belongs.tolist() == [0]
    assert (found.discovery_rate, found.false_discovery_rate) == (0.5, 0)


def test_four_fifths_are_enough_and_less_is_not() -> None:
    # 8 of 10 images inside, holding 8 of 10.
    assert discoveries([images(40, range(8), range(20, 22))], SPOTS).discovered.tolist() == [True, False]
    # 8 of 11 inside: it belongs to nothing.
    found = discoveries([images(40, range(8), range(20, 23))], SPOTS)
    assert found.discovered.tolist() == [False, False]
    assert found.false_discovery_rate == 1
    # 7 of 7 inside, but only 7 of 10 held: it belongs, and the blindspot is not discovered.
    found = discoveries([images(40, range(7))], SPOTS)
    assert found.discovered.tolist() == [False, False]
    assert found.false_discovery_rate == 0


def test_hypotheses_that_belong_together_hold_a_blindspot() -> None:
    found = discoveries([images(40, range(4)), images(40, range(4, 8)), images(40, range(20, 30))], SPOTS)
    assert found.discovered.tolist() == [True, False]
    assert found.false_discovery_rate == pytest.approx(1 / 3)


def test_the_union_of_two_blindspots_is_false() -> None:
    found = discoveries([images(40, range(20))], SPOTS)
    assert (found.discovery_rate, found.false_discovery_rate) == (0, 1)


def test_only_ten_hypotheses_count() -> None:
    false = [images(40, range(30, 40))] * 10
    assert discoveries([*false, images(40, range(10))], SPOTS).discovery_rate == 0


def test_nothing_found_and_nothing_planted() -> None:
    assert discoveries([], SPOTS).false_discovery_rate == 0
    found = discoveries([images(40, range(5))], np.zeros((40, 0), dtype=bool))
    assert np.isnan(found.discovery_rate)
    assert found.false_discovery_rate == 1


def test_empty_hypotheses_are_refused() -> None:
    with pytest.raises(ValueError, match="Hypothesis 0"):
        discoveries([np.zeros(40, dtype=bool)], SPOTS)
