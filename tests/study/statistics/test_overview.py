from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

from study.analysis import Analysis, AnalysisOptions, Filters, StudyData
from study.answers.exclusion import ExclusionRule
from study.statistics.overview import overview


def test_counts_by_hand() -> None:
    table = pd.DataFrame(
        {
            "item": ["a", "a", "b", "b", "b", "c"],
            "worker": ["v", "w", "v", "w", "x", "w"],
            "ease": 4,
            "seconds": [30.0, 90.0, 60.0, None, 60.0, 60.0],
            "platform": ["p", "q", "p", "q", None, "q"],
            "submitted_at": pd.to_datetime(["2026-03-01T23:59:59Z"] * 2 + ["2026-03-02T00:00:00Z"] * 4),
        }
    )
    items = pd.DataFrame({"wanted": [2, 2, 2, 2]}, index=pd.Index(["a", "b", "c", "d"], name="item"))
    data = StudyData.from_answers(table, items=items, pay_per_item=Decimal("0.50"), currency="USD")
    found = overview(data)
    assert (found.n_answers, found.n_items, found.n_listed, found.n_workers) == (6, 3, 4, 3)
    assert found.tasks.to_dict() == {"v": 2, "w": 3, "x": 1}
    assert found.per_item.to_dict("records") == [
        {"answers": 3, "items": 1},
        {"answers": 2, "items": 1},
        {"answers": 1, "items": 1},
        {"answers": 0, "items": 1},
    ], "the unanswered one is counted"
    assert (found.complete, found.n_wanting) == (2, 4)
    assert found.timed.tolist() == [30, 90, 60, 60, 60]
    assert found.hourly == pytest.approx(0.5 * 3600 / 60)
    assert found.hourly_median == pytest.approx(30.0)
    assert found.by_day[["answers", "total"]].to_numpy().tolist() == [[2, 2], [4, 6]]
    assert found.platforms.to_dict("records") == [
        {"platform": "not known", "answers": 1, "workers": 1},
        {"platform": "p", "answers": 2, "workers": 1},
        {"platform": "q", "answers": 3, "workers": 1},
    ]


def test_an_item_lacks_no_answer_because_filters_leave_it_out() -> None:
    rows = [{"item": item, "worker": worker, "ease": 4, "platform": worker} for item in "abc" for worker in ("p", "q")]
    data = StudyData.from_answers(pd.DataFrame(rows), answers_per_item=2)
    part = Analysis(data, filters=Filters(platforms=("p",)))
    assert part.overview.n_answers == 3
    assert (part.overview.complete, part.overview.n_wanting) == (3, 3)
    rule = ExclusionRule(same_rating=1.0, signals=1, min_answers=1)
    rated = StudyData.from_answers(pd.DataFrame(rows).assign(confidence=4, useful="B"), answers_per_item=2)
    nobody = Analysis(rated, options=AnalysisOptions(rule=rule, exclude=True))
    assert (nobody.overview.n_answers, nobody.overview.complete) == (0, 3)


def test_items_that_want_nothing_known_are_in_no_share() -> None:
    items = pd.DataFrame({"wanted": [1, None, 2]}, index=pd.Index(["a", "b", "c"], name="item"))
    found = overview(StudyData.from_answers(pd.DataFrame({"item": ["a", "b"], "worker": "w", "ease": 4}), items=items))
    assert (found.complete, found.n_wanting, found.n_listed) == (1, 2, 3)


def test_nothing_yet() -> None:
    found = overview(StudyData.from_answers(pd.DataFrame({"item": [], "worker": [], "ease": []})))
    assert (found.n_answers, found.n_items, found.hourly, found.complete) == (0, 0, None, None)
    assert found.by_day.empty
    assert found.tasks.empty
