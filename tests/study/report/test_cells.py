"""Text that is numbers."""

from __future__ import annotations

import pandas as pd
import pytest

from study.report.cells import as_numbers, is_number, number_columns, printable


def test_columns_of_numbers() -> None:
    assert as_numbers(["3.25", "−0.10", "—", "1,200.00"]) == ([3.25, -0.1, None, 1200.0], "%.2f")
    assert as_numbers(["100.0\xa0%", "", "9.5\xa0%"]) == ([100.0, None, 9.5], "%.1f %%")
    assert as_numbers(["1,933", "58", "—"]) == ([1933.0, 58.0, None], "localized")
    assert as_numbers(["10", "9", "1"]) == ([10.0, 9.0, 1.0], "%.0f")


@pytest.mark.parametrize(
    "cells",
    [
        ["3.25 [3.0, 3.5]", "1"],
        ["< 0.001", "0.020"],
        ["47 of 90"],
        ["—", "—"],
        [],
        ["5", "50.0\xa0%"],
        ["yes", "1"],
        ["90", "3.251"],
        ["007", "8"],
        ["nan", "1"],
        ["1_0", "2"],
        ["1e5", "2"],
        ["1,2", "3"],
        ["1٣", "4"],
    ],
)
def test_columns_that_are_no_numbers(cells: list[str]) -> None:
    assert as_numbers(cells) is None


def test_what_is_set_to_the_right() -> None:
    assert all(map(is_number, ["3", "< 0.001", "—", "12.5\xa0%", "−2"]))
    assert not any(map(is_number, ["47 of 90", "", "yes", "nan", "007", "inf"]))


def test_columns_to_the_right_and_columns_that_say_nothing() -> None:
    shown = pd.DataFrame({"item": ["a", "7"], "n": ["1,200", "—"], "p": ["< 0.001", "0.020"], "note": ["", "—"]})
    assert number_columns(shown) == {"n", "p"}
    assert printable(shown).columns.tolist() == ["item", "n", "p"]
    assert printable(shown.head(0)).columns.tolist() == shown.columns.tolist(), "of no rows nothing can be said"
