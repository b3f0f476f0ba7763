"""Ratings and preferences: hand-worked tables, scipy as oracle, studies that are small, empty or lopsided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from barlow_core.errors import BarlowError
from study.answers.table import PREFERENCES
from study.statistics import estimates, likert
from study.statistics.two_way_score import NO_SIDE

FAST: dict[str, Any] = {"replicates": 100}


@pytest.fixture
def answers() -> pd.DataFrame:
    """Three items, four workers."""
    return pd.DataFrame(
        [
            ("a", 1, 5, 4, "B", "label", "top"),
            ("a", 2, 4, 4, "B", "label", "top"),
            ("a", 3, 3, 2, "C", "label", "top"),
            ("b", 1, 3, 5, "C", "label", "bottom"),
            ("b", 2, 3, None, "both", "label", "bottom"),
            ("b", 4, None, 1, "C", "label", "bottom"),
            ("c", 1, 1, 4, "none", "prediction", "top"),
            ("c", 3, 2, 5, "none", "prediction", "top"),
            ("c", 4, 1, 5, "B", "prediction", "top"),
            ("c", 2, 1, 5, "B", "prediction", "top"),
        ],
        columns=["item", "worker", "ease", "confidence", "useful", "grouping", "tier"],
    )


@pytest.fixture
def nobody(answers: pd.DataFrame) -> pd.DataFrame:
    return answers.iloc[:0]


# --- ease and confidence


def test_averages_of_items_leave_out_missing_answers_only(answers: pd.DataFrame) -> None:
    assert likert.item_averages(answers, "ease").to_dict("index") == {
        "a": {"average": 4.0, "n": 3},
        "b": {"average": 3.0, "n": 2},
        "c": {"average": 1.25, "n": 4},
    }
    assert likert.item_averages(answers, "confidence").loc["b"].tolist() == [3.0, 2]


def test_items_above_three_in_one_question_or_in_both(answers: pd.DataFrame) -> None:
    ease = likert.items_above(answers, ["ease"], **FAST)
    assert (ease.count, ease.n_items, ease.share.value) == (1, 3, pytest.approx(1 / 3))
    confidence = likert.items_above(answers, ["confidence"], **FAST)
    assert (confidence.count, confidence.n_items) == (2, 3), "a and c; b is at 3 exactly"
    both = likert.items_above(answers, **FAST)
    assert (both.count, both.n_items, both.questions) == (1, 3, ("ease", "confidence"))
    assert both.share.n == 8, "answers with both ratings"


def test_mean_ratings_come_with_what_they_rest_on(answers: pd.DataFrame) -> None:
    table = likert.averages(answers, "ease", by=["grouping", "tier"], **FAST)
    assert table[["grouping", "tier", "value", "n", "n_items", "n_workers"]].to_numpy().tolist() == [
        ["label", "bottom", 3.0, 2, 1, 2],
        ["label", "top", 4.0, 3, 1, 3],
        ["prediction", "top", 1.25, 4, 1, 4],
    ]
    assert table["reason"].tolist() == [estimates.ALL_THE_SAME, estimates.ONE_ITEM, estimates.ONE_ITEM]
    whole = likert.averages(answers, "ease", **FAST)
    assert whole.loc[0, "value"] == pytest.approx(23 / 9)


def test_level_counts_place_the_pieces_of_a_diverging_bar(answers: pd.DataFrame) -> None:
    table = likert.level_counts(answers, "ease")
    assert table["count"].tolist() == [3, 1, 3, 1, 1]
    assert (table["n"] == 9).all()
    assert table["left"].astype(float).tolist() == pytest.approx([-5.5 / 9, -2.5 / 9, -1.5 / 9, 1.5 / 9, 2.5 / 9])
    assert table["right"].astype(float).tolist() == pytest.approx([-2.5 / 9, -1.5 / 9, 1.5 / 9, 2.5 / 9, 3.5 / 9])
    split = likert.level_counts(answers, "ease", by=["tier"])
    assert split["tier"].tolist() == ["bottom"] * 5 + ["top"] * 5
    assert split.groupby("tier")["share"].sum().tolist() == pytest.approx([1, 1])


def test_rows_without_a_value_are_a_part_of_their_own(answers: pd.DataFrame) -> None:
    answers.loc[answers["item"] == "c", "tier"] = None
    assert likert.averages(answers, "ease", by=["tier"], **FAST)["n"].tolist() == [2, 3, 4]


# --- preferences


def test_preferences_are_shares_of_answers(answers: pd.DataFrame) -> None:
    table = likert.preferences(answers, **FAST).set_index("choice")
    assert table.index.tolist() == list(PREFERENCES)
    assert table["count"].tolist() == [4, 3, 1, 2]
    assert table["share"].tolist() == pytest.approx([0.4, 0.3, 0.1, 0.2])
    assert (table["low"] <= table["share"]).all()
    assert (table["high"] >= table["share"]).all()
    split = likert.preferences(answers, by=["grouping"], **FAST).set_index(["grouping", "choice"])
    assert split.loc[("prediction", "C"), ["count", "share", "n"]].tolist() == [0, 0.0, 4]
    assert "Clopper" in split.loc[("prediction", "C"), "reason"]


def test_votes_state_ties(answers: pd.DataFrame) -> None:
    table = likert.votes(answers)
    assert table[list(PREFERENCES)].to_numpy().tolist() == [[2, 1, 0, 0], [0, 2, 1, 0], [2, 0, 0, 2]]
    assert table["vote"].tolist() == ["B", "C", None]
    assert table["winners"].tolist() == [("B",), ("C",), ("B", "none")]
    assert table["tied"].tolist() == [False, False, True]
    assert table["majority"].tolist() == [True, True, False]


def test_the_most_votes_need_not_be_a_majority() -> None:
    answers = pd.DataFrame({"item": "a", "worker": range(5), "useful": ["B", "B", "C", "both", "none"]})
    row = likert.votes(answers).loc["a"]
    assert (row["vote"], row["majority"], row["tied"]) == ("B", False, False)


def test_vote_shares_under_three_readings(answers: pd.DataFrame) -> None:
    table = likert.vote_shares(answers).set_index("choice")
    assert table["most"].tolist() == [1, 1, 0, 0]
    assert table["most_or_tied"].tolist() == [2, 1, 0, 1]
    assert table["majority"].tolist() == [1, 1, 0, 0]
    assert table["most_or_tied_share"].astype(float).tolist() == pytest.approx([2 / 3, 1 / 3, 0, 1 / 3])


def test_the_papers_preferences_come_out_of_its_counts() -> None:
    # 43.18 %, 17.67 %, 32.14 % and 7 % of 5,971 answers are these counts.
    counts = dict(zip(PREFERENCES, (2578, 1055, 1919, 419), strict=True))
    useful = np.repeat(list(counts), list(counts.values()))
    answers = pd.DataFrame({"item": np.arange(5971) % 1200, "worker": np.arange(5971) // 1200, "useful": useful})
    shares = likert.preferences(answers, **FAST)["share"]
    assert [round(100 * share, 2) for share in shares] == [43.18, 17.67, 32.14, 7.02]


# --- heatmap against attack


def test_heatmap_against_attack_by_hand() -> None:
    # B - C is 2, 2, -1 over items, and 1, 1, 1, 0 over workers.
    rows = [("a", 1, "B"), ("a", 2, "B"), ("b", 3, "B"), ("b", 4, "B"), ("b", 1, "none"), ("c", 4, "C"), ("c", 2, "both")]
    found = likert.heatmap_against_attack(pd.DataFrame(rows, columns=["item", "worker", "useful"]), **FAST)
    assert (found.n_b, found.n_c, found.items_b, found.items_c, found.items_tied) == (4, 1, 2, 1, 0)
    assert found.difference.value == pytest.approx(3 / 7)
    # Squared sums: 9 by item, 3 by worker, 5 of answers; 9 + 3 - 5 is less than the 9 of items alone. Three items, four workers took a side.
    assert found.degrees_of_freedom == 2
    assert found.p == pytest.approx(2 * t.sf(3 / np.sqrt(9), 2))


def test_which_side_is_which_does_not_matter(answers: pd.DataFrame) -> None:
    found = likert.heatmap_against_attack(answers)
    swapped = likert.heatmap_against_attack(answers.assign(useful=answers["useful"].replace({"B": "C", "C": "B"})))
    assert found.p == swapped.p
    assert found.difference.value == pytest.approx(-(swapped.difference.value or 0))


def test_one_worker_who_likes_heatmaps_is_no_evidence_about_workers() -> None:
    fond = pd.DataFrame({"item": range(40), "worker": "fond", "useful": "B"})
    found = likert.heatmap_against_attack(pd.concat([fond, fond.head(1).assign(worker="other", useful="both")]))
    assert (found.n_b, found.p) == (40, None)
    assert "or all from one worker" in (found.reason or "")
    second = likert.heatmap_against_attack(pd.concat([fond, fond.head(1).assign(worker="other")]))
    assert (second.p or 0) > 0.4, "two workers"


# --- nobody, one, mistakes


def test_an_empty_study_gives_empty_tables_and_reasons(nobody: pd.DataFrame) -> None:
    assert len(likert.item_averages(nobody, "ease")) == 0
    above = likert.items_above(nobody)
    assert (above.count, above.n_items, above.share.value, above.share.reason) == (0, 0, None, "nobody answered")
    assert likert.averages(nobody, "ease").loc[0, ["n", "reason"]].tolist() == [0, "nobody answered"]
    levels = likert.level_counts(nobody, "ease")
    assert levels["count"].tolist() == [0] * 5
    assert levels["share"].isna().all()
    assert likert.preferences(nobody)["reason"].tolist() == ["nobody answered"] * 4
    assert len(likert.votes(nobody)) == 0
    assert likert.vote_shares(nobody)["most_share"].isna().all()
    found = likert.heatmap_against_attack(nobody)
    assert (found.p, found.reason) == (None, "nobody answered")
    for table in (likert.averages, likert.level_counts):
        assert len(table(nobody, "ease", by=["tier"])) == 0
    assert len(likert.preferences(nobody, by=["tier"])) == 0


def test_nobody_who_takes_a_side_is_no_test() -> None:
    found = likert.heatmap_against_attack(pd.DataFrame({"item": ["a", "b"], "worker": [1, 1], "useful": ["both", "none"]}))
    assert (found.p, found.reason, found.items_tied) == (None, NO_SIDE, 2)
    assert found.difference.value == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda table: likert.item_averages(table, "useful"), "'useful'; expected one of ease, confidence"),
        (lambda table: likert.items_above(table, []), "No question is named"),
        (lambda table: likert.preferences(table, by=["platform"]), "no column 'platform' to split by"),
        (lambda table: likert.preferences(table, by="tier"), r"expected a list of columns, \['tier'\]"),
        (lambda table: likert.votes(table.drop(columns="useful")), "no column 'useful'"),
    ],
)
def test_mistakes_are_named(answers: pd.DataFrame, call: Any, says: str) -> None:
    with pytest.raises(BarlowError, match=says):
        call(answers)
