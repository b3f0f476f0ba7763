"""Ratings and preferences: hand-worked tables, scipy as oracle, studies that are small, empty or lopsided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

from barlow_core.errors import BarlowError
from study.answers.table import PREFERENCES
from study.statistics import estimates, likert

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
    assert found.p_items == pytest.approx(4 / 8), "sums of +-2 +-2 +-1: 5, 3, 1, -1, 1, -1, -3, -5; four of eight reach 3"
    assert found.p_workers == pytest.approx(2 / 8), "+-1 +-1 +-1 reaches 3 twice in eight"
    assert found.p_sign == pytest.approx(binomtest(2, 3).pvalue)
    assert found.p == found.p_items


@given(st.lists(st.integers(-5, 5), max_size=9))
def test_the_sign_flip_test_is_scipys_exact_permutation_test(differences: list[int]) -> None:
    found = likert.sign_flip_p(np.array(differences, dtype=np.int64))
    if len(differences) < 2:
        assert found == 1
        return
    oracle = permutation_test(
        (np.array(differences, dtype=np.float64),),
        lambda x, axis: np.abs(np.sum(x, axis=axis)),
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert found == pytest.approx(oracle.pvalue)


def test_the_sign_flip_test_of_equal_sizes_is_the_binomial_test_also_where_it_is_transformed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    differences = np.repeat([1, -1], [260, 211])
    assert likert.sign_flip_p(differences) == pytest.approx(binomtest(260, 471).pvalue)
    mixed = np.random.default_rng(0).integers(-4, 6, size=500)
    direct = likert.sign_flip_p(mixed)
    monkeypatch.setattr(likert, "_DIRECT", 1)
    assert likert.sign_flip_p(mixed) == pytest.approx(direct)
    assert likert.sign_flip_p(np.full(3000, 2)) == 1e-10, "not what rounding leaves of 2^-2999"


def test_two_sided_tests_do_not_mind_which_side_is_which(answers: pd.DataFrame) -> None:
    found = likert.heatmap_against_attack(answers, **FAST)
    swapped = likert.heatmap_against_attack(answers.assign(useful=answers["useful"].replace({"B": "C", "C": "B"})), **FAST)
    assert (found.p_items, found.p_workers, found.p_sign) == (swapped.p_items, swapped.p_workers, swapped.p_sign)
    assert found.difference.value == pytest.approx(-(swapped.difference.value or 0))


def test_one_worker_who_likes_heatmaps_is_no_evidence_about_workers() -> None:
    fond = pd.DataFrame({"item": range(40), "worker": "fond", "useful": "B"})
    found = likert.heatmap_against_attack(pd.concat([fond, fond.head(1).assign(worker="other", useful="both")]), **FAST)
    assert (found.p_items or 1) < 1e-10
    assert found.p == found.p_workers == 1
    alone = likert.heatmap_against_attack(fond, **FAST)
    assert (alone.n_b, alone.p, alone.p_items) == (40, None, None)
    assert "one worker only" in (alone.reason or "")


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
    assert (found.p, found.reason, found.items_tied) == (None, "nobody chose B or C alone", 2)
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
