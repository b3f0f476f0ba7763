"""Worker quality, the exclusion rule, and its effect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.answers.quality import ExclusionRule, exclusions, worker_quality
from study.statistics.exclusion_effect import effect_of_exclusions


@pytest.fixture
def answers() -> pd.DataFrame:
    """Six items; `good` and `other` work, `clicker` gives one answer to all, fast, with one text, `lone` meets nobody."""
    rows = []
    for i in range(6):
        rows += [
            (f"i{i}", "good", f"short {i}", f"a long text about {i}", i % 5 + 1, 4, "B", 60.0),
            (f"i{i}", "other", "stripes", f"quite another text {i}", (i + 1) % 5 + 1, 4, "B" if i < 3 else "C", 90.0),
            (f"i{i}", "clicker", "thing", "Nice picture!" if i % 2 else "nice  PICTURE", 5, 5, "both", 6.0),
        ]
    rows.append(("j", "lone", None, None, 3, None, None, None))
    return pd.DataFrame(rows, columns=["item", "worker", "short", "long", "ease", "confidence", "useful", "seconds"])


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


def test_who_shows_several_signals_or_fails_checks_is_excluded(answers: pd.DataFrame) -> None:
    table = exclusions(worker_quality(answers))
    assert table["excluded"].to_dict() == {"good": False, "other": False, "clicker": True, "lone": False}
    assert (
        table.loc["clicker", "signals"]
        == "fast 10\N{NO-BREAK SPACE}%; same rating 100\N{NO-BREAK SPACE}%; copied 100\N{NO-BREAK SPACE}%"
    )
    assert table.loc["good", "signals"] == ""
    checks = pd.DataFrame({"worker": ["good"] * 3 + ["clicker"], "passed": [False, False, True, True]})
    checked = exclusions(worker_quality(answers, checks=checks))
    assert checked["excluded"].tolist() == [True, False, True, False]
    assert checked.loc["good", "signals"] == "checks passed 33\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("rule", "excluded"),
    [
        (ExclusionRule(signals=3), True),
        (ExclusionRule(copied=None, signals=3), False),
        (ExclusionRule(fast=None, copied=None, signals=1), True),
        (ExclusionRule(fast=0.1, copied=None), False),
        (ExclusionRule(fast=0.11, copied=None), True),
        (ExclusionRule(min_answers=6), True),
        (ExclusionRule(min_answers=7), False),
    ],
)
def test_the_rule_is_what_decides(answers: pd.DataFrame, rule: ExclusionRule, excluded: bool) -> None:
    assert exclusions(worker_quality(answers), rule).loc["clicker", "excluded"] == excluded


def test_one_failed_check_is_not_yet_a_pattern(answers: pd.DataFrame) -> None:
    checks = pd.DataFrame({"worker": ["good", "other", "other"], "passed": [False, False, False]})
    quality = worker_quality(answers, checks=checks)
    usual, strict = exclusions(quality)["excluded"], exclusions(quality, ExclusionRule(min_checks=1))["excluded"]
    assert (usual["good"], usual["other"]) == (False, True)
    assert (strict["good"], strict["other"]) == (True, True)


def test_one_signal_alone_is_noted_and_excludes_nobody(answers: pd.DataFrame) -> None:
    answers.loc[answers["worker"] == "good", "long"] = "the same"
    row = exclusions(worker_quality(answers)).loc["good"]
    assert (row["excluded"], row["signals"]) == (False, "copied 100\N{NO-BREAK SPACE}%")


def test_one_complete_answer_of_many_is_no_pattern() -> None:
    """Ten answers, of which one has all ratings and two a long description: nothing can be told from those."""
    rows = [{"item": f"i{n}", "worker": w, "short": "fur", "long": None, "ease": None, "confidence": None, "useful": None}
            for n in range(10) for w in ("sparse", "full")]  # fmt: skip
    answers = pd.DataFrame(rows)
    of_sparse = answers.index[answers["worker"] == "sparse"]
    answers.loc[of_sparse[:1], ["ease", "confidence", "useful"]] = [3, 3, "B"]
    answers.loc[of_sparse[:2], "long"] = "the same words"
    of_full = answers.index[answers["worker"] == "full"]
    answers.loc[of_full, ["ease", "confidence", "useful"]] = [3, 3, "B"]
    answers.loc[of_full, "long"] = "other words"
    table = worker_quality(answers)
    assert table.loc["sparse", ["n", "n_timed", "n_complete", "n_long"]].tolist() == [10, 0, 1, 2]
    assert exclusions(table)["excluded"].to_dict() == {"sparse": False, "full": True}
    assert exclusions(table, ExclusionRule(min_answers=1))["excluded"].to_dict() == {"sparse": True, "full": True}


@pytest.mark.parametrize("setting", [{"fast": 3}, {"copied": -0.1}, {"signals": 0}, {"min_answers": 0}])
def test_a_rule_that_makes_no_sense_is_an_error(setting: dict[str, Any]) -> None:
    with pytest.raises(BarlowError, match="expected"):
        ExclusionRule(**setting)


def test_the_effect_on_every_headline_number(answers: pd.DataFrame) -> None:
    full = effect_of_exclusions(answers, ["clicker"])
    table = full[["all", "kept", "change"]]
    assert table.loc["answers"].tolist() == [19, 13, -6]
    assert table.loc["workers"].tolist() == [4, 3, -1]
    assert table.loc["items"].tolist() == [7, 7, 0]
    assert table.loc["share of answers for both"].tolist() == pytest.approx([1 / 3, 0, -1 / 3])
    assert table.loc["mean confidence"].tolist() == pytest.approx([13 / 3, 4, -1 / 3])
    assert table.loc["items with ease and confidence above 3", "all"] == 4
    assert table.loc["alpha of confidence", "kept"] is pd.NA, "all the same"
    assert table.loc["alpha of confidence", "all"] < 0
    intervals = full[["all_low", "all", "all_high"]].loc[["mean ease", "share of answers for both", "alpha of ease"]]
    assert (intervals["all_low"] < intervals["all"]).all()
    assert (intervals["all"] < intervals["all_high"]).all()
    assert not any(name.startswith("mean agreement") for name in table.index), "no word vectors were given"
    nothing = effect_of_exclusions(answers, answers["worker"].unique())
    assert nothing.loc["mean ease", "kept"] is pd.NA
    assert nothing.loc["answers", "kept"] == 0
    assert (effect_of_exclusions(answers, [])["change"].dropna() == 0).all()


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
