"""The table of answers and its check."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.answers.table import ATTRIBUTES, attributes_of_items, checked, with_attributes_of_items


@pytest.fixture
def answers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item": ["a", "a", "b"],
            "worker": [1, 2, 1],
            "ease": [1, 5, 3],
            "confidence": [1.0, np.nan, 3.0],
            "useful": ["B", None, "none"],
            "extra": [1, 2, 3],
        },
        index=[7, 7, 9],
    )


def test_the_table_comes_back_with_the_columns_asked_for_and_clean_types(answers: pd.DataFrame) -> None:
    table = checked(answers, ["ease", "useful"])
    assert list(table.columns) == ["item", "worker", "ease", "useful"]
    assert list(table.index) == [0, 1, 2]
    assert table["ease"].dtype == np.float64
    assert len(checked(answers.iloc[:0], ["ease", "confidence", "useful"])) == 0


@pytest.mark.parametrize("values", [["1", "5", "3"], pd.array([1, 5, 3], dtype="Int64"), [1.0, 5.0, 3.0]])
def test_ratings_may_come_in_any_type_that_holds_whole_numbers(answers: pd.DataFrame, values: object) -> None:
    assert checked(answers.assign(ease=values), ["ease"])["ease"].tolist() == [1, 5, 3]


@pytest.mark.parametrize("values", [[1, None, 3], pd.array([1, None, 3], dtype="Int64"), ["1", None, "3"]])
def test_a_missing_rating_is_nan(answers: pd.DataFrame, values: object) -> None:
    assert np.isnan(checked(answers.assign(ease=values), ["ease"])["ease"]).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("changes", "columns", "says"),
    [
        ({}, ["short"], "no column 'short'"),
        ({"item": ["a", None, "b"]}, [], "Row 1 of the answers has no item"),
        ({"worker": [1, 1, 1]}, [], "Worker 1 answers item 'a' more than once"),
        ({"ease": [1, 6, 3]}, ["ease"], "Row 1 of the answers has ease 6"),
        ({"ease": [1, 2, 2.5]}, ["ease"], "Row 2 of the answers has ease 2.5"),
        ({"ease": [1, 2, "easy"]}, ["ease"], "Row 2 of the answers has ease 'easy'"),
        ({"useful": ["B", "b", None]}, ["useful"], "Row 1 of the answers has useful 'b'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    answers: pd.DataFrame, changes: dict[str, object], columns: list[str], says: str
) -> None:
    with pytest.raises(BarlowError, match=says):
        checked(answers.assign(**changes), columns)


def test_what_is_known_of_an_item_is_its_first_known_value_wherever_that_stands() -> None:
    table = pd.DataFrame(
        {
            "item": ["b", "a", "b", "a", "c", "b"],
            "worker": [1, 1, 2, 2, 1, 3],
            "tier": [None, "top", "bottom", None, None, "top"],
            "feature": [np.nan, 3, 5, 3, np.nan, 5],
        }
    )
    expected = {"tier": ["bottom", "top", None], "feature": [5, 3, None]}
    for types in ({}, {"tier": "str", "feature": "Int64"}, {"tier": "category", "item": "category"}):
        found = attributes_of_items(table.astype(types))
        assert found.index.tolist() == ["b", "a", "c"]
        assert found.astype(object).where(found.notna(), None).to_dict("list") == expected
        everywhere = with_attributes_of_items(table.astype(types))
        assert everywhere["tier"].astype(object).where(everywhere["tier"].notna(), None).tolist() == [
            "bottom",
            "top",
            "bottom",
            "top",
            None,
            "bottom",
        ]
        assert everywhere["tier"].dtype == table.astype(types)["tier"].dtype
        assert everywhere["worker"].tolist() == table["worker"].tolist()
    assert list(attributes_of_items(table, ["tier", "nothing"])) == ["tier"]
    nothing = attributes_of_items(table[["item", "worker"]])
    assert (nothing.index.tolist(), list(nothing)) == (["b", "a", "c"], [])
    assert list(attributes_of_items(table.iloc[:0], ATTRIBUTES)) == ["tier", "feature"]
