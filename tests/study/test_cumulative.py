"""Cumulative distributions over items."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ecdf

from study.cumulative import cumulative


def test_a_worked_example() -> None:
    table = cumulative(pd.array([3.0, 1.0, None, 3.0, 4.5], dtype="Float64"))
    assert table.to_dict("list") == {"value": [1.0, 3.0, 4.5], "n": [1, 3, 4], "share": [0.25, 0.75, 1.0]}


def test_nothing_has_no_rows() -> None:
    assert list(cumulative([]).columns) == ["value", "n", "share"]
    assert len(cumulative([])) == len(cumulative([np.nan])) == 0


def test_averages_that_are_equal_as_fractions_are_one_step() -> None:
    assert cumulative([0.1 + 0.2, 0.3])["n"].tolist() == [2]


@given(st.lists(st.integers(0, 20), min_size=1))
def test_it_is_scipys_empirical_distribution(values: list[int]) -> None:
    table = cumulative(np.array(values) / 4)
    oracle = ecdf(np.array(values) / 4).cdf
    np.testing.assert_array_equal(table["value"], oracle.quantiles)
    np.testing.assert_allclose(table["share"], oracle.probabilities)
