"""Which items are shown as examples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from gensim.models import KeyedVectors

from barlow_core.errors import BarlowError
from study.statistics.examples import DIFFICULT, EASY, easy_items, most_votes


@pytest.fixture(scope="module")
def flat() -> KeyedVectors:
    vectors = KeyedVectors(2)
    vectors.add_vectors(["east", "north"], np.eye(2, dtype=np.float32))
    return vectors


@pytest.fixture
def answers() -> pd.DataFrame:
    """Per item: ease of three answers, confidence, preferences, long texts."""
    items = {
        "a": ((5, 5, 5), (4, 4, 4), "BBB", ("east", "east", "east")),
        "b": ((5, 5, 5), (5, 5, 5), "CCC", ("east", "north", "east")),
        "c": ((4, 4, 4), (3, 3, 3), "CCN", ("east", "north", "north")),
        "d": ((4, 4, 4), (3, 3, 3), "+CB", ("east", "east", "east")),
        "e": ((1, 2, 1), (1, 2, 1), "++B", (None, None, "canid")),
        "f": ((5,), (5,), "C", ("east",)),
    }
    codes = {"B": "B", "C": "C", "+": "both", "N": "none"}
    rows = [
        (item, worker, "east", long, ease, confidence, codes[useful], f"class of {item}", "label")
        for item, (eases, confidences, votes, longs) in items.items()
        for worker, (ease, confidence, useful, long) in enumerate(zip(eases, confidences, votes, longs, strict=True))
    ]
    return pd.DataFrame(
        rows, columns=["item", "worker", "short", "long", "ease", "confidence", "useful", "class_name", "grouping"]
    )


def test_easy_items_go_by_ease_then_confidence_then_agreement(answers: pd.DataFrame, flat: KeyedVectors) -> None:
    table = easy_items(answers, flat, k=4)
    assert table.index.tolist() == ["b", "a", "d", "c"], "f has too few answers"
    assert table.loc["b", ["class_name", "grouping", "ease", "confidence", "n"]].tolist() == ["class of b", "label", 5, 5, 3]
    assert table["short"].tolist() == [1, 1, 1, 1]
    assert table.loc["c", "long"] == pytest.approx(1 / 3)
    assert table.loc["b", "long_descriptions"] == ["east", "north", "east"]
    assert "tier" not in table


def test_difficult_items_are_the_other_end_and_undefined_agreement_is_missing(answers: pd.DataFrame, flat: KeyedVectors) -> None:
    table = easy_items(answers, flat, k=3, difficult=True)
    assert table.index.tolist() == ["e", "c", "d"]
    assert table.loc["e", "long"] is pd.NA
    assert table.loc["e", "long_descriptions"] == ["canid"]
    assert easy_items(answers, flat, k=9, min_answers=1).index.tolist()[:2] == ["b", "f"], (
        "among equals undefined agreement comes last"
    )


def test_the_criteria_are_stated() -> None:
    assert "highest average ease" in EASY
    assert "fewer than 3 answers" in EASY.format(min_answers=3)
    assert "lowest average ease" in DIFFICULT
    assert "high" not in DIFFICULT


def test_most_votes_go_by_count_then_by_share(answers: pd.DataFrame) -> None:
    answers = pd.concat(
        [answers, answers.iloc[[3]].assign(worker=9, useful="none"), answers.iloc[[6]].assign(worker=9, useful="B")]
    )
    table = most_votes(answers, "C", k=9)
    assert table.index.tolist() == ["b", "c", "f", "d"]
    assert table["C"].tolist() == [3, 2, 1, 1]
    assert table.loc["c", "short_descriptions"] == ["east"] * 4
    assert most_votes(answers, "both", k=1).index.tolist() == ["e"]


def test_nothing_to_choose_from_gives_empty_tables(answers: pd.DataFrame, flat: KeyedVectors) -> None:
    nobody = answers.iloc[:0]
    for table in (
        easy_items(nobody, flat),
        most_votes(nobody, "C"),
        easy_items(answers, flat, k=0),
        most_votes(answers, "C", k=0),
    ):
        assert len(table) == 0
        assert {"class_name", "short_descriptions"} <= set(table.columns)


def test_another_choice_is_an_error(answers: pd.DataFrame) -> None:
    with pytest.raises(BarlowError, match="'A'; expected one of B, C, both, none"):
        most_votes(answers, "A")
