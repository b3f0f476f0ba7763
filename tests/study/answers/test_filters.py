from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.analysis import Filters, StudyData

DAY = pd.Timestamp("2026-03-01T12:00:00Z")


@pytest.fixture
def small() -> StudyData:
    rows = [
        ("a", "one", "label", "tiger", "top", "prolific", DAY, False),
        ("a", "two", "label", "tiger", "top", "mturk", DAY + pd.Timedelta(days=1), True),
        ("b", "one", "prediction", "pole", "bottom", "prolific", DAY + pd.Timedelta(days=2), False),
        ("c", "two", "prediction", "tiger", "middle", "mturk", DAY + pd.Timedelta(days=3), True),
    ]
    columns = ["item", "worker", "grouping", "class_name", "tier", "platform", "submitted_at", "simulated"]
    table = pd.DataFrame(rows, columns=columns).assign(ease=4, confidence=4, useful="B", short="fur", long="fur")
    checks = pd.DataFrame({"worker": ["one", "two"], "item": "gold", "kind": "gold", "passed": [True, False]})
    return StudyData.from_answers(table, checks=checks)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, [0, 1, 2, 3]),
        ({"groupings": ["label"]}, [0, 1]),
        ({"classes": ["tiger"], "groupings": ["prediction"]}, [3]),
        ({"tiers": ("top", "middle")}, [0, 1, 3]),
        ({"platforms": ["prolific"]}, [0, 2]),
        ({"since": date(2026, 3, 2), "until": date(2026, 3, 3)}, [1, 2]),
        ({"until": date(2026, 3, 1)}, [0]),
        ({"checks": "passed"}, [0, 2]),
        ({"excluded_workers": ["one"]}, [1, 3]),
        ({"simulated": "people"}, [0, 2]),
        ({"simulated": "simulated"}, [1, 3]),
    ],
)
def test_each_filter_keeps_what_it_says(small: StudyData, given: dict[str, Any], kept: list[int]) -> None:
    part = small.filtered(Filters(**given))
    expected = small.answers.iloc[kept]
    assert part.answers[["item", "worker"]].to_numpy().tolist() == expected[["item", "worker"]].to_numpy().tolist()


def test_items_follow_the_filters_so_that_unanswered_ones_count_where_they_belong(small: StudyData) -> None:
    part = small.filtered(Filters(classes=("tiger",), platforms=("prolific",)))
    assert part.items.index.tolist() == ["a", "c"], "c has no answer from prolific and is still an item of the class"


def test_filters_say_themselves_and_can_be_keys() -> None:
    filters = Filters(groupings=["label"], tiers=["top", "middle"], since=date(2026, 3, 1), checks="passed")
    assert filters.text == (
        "Kept: grouping label; error tiers top, middle; answers from 2026-03-01 (UTC); workers who failed no gold or attention check."
    )
    assert Filters().text == "Kept: the whole study."
    assert {filters: 1}[Filters(groupings=("label",), tiers=("top", "middle"), since=date(2026, 3, 1), checks="passed")] == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"groupings": "label"}, "expected a list"),
        ({"checks": "some"}, "all, passed"),
        ({"simulated": "none"}, "all, people, simulated"),
        ({"since": date(2026, 3, 2), "until": date(2026, 3, 1)}, "Swap them"),
    ],
)
def test_a_filter_that_makes_no_sense_is_an_error(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        Filters(**given)


def test_a_filter_for_what_the_study_does_not_know_is_an_error() -> None:
    data = StudyData.from_answers(pd.DataFrame({"item": ["a"], "worker": ["w"], "ease": [3]}))
    with pytest.raises(BarlowError, match="has no error tier"):
        data.filtered(Filters(tiers=("top",)))
