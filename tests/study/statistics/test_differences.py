from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kruskal, mannwhitneyu
from statsmodels.stats.multitest import multipletests

from study.statistics.agreement_means import AgreementMeans, levels_of_items
from study.statistics.differences import cliffs_delta, differences, holm, item_outcomes, magnitude, omnibus

RNG = np.random.default_rng(0)


def table(n_items: int = 24, workers: int = 8, shift: float = 0.0) -> pd.DataFrame:
    rows = []
    for i in range(n_items):
        for w in RNG.choice(workers, 3, replace=False):
            grouping = ("label", "prediction")[i % 2]
            ease = np.clip(np.rint(3 + (grouping == "label") * shift + RNG.normal()), 1, 5)
            rows.append(
                (
                    f"i{i}",
                    f"w{w}",
                    ease,
                    RNG.integers(1, 6),
                    RNG.choice(["B", "C", "both", "none"]),
                    grouping,
                    ("top", "middle", "bottom")[i % 3],
                )
            )
    return pd.DataFrame(rows, columns=["item", "worker", "ease", "confidence", "useful", "grouping", "tier"])


def test_cliffs_delta_is_that_of_rs_effsize() -> None:
    """The example of effsize's manual: cliff.delta(treatment, control) gives -0.25, 95 % interval -0.7265846 to 0.3890062."""
    found = cliffs_delta(np.array([10, 10, 20, 20, 20, 30, 30, 30, 40, 50.0]), np.array([10, 20, 30, 40, 40, 50.0]))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((-0.25, -0.7265846, 0.3890062), abs=1e-7)


def test_cliffs_delta_counts_pairs() -> None:
    first, second = RNG.integers(0, 6, 17).astype(float), RNG.integers(1, 7, 11).astype(float)
    found = cliffs_delta(first, second)
    pairs = np.sign(first[:, None] - second[None, :])
    assert found is not None
    assert found.value == pytest.approx(pairs.mean())
    assert found.value == pytest.approx(2 * mannwhitneyu(first, second).statistic / (17 * 11) - 1)
    assert found.p == mannwhitneyu(first, second).pvalue
    assert found.low < found.value < found.high


def test_cliffs_delta_where_there_is_little_to_say() -> None:
    assert cliffs_delta(np.array([]), np.array([1.0])) is None
    apart = cliffs_delta(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))
    assert apart is not None
    assert (apart.value, apart.low) == (-1.0, None)
    same = cliffs_delta(np.array([1.0, 1.0]), np.array([1.0, 1.0]))
    assert same is not None
    assert (same.value, same.low) == (0.0, None)
    thirds = cliffs_delta(np.array([0.1 + 0.2, 0.3]), np.array([0.3, 0.3]))
    assert thirds is not None
    assert thirds.value == 0, "averages that are equal as fractions are equal"


def test_magnitude_in_words() -> None:
    assert [magnitude(delta) for delta in (0.0, -0.146, 0.147, -0.33, 0.474, -1.0)] == [
        "negligible",
        "negligible",
        "small",
        "medium",
        "large",
        "large",
    ]


def test_every_pair_of_every_factor_on_item_averages() -> None:
    answers = table(shift=0.8)
    found = differences(answers, replicates=200)
    assert len(found) == 4 * 6, "one pair of groupings and three of tiers, six outcomes"
    row = found[(found["factor"] == "grouping") & (found["outcome"] == "ease")].iloc[0]
    averages = answers.groupby(["grouping", "item"])["ease"].mean()
    label, prediction = averages["label"].round(9), averages["prediction"].round(9)
    assert (row["first"], row["second"], row["n_items_first"], row["n_items_second"]) == ("label", "prediction", 12, 12)
    assert row["p"] == pytest.approx(mannwhitneyu(label, prediction).pvalue)
    by_answers = answers.groupby("grouping")["ease"].mean()
    assert (row["mean_first"], row["mean_second"]) == pytest.approx(tuple(by_answers[["label", "prediction"]]))
    assert row["difference"] == pytest.approx(by_answers["label"] - by_answers["prediction"])
    assert row["low"] < row["difference"] < row["high"]
    assert row["n_answers"] == 72


def test_p_values_are_corrected_for_the_whole_table() -> None:
    found = differences(table(), replicates=50)
    p = found["p"].astype(float)
    assert found["p_holm"].astype(float).to_numpy() == pytest.approx(multipletests(p, method="holm")[1])
    assert holm(pd.Series([], dtype="Float64")).empty
    assert holm(pd.Series([pd.NA, 0.01, 0.04], dtype="Float64")).tolist() == [pd.NA, pytest.approx(0.02), pytest.approx(0.04)]


def test_agreement_is_compared_item_by_item() -> None:
    answers = table()
    values = pd.Series(RNG.random(24), index=[f"i{i}" for i in range(24)]).astype("Float64")
    values.iloc[:2] = pd.NA
    row = (
        differences(answers, {"short": values}, replicates=200)
        .query("outcome == 'agreement short' and factor == 'grouping'")
        .iloc[0]
    )
    label = values[[f"i{i}" for i in range(2, 24, 2)]].astype(float)
    prediction = values[[f"i{i}" for i in range(3, 24, 2)]].astype(float)
    assert (row["n_items_first"], row["n_items_second"]) == (11, 11)
    assert row["difference"] == pytest.approx(label.mean() - prediction.mean())
    compared = values.dropna().index
    assert row["n_answers"] == answers["item"].isin(compared).sum() > len(compared), "answers, not items"


