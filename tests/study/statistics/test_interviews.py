"""Counts of interviews against the paper's tables and numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from paper_interviews import paper_interviews
from sklearn.metrics import cohen_kappa_score

from study.statistics import interviews
from study.statistics.easy_groupings import easy_groupings, rule_words
from study.statistics.small_samples import kappas, share


def test_shares_of_few_have_the_intervals_of_clopper_and_pearson() -> None:
    """Of none or all, the ends are known in closed form: 1 - (alpha / 2) ** (1 / n); of 1 of 2 the ends solve p ** 2 = alpha / 2."""
    assert share(0, 0) == (None, None, None)
    assert share(0, 5) == pytest.approx((0, 0, 1 - 0.025**0.2))
    assert share(14, 14) == pytest.approx((1, 0.025 ** (1 / 14), 1))
    assert share(1, 2) == pytest.approx((0.5, 1 - 0.975**0.5, 0.975**0.5))
    # The paper's 10 of 14; the ends from tables of the binomial distribution: P(X >= 10 | low) = P(X <= 10 | high) = 0.025.
    value, low, high = share(10, 14)
    assert value == pytest.approx(10 / 14)
    from scipy.stats import binom

    assert binom.sf(9, 14, low) == pytest.approx(0.025)
    assert binom.cdf(10, 14, high) == pytest.approx(0.025)
    assert share(10, 14, 0.5)[1] > low  # type: ignore[operator]


def test_kappa_by_hand_and_by_scikit_learn() -> None:
    """Of ten texts both give code a to 4, neither to 3, one alone to 1 and the other alone to 2: p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4
    = 0.5, kappa = 0.4."""
    first = [["a"]] * 5 + [[]] * 5
    second = [["a"]] * 4 + [[]] + [["a"]] * 2 + [[]] * 3
    table = kappas(pd.DataFrame({"first": first, "second": second}), ["a"]).set_index("code")
    assert table.loc["a", "kappa"] == pytest.approx(0.4)
    assert table.loc["a", "agree"] == 7
    # Fleiss, Cohen and Everitt's variance of this table: (0.4 * 0.34 ** 2 + 0.3 * 0.46 ** 2 + 0.36 * (0.1 * 1.1 ** 2 + 0.2 * 0.9 ** 2)
    # - 0.1 ** 2) / (10 * 0.25) = 0.08064.
    assert table.loc["a", "kappa"] - table.loc["a", "low"] == pytest.approx(1.959964 * np.sqrt(0.08064))
    rng = np.random.default_rng(1)
    one, other = rng.random(200) < 0.4, rng.random(200) < 0.5
    pairs = pd.DataFrame({"first": [["x"] if v else [] for v in one], "second": [["x"] if v else [] for v in other]})
    found = kappas(pairs, ["x"]).set_index("code")
    assert found.loc["x", "kappa"] == pytest.approx(cohen_kappa_score(one, other))
    assert found.loc["all", "kappa"] == pytest.approx(found.loc["x", "kappa"])
    # The jackknife and the large-sample interval agree where there are many texts.
    assert found.loc["all", "low"] == pytest.approx(found.loc["x", "low"], abs=0.02)


def test_kappa_that_is_undefined_says_why() -> None:
    empty = kappas(pd.DataFrame({"first": [], "second": []}), ["a"])
    assert set(empty["reason"]) == {"no text was coded by both"}
    same = kappas(pd.DataFrame({"first": [["a"], []] * 2, "second": [["a"], []] * 2}), ["a", "b"]).set_index("code")
    assert same.loc["a", "kappa"] == 1
    assert same.loc["a", "reason"] == "the coders agree about every text, so no interval"
    assert "chance would agree as well" in same.loc["b", "reason"]
    assert same.loc["all", "kappa"] == 1
    few = kappas(pd.DataFrame({"first": [["a"], []], "second": [[], []]}), ["a"]).set_index("code")
    assert few.loc["all", "reason"] == "fewer than three texts, so no interval"


def test_a_grouping_is_described_where_all_of_its_answered_features_are() -> None:
    rows = [
        ("P1", "g", 1, "yes"), ("P1", "g", 2, "partly"), ("P1", "h", 3, "yes"),
        ("P2", "g", 1, "yes"), ("P2", "g", 2, "no"), ("P2", "h", 3, "yes"),
        ("P3", "g", 1, "no"), ("P3", "h", 3, "no"),
        ("P4", "g", 1, "yes"),  # has not come to the second one
    ]  # fmt: skip
    features = pd.DataFrame(rows, columns=["participant", "grouping", "feature", "describes"])
    found = replace(paper_interviews(), features=features)
    assert interviews.described(found).set_index("participant")["described"].to_dict() == {"P1": 2, "P2": 1, "P3": 0}
    assert interviews.described(found, partly=False).set_index("participant")["described"].to_dict() == {
        "P1": 1,
        "P2": 1,
        "P3": 0,
    }
    table = interviews.describability(found).set_index(["counts_as_described", "groupings"])
    assert table.loc[("yes or partly", "both"), ["n", "of", "participants"]].tolist() == [1, 3, ["P1"]]
    assert table.loc[("yes", "one"), "n"] == 2


def test_people_are_counted_once_however_often_they_say_it() -> None:
    actions = pd.DataFrame(
        [
            ("P1", "g", ["labels", "training"]),
            ("P1", "h", ["labels"]),
            ("P2", "g", ["training"]),
            ("P3", "g", []),
        ],
        columns=["participant", "grouping", "actions"],
    )
    table = interviews.actions(replace(paper_interviews(), actions=actions)).set_index("kind")
    assert table.loc["labels", ["answers", "n", "of", "participants"]].tolist() == [2, 1, 2, ["P1"]]
    assert table.loc["training", ["n", "share"]].tolist() == [2, 1.0]
    assert table.loc["none", ["n", "low"]].tolist() == [0, 0.0]
    assert table.loc["none", "high"] == pytest.approx(1 - 0.025**0.5)


def test_necessary_and_spurious_by_feature() -> None:
    rows = [
        ("P1", "g", 1, "spurious"),
        ("P2", "g", 1, "spurious"),
        ("P3", "g", 1, "necessary"),
        ("P1", "g", 2, "unsure"),
        ("P2", "g", 2, None),
    ]
    features = pd.DataFrame(rows, columns=["participant", "grouping", "feature", "necessity"])
    table = interviews.necessity(replace(paper_interviews(), features=features))
    assert table[["grouping", "feature", "necessary", "spurious", "unsure", "n"]].values.tolist() == [
        ["g", 1, 1, 2, 0, 3],
        ["g", 2, 0, 0, 1, 1],
    ]
    assert table["share"].tolist() == pytest.approx([2 / 3, 0])


def test_agreement_with_statements_is_counted_from_sums() -> None:
    rows = [("useful", level, n) for level, n in zip(range(1, 6), (0, 1, 2, 5, 6), strict=True)]
    table = interviews.statements(replace(paper_interviews(), statements=pd.DataFrame(rows, columns=["statement", "level", "n"])))
    useful = table.set_index("statement").loc["useful"]
    assert useful[["n", "level_2", "level_5", "agree"]].tolist() == [14, 1, 6, 11]
    assert useful["share"] == pytest.approx(11 / 14)


def test_the_easy_set_follows_the_stated_rule() -> None:
    """Places by ease: b 1, a 2, c 3; by agreement: a 1, c 2, b 3. Sums: a 3, b 4, c 5."""
    rows = [
        ("a:1", "a", 1, 4),
        ("a:1", "a", 1, 5),
        ("b:1", "b", 1, 5),
        ("b:2", "b", 2, 5),
        ("b:9", "b", 9, 1),
        ("c:1", "c", 1, 2),
    ]
    answers = pd.DataFrame(rows, columns=["item", "group", "feature", "ease"])
    agreement = pd.Series({"a:1": 0.9, "b:1": 0.1, "b:2": 0.3, "b:9": 1.0, "c:1": 0.5})
    trees = {"c": [1], "b": [1, 2], "a": [1], "nobody": [7]}
    table = easy_groupings(answers, agreement, trees, n=2)
    assert table["group"].tolist() == ["a", "b", "c", "nobody"]
    assert table["easy"].tolist() == [True, True, False, False]
    assert table.set_index("group").loc["b", ["features", "described", "answers", "ease", "agreement"]].tolist() == [
        2,
        2,
        2,
        5.0,
        0.2,
    ]
    assert "The 2 groupings with the highest ease and agreement" in rule_words(table, "study.sqlite")
    assert "by 4 crowd answers in study.sqlite" in rule_words(table, "study.sqlite")
    assert easy_groupings(answers, agreement, trees, n=9)["easy"].tolist() == [True, True, True, False]
