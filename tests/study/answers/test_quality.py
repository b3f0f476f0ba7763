"""The quality of workers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from clicker_answers import clicker_answers

from barlow_core.errors import BarlowError
from study.answers.exclusion import exclusions
from study.answers.quality import worker_quality


@pytest.fixture
def answers() -> pd.DataFrame:
    return clicker_answers()


def test_what_is_measured_by_hand(answers: pd.DataFrame) -> None:
    table = worker_quality(answers)
    assert table.index.tolist() == ["good", "other", "clicker", "lone"]
    assert table["n"].tolist() == [6, 6, 6, 1]
    assert table.loc[["good", "other", "clicker"], "seconds"].tolist() == [60, 90, 6]
    assert table.loc[["good", "other", "clicker"], "speed"].tolist() == [1.0, 1.5, 0.1]
    # Ease 1, 2, 3, 4, 5, 1: only the first and last have the same ease, confidence and preference.
    assert table.loc["good", "same_rating"] == pytest.approx(2 / 6)
    assert table.loc["clicker", "same_rating"] == 1
    assert table.loc[["good", "other", "clicker"], "copied_long"].tolist() == [0, 0, 1], "but for case and punctuation"
    assert table.loc[["good", "other", "clicker"], "copied_short"].tolist() == [0, 1, 1]
    assert table.loc["good", "confidence_gap"] == 0.5, "the others' average is 4.5"
    assert table.loc["clicker", "confidence_gap"] == 1
    # good B; other B three times, then C; clicker both.
    assert table.loc[["good", "other", "clicker"], "useful_agreement"].tolist() == [0.25, 0.25, 0]
    ease = answers.pivot(index="item", columns="worker", values="ease").loc[[f"i{i}" for i in range(6)]]
    assert table.loc["good", "ease_gap"] == pytest.approx((ease["good"] - (ease["other"] + ease["clicker"]) / 2).abs().mean())


def test_what_cannot_be_said_is_missing(answers: pd.DataFrame) -> None:
    row = worker_quality(answers).loc["lone"]
    names = [
        "checks_passed",
        "seconds",
        "speed",
        "same_rating",
        "copied_long",
        "copied_short",
        "ease_gap",
        "confidence_gap",
        "useful_agreement",
    ]
    assert all(row[name] is pd.NA for name in names)
    assert row["checks"] == 0
    assert worker_quality(answers.drop(columns="seconds"))["speed"].isna().all()
    empty = worker_quality(answers.iloc[:0])
    assert len(empty) == 0
    assert len(exclusions(empty)) == 0


def test_checks_are_counted_per_worker(answers: pd.DataFrame) -> None:
    checks = pd.DataFrame({"worker": ["good", "good", "other", "stranger"], "passed": [True, False, True, False]})
    table = worker_quality(answers, checks=checks)
    assert table["checks"].tolist() == [2, 1, 0, 0]
    assert table.loc[["good", "other"], "checks_passed"].tolist() == [0.5, 1.0]
    assert table["checks_passed"].isna().tolist() == [False, False, True, True]
    with pytest.raises(BarlowError, match="no column 'passed'"):
        worker_quality(answers, checks=checks[["worker"]])


def test_gaps_and_agreement_are_what_loops_give() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (i, w, *rng.integers(1, 6, size=2), rng.choice(["B", "C", "both", "none"]))
        for i in range(20)
        for w in rng.choice(8, 3, replace=False)
    ]
    answers = pd.DataFrame(rows, columns=["item", "worker", "ease", "confidence", "useful"]).assign(short=None, long=None)
    table = worker_quality(answers)
    for worker, mine in answers.groupby("worker"):
        gaps, same = [], []
        for row in mine.itertuples():
            others = answers[(answers["item"] == row.item) & (answers["worker"] != worker)]
            gaps.append(abs(row.ease - others["ease"].mean()))
            same.append((others["useful"] == row.useful).mean())
        assert table.loc[worker, "ease_gap"] == pytest.approx(np.mean(gaps))
        assert table.loc[worker, "useful_agreement"] == pytest.approx(np.mean(same))