def test_all_tiers_at_once() -> None:
    answers = table()
    row = omnibus(answers).set_index("outcome").loc["ease"]
    outcomes = item_outcomes(answers, {})["ease"]
    tiers = answers.drop_duplicates("item").set_index("item")["tier"]
    expected = kruskal(*(outcomes[tiers == tier].round(9) for tier in ("top", "middle", "bottom")))
    assert (row["h"], row["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert row["epsilon_squared"] == pytest.approx(expected.statistic / 23)


def test_lopsided_studies_get_reasons() -> None:
    answers = table()
    assert differences(answers.drop(columns=["grouping", "tier"])).empty
    assert differences(answers.iloc[:0]).empty
    few = answers[(answers["grouping"] == "label") | (answers["item"] == "i1")]
    row = differences(few, factors=["grouping"], replicates=50).set_index("outcome").loc["ease"]
    assert "fewer than 3 items" in row["reason"]
    assert row["p"] is pd.NA
    same = answers.assign(ease=4, tier=None)
    row = differences(same, replicates=50).set_index("outcome").loc["ease"]
    assert "same value" in row["reason"]
    assert omnibus(same).empty
    unrated = differences(answers.assign(ease=np.nan), factors=["grouping"], replicates=50).set_index("outcome").loc["ease"]
    assert (unrated["n_items_first"], unrated["difference"]) == (0, pd.NA)
    assert "no answers" in unrated["reason"]


def test_workers_who_answer_on_one_side_only_are_no_difference_between_groups() -> None:
    answers = table()
    apart = answers.assign(worker=answers["worker"] + answers["grouping"])
    found = differences(apart, factors=["grouping"], replicates=50)
    assert found["p"].isna().all()
    assert found["reason"].str.contains("fewer than half of the workers answered on both sides").all()
    assert found["n_workers_both"].eq(0).all()
    assert found["delta_low"].isna().all(), "nor the interval, which would be as wrong"
    assert found["delta"].notna().all(), "the effect size is shown all the same"
    assert found["low"].notna().all(), "the two-way interval of the difference of means holds"
    tiers = answers.assign(worker=answers["worker"] + answers["tier"])
    at_once = omnibus(tiers)
    assert at_once["p"].isna().all(), "three tiers of different workers look like three different tiers"
    assert at_once["reason"].str.contains("fewer than half of the workers").all()


def test_means_and_difference_fit_each_other_where_items_have_different_numbers_of_answers() -> None:
    answers = table().iloc[:-5]
    found = differences(answers, {"short": pd.Series(RNG.random(24), index=[f"i{i}" for i in range(24)])}, replicates=50)
    between = (found["mean_first"] - found["mean_second"]).astype(float)
    assert found["difference"].astype(float).to_numpy() == pytest.approx(between.to_numpy())


def test_differences_of_agreement_resample_workers_too() -> None:
    answers = table()
    pairs = pd.DataFrame(
        [
            (item, first, second, RNG.normal() + (first == "w0") + (second == "w0"))
            for item, part in answers.groupby("item", sort=False)
            for first, second in itertools.combinations(part["worker"], 2)
        ],
        columns=["item", "first", "second", "short"],
    )
    values = pairs.groupby("item")["short"].mean()
    means = AgreementMeans({"short": values}, pairs, levels_of_items(answers, ["grouping"]), replicates=300)
    alone = AgreementMeans({"short": values}, None, levels_of_items(answers, ["grouping"]), replicates=300)
    sides = (("grouping", "label"), ("grouping", "prediction"))
    both_ways, items_only = means.difference("short", *sides), alone.difference("short", *sides)
    assert both_ways.value == pytest.approx(items_only.value)
    assert both_ways.high - both_ways.low > items_only.high - items_only.low  # type: ignore[operator]
    assert "items only" in (items_only.reason or "")
    row = differences(answers, {"short": values}, means=means, factors=["grouping"], replicates=50).iloc[-1]
    assert (row["difference"], row["low"], row["high"]) == (both_ways.value, both_ways.low, both_ways.high)
    assert means.mean("short").value == pytest.approx(alone.mean("short").value)


def test_an_item_is_where_any_of_its_answers_says_it_is() -> None:
    """The value need not stand in an item's first answer, and one answer alone puts no item on two sides."""
    whole = table(workers=12)
    gaps = whole.copy()
    first = ~gaps.duplicated("item")
    gaps.loc[first, ["grouping", "tier"]] = None
    for factor in ("grouping", "tier"):
        expected, found = levels_of_items(whole, [factor]), levels_of_items(gaps, [factor])
        assert {side: sorted(items) for side, items in found.items()} == {side: sorted(items) for side, items in expected.items()}
    pd.testing.assert_frame_equal(differences(gaps, replicates=200), differences(whole, replicates=200))
    pd.testing.assert_frame_equal(omnibus(gaps), omnibus(whole))
    odd = whole.copy()
    odd.loc[odd.index[odd["item"] == "i0"][-1], "tier"] = "bottom"
    odd.loc[odd.index[odd["item"] == "i1"][-1], "tier"] = "elsewhere"
    agreement = pd.Series(RNG.random(24), index=[f"i{i}" for i in range(24)])
    means = AgreementMeans({"short": agreement}, None, levels_of_items(odd, ["grouping", "tier"]), replicates=200)
    result = differences(odd, {"short": agreement}, means=means, replicates=200)
    pd.testing.assert_frame_equal(result, differences(whole, {"short": agreement}, means=means, replicates=200))
    levels = levels_of_items(odd, ["tier"])
    assert sum(map(len, levels.values())) == 24
    assert "i0" in levels["tier", "top"]
