"""The test of a leaf on held-out images, against SciPy's Fisher test and Benjamini and Hochberg's rule by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from barlow_core.errors import BarlowError
from barlow_core.statistics.evidence import held_out_p, held_out_q, lowest_held_out_p


@settings(max_examples=100)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_p_is_fishers(f: int, s: int, rest_f: int, rest_s: int) -> None:
    expected = fisher_exact([[f, s], [rest_f, rest_s]], alternative="greater").pvalue if f + s else 1.0
    p = held_out_p(f + s, f, f + s + rest_f + rest_s, f + rest_f)
    assert float(p) == pytest.approx(expected, rel=1e-9)
    lowest = lowest_held_out_p(f + s, f + s + rest_f + rest_s, f + rest_f)
    assert float(lowest) <= float(p) * (1 + 1e-9)


def test_by_hand() -> None:
    """3 of 3 images fail, of 10 with 4 failures: C(4,3) / C(10,3) = 4 / 120."""
    assert float(held_out_p(3, 3, 10, 4)) == pytest.approx(4 / 120)
    assert held_out_p([3, 0], [3, 0], [10, 10], [4, 4]).tolist() == pytest.approx([4 / 120, 1.0])


def test_counts_that_cannot_be() -> None:
    for counts in ((3, 4, 10, 5), (3, 3, 10, 2), (8, 0, 10, 5)):
        with pytest.raises(BarlowError, match="cannot be"):
            held_out_p(*counts)


def test_q_counts_all_leaves_that_were_tested() -> None:
    """p 0.01 and 0.03 of 2 shown among 10 tested: 10 * 0.01 / 1 and 10 * 0.03 / 2."""
    assert held_out_q([0.03, 0.01], tested=10).tolist() == pytest.approx([0.15, 0.1])
    assert held_out_q([0.03, 0.01], tested=2).tolist() == pytest.approx([0.03, 0.02])
    assert held_out_q([], tested=0).tolist() == []
    with pytest.raises(BarlowError, match="only 1 were tested"):
        held_out_q([0.03, 0.01], tested=1)


def test_a_fixed_rule_is_confirmed_by_luck_no_more_often_than_p_says() -> None:
    rng = np.random.default_rng(0)
    n, all_n = 12, 60
    failures = rng.random((20_000, all_n)) < 0.25
    p = held_out_p(np.full(20_000, n), failures[:, :n].sum(axis=1), np.full(20_000, all_n), failures.sum(axis=1))
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level / 20_000)
