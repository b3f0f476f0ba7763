from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from clicker_answers import clicker_answers
from hypothesis import given
from hypothesis import strategies as st

from barlow_core.errors import BarlowError
from study.answers.exclusion import ExclusionRule, exclusions, parse_rule, rule_in_words, rule_text
from study.answers.quality import worker_quality

SHARES = st.none() | st.floats(0, 1)
COUNTS = st.integers(1, 1000)


@given(rule=st.builds(ExclusionRule, SHARES, SHARES, SHARES, SHARES, COUNTS, COUNTS, COUNTS))
def test_a_rule_survives_its_text(rule: ExclusionRule) -> None:
    assert parse_rule(rule_text(rule)) == rule


def test_texts_that_people_read() -> None:
    assert rule_text(ExclusionRule()) == "0.5,1/3,0.95,0.5,5,2,2"
    assert parse_rule(" 0.8, -,-,- ,5,2,1") == ExclusionRule(0.8, None, None, None, 5, 2, 1)
    assert parse_rule("1e-1,0.333333,1,0,1,1,3") == ExclusionRule(0.1, 0.333333, 1.0, 0.0, 1, 1, 3)


def test_a_rule_in_words_has_its_thresholds_in_full() -> None:
    words = rule_in_words(ExclusionRule(same_rating=0.995, fast=0.125, checks_passed=0.005, copied=0.07)).replace("\xa0", " ")
    for threshold in ("fewer than 0.5 % of", "below 12.5 % of", "at least 99.5 % of", "at least 7 % of"):
        assert threshold in words, "not what rounding makes of it, nor 7.000000000000001 %"
    assert "below 1/3 of the median worker's" in rule_in_words(ExclusionRule())
    assert "below 33.3333\xa0% of" in rule_in_words(ExclusionRule(fast=0.333333)), "which is not a third"
    assert "100\xa0%" in rule_in_words(ExclusionRule(same_rating=1.0))


def test_a_rule_in_words_is_true_applied_or_not() -> None:
    words = rule_in_words(ExclusionRule())
    assert words.startswith("The rule excludes workers who met 2 gold or attention checks or more and passed fewer than 50")
    assert "It also excludes workers who show at least 2 of the following, each over 5 answers or more that can show it" in words
    assert "were" not in words.split(), "it says nothing of what was done"
    alone = rule_in_words(ExclusionRule(checks_passed=None, fast=None, copied=None, signals=1, min_answers=1))
    assert alone.startswith(
        "The rule excludes workers who show the following, each over 1 answer or more that can show it: the same ease"
    )
    assert rule_in_words(ExclusionRule(min_checks=1)).startswith("The rule excludes workers who passed fewer than")
    assert rule_in_words(ExclusionRule(checks_passed=None, signals=4)) == "The rule excludes nobody."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.8", "has 1 parts; expected 7: checks_passed,fast,.*usual rule is 0.5,1/3"),
        ("0.8,-,-,-,5,2,1,1", "has 8 parts"),
        ("often,-,-,-,5,2,2", "checks_passed is 'often'; expected a share from 0 to 1, or - "),
        ("0.5,1/0,-,-,5,2,2", "fast is '1/0'"),
        ("0.5,-,-,-,-,2,2", "min_answers is '-'; expected a whole number"),
        ("0.5,-,-,-,5,1.5,2", "signals is '1.5'"),
        ("50,-,-,-,5,2,2", "checks_passed is 50"),
        ("nan,-,-,-,5,2,2", "checks_passed is nan"),
        ("0.5,-,-,-,5,0,2", "signals is 0"),
    ],
)
def test_a_rule_that_says_nothing_is_explained(text: str, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        parse_rule(text)


@pytest.fixture
def answers() -> pd.DataFrame:
    return clicker_answers()


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
